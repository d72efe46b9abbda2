package runner

import (
	"bufio"
	"sync"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

const (
	// readBuffer takes the longest token there may be in one read, with some
	// headers beside it.
	readBuffer = 24 << 10
	// maxKept is the most bytes of a frame, of an answer, and of a body, that a
	// workspace is used again with.
	maxKept = 256 << 10
	// maxKeptEntries is the same for lists of headers and arguments.
	maxKeptEntries = 1 << 10
)

// workspace is the memory of one exchange, from the first byte of its frame to
// the last one of its answer. A connection at rest has none, so that the memory
// kept is bounded for all connections together: what is in the pool is about
// one workspace for each core, and those that grew are not put back.
type workspace struct {
	r  *bufio.Reader
	in []byte
	exchange
}

var workspaces = sync.Pool{New: func() any {
	w := &workspace{r: bufio.NewReaderSize(nil, readBuffer)}
	w.encoder = a6.NewAnswerEncoder()
	w.request.header.names, w.request.of = &interner{}, &w.exchange
	return w
}}

func newWorkspace() *workspace {
	w, _ := workspaces.Get().(*workspace)
	return w
}

// attach gives the connection a workspace.
func (c *conn) attach() {
	if c.workspace == nil {
		c.use(newWorkspace())
	}
}

// use gives the connection this workspace.
func (c *conn) use(w *workspace) {
	c.workspace = w
	w.r.Reset(c)
	w.server, w.peer, w.stripe = c.server, c, c.stripe
}

// detach takes the workspace away. Nothing of the exchange stays in it but
// what is overwritten by the next.
func (c *conn) detach() {
	w := c.workspace
	if w == nil {
		return
	}
	c.workspace = nil
	if w.grown() {
		return
	}
	w.server, w.peer, w.kept, w.conf, w.request.view = nil, nil, nil, nil, nil
	w.prepare, w.sent, w.out = prepare{}, a6.Response{}, w.out[:0]
	w.request.header.names.forget()
	w.writer.begin()
	clear(w.stop.Headers)
	w.stop.Body = nil
	for _, edits := range [][]a6.Entry{w.rewrite.Headers, w.rewrite.Args, w.rewrite.RespHeaders} {
		clear(edits)
	}
	w.rewrite.Body = nil
	clear(w.in)
	clear(w.out[:cap(w.out)])
	w.r.Reset(nil)
	workspaces.Put(w)
}

func (w *workspace) grown() bool {
	return max(cap(w.in), cap(w.out), w.encoded, cap(w.writer.body)) > maxKept ||
		max(cap(w.view.Headers), cap(w.view.Args), cap(w.rewrite.Headers), cap(w.rewrite.Args),
			cap(w.rewrite.RespHeaders), cap(w.stop.Headers), cap(w.request.header.noted)) > maxKeptEntries
}
