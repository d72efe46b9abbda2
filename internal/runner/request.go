package runner

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inplace"
)

// request is pkg/http.Request over a frame. It stands until the plugin's
// RequestFilter returns; what it gave out as strings stands longer.
type request struct {
	of     *exchange
	view   *a6.RequestView
	header header

	path     []byte
	args     url.Values
	respHead http.Header
	vars     map[string][]byte
	body     []byte
	hasBody  bool

	ctx    context.Context
	cancel context.CancelFunc
}

var _ inplace.View = (*request)(nil)

func (r *request) begin(v *a6.RequestView) {
	r.view = v
	r.header.begin(v.Headers)
}

func (r *request) end() {
	if r.cancel != nil {
		r.cancel()
	}
	r.path, r.args, r.respHead, r.vars = nil, nil, nil, nil
	r.body, r.hasBody = nil, false
	r.ctx, r.cancel = nil, nil
	r.header.end()
}

func (r *request) ID() uint32             { return r.view.ID }
func (r *request) SrcIP() net.IP          { return slices.Clone(r.view.SrcIP) }
func (r *request) Method() string         { return r.view.Method }
func (r *request) Header() pkgHTTP.Header { return &r.header }
func (r *request) SetPath(path []byte)    { r.path = path }

// Frame tells how many header entries APISIX showed, and whether they still
// stand: false once a plugin before this one changed a header.
func (r *request) Frame() (headers int, stands bool) {
	return len(r.header.sent), r.header.view == nil && len(r.header.noted) == 0
}

// FrameName is the name of header entry i as APISIX showed it, in place: it
// stands as long as the request and is not to be changed.
func (r *request) FrameName(i int) []byte { return r.header.sent[i].Name }

// FrameValue is the value of header entry i as APISIX showed it.
func (r *request) FrameValue(i int) string {
	return r.header.names.string(r.header.sent[i].Value)
}

// FramePath is the path as it is now, in place: it stands as long as the request
// and is not to be changed.
func (r *request) FramePath() []byte {
	if r.path == nil {
		return r.view.Path
	}
	return r.path
}

func (r *request) Path() []byte {
	if r.path == nil {
		return slices.Clone(r.view.Path)
	}
	return r.path
}

func (r *request) Args() url.Values {
	if r.args == nil {
		r.args = r.sentArgs()
	}
	return r.args
}

// sentArgs are the arguments as APISIX sent them.
func (r *request) sentArgs() url.Values {
	args := url.Values{}
	for _, p := range r.view.Args {
		args.Add(string(p.Name), string(p.Value))
	}
	return args
}

func (r *request) RespHeader() http.Header {
	if r.respHead == nil {
		r.respHead = http.Header{}
	}
	return r.respHead
}

// Context ends at the request's deadline, when the server's shutdown is nearly
// over, and when the request was answered.
func (r *request) Context() context.Context {
	if r.ctx == nil {
		r.ctx, r.cancel = context.WithTimeout(r.of.server.ctx, requestTimeout)
	}
	return r.ctx
}

func (r *request) Var(name string) ([]byte, error) {
	if value, asked := r.vars[name]; asked {
		return value, nil
	}
	value, err := r.of.peer.ask(a6.Question{Var: name})
	if err != nil {
		return nil, err
	}
	if r.vars == nil {
		r.vars = map[string][]byte{}
	}
	r.vars[name] = value
	return value, nil
}

func (r *request) Body() ([]byte, error) {
	if !r.hasBody {
		body, err := r.of.peer.ask(a6.Question{Body: true})
		if err != nil {
			return nil, err
		}
		r.body, r.hasBody = body, true
	}
	return r.body, nil
}

// edits writes what the plugins changed into w, and reports whether that is
// anything.
func (r *request) edits(w *a6.Rewrite) bool {
	w.Path, w.Body = string(r.path), nil
	w.Headers = r.header.diff(w.Headers[:0])
	w.Args = r.argEdits(w.Args[:0])
	w.RespHeaders = w.RespHeaders[:0]
	for _, name := range sortedNames(r.respHead) {
		for _, v := range r.respHead[name] {
			w.RespHeaders = append(w.RespHeaders, a6.Entry{Name: name, Value: v, HasValue: true})
		}
	}
	return w.Path != "" || len(w.Headers)+len(w.Args)+len(w.RespHeaders) > 0
}

func (r *request) argEdits(edits []a6.Entry) []a6.Entry {
	if r.args == nil {
		return edits
	}
	sent := r.sentArgs()
	for _, name := range sortedNames(sent) {
		if len(r.args[name]) == 0 {
			edits = append(edits, a6.Entry{Name: name})
		}
	}
	for _, name := range sortedNames(r.args) {
		if slices.Equal(sent[name], r.args[name]) {
			continue
		}
		for _, v := range r.args[name] {
			edits = append(edits, a6.Entry{Name: name, Value: v, HasValue: true})
		}
	}
	return edits
}
