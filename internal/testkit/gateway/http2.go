package gateway

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

// unencryptedHTTP2 is what nginx speaks on a plain port beside HTTP/1.1, since
// apisix.enable_http2 is on by default: with clients who know it, and not by an
// Upgrade.
func unencryptedHTTP2() *http.Protocols {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &p
}

// beginsHTTP2 reports whether a connection begins with HTTP/2's preface, which no
// method of HTTP/1.1 does.
func beginsHTTP2(r *bufio.Reader) bool {
	const preface = "PRI"
	first, err := r.Peek(len(preface))
	return err == nil && string(first) == preface
}

// serveHTTP2 answers the requests of one connection, until it ends.
func (g *Gateway) serveHTTP2(c *client, r *bufio.Reader) {
	only := &onlyConn{conn: &readConn{Conn: c.Conn, r: r, closed: make(chan struct{})}}
	server := &http.Server{
		Protocols: unencryptedHTTP2(), ErrorLog: g.log,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			g.answerHTTP2(c, w, r)
		}),
	}
	_ = server.Serve(only) // ends with the connection, and requests with it
}

func (g *Gateway) answerHTTP2(c *client, w http.ResponseWriter, r *http.Request) {
	req, err := fromHTTP2(r)
	var refused badRequest
	if errors.As(err, &refused) {
		req = &request{}
		req.writeHTTP2(w, answer{status: int(refused)})
		return
	}
	req.remote, _ = netip.ParseAddrPort(c.RemoteAddr().String())
	req.local, _ = netip.ParseAddrPort(c.LocalAddr().String())
	worker := c.of.nextWorker()
	given := g.handle(req, worker)
	defer req.logged(worker)
	req.writeHTTP2(w, given)
}

// fromHTTP2 reads a request as nginx does, which judges its headers as those of
// HTTP/1.1.
func fromHTTP2(r *http.Request) (*request, error) {
	req := &request{method: r.Method, target: r.RequestURI, proto: "HTTP/2.0", ctx: r.Context()}
	if err := req.readTarget(); err != nil {
		return nil, err
	}
	if err := req.readHeader("Host: " + r.Host); err != nil {
		return nil, err
	}
	for name, values := range r.Header {
		for _, value := range values {
			if err := req.readHeader(strings.ToLower(name) + ": " + value); err != nil {
				return nil, err
			}
		}
	}
	if r.Body != http.NoBody {
		req.body = r.Body
	}
	return req, req.check()
}

func (req *request) writeHTTP2(w http.ResponseWriter, a answer) {
	a = req.complete(a)
	for _, line := range req.response {
		if !hop[strings.ToLower(line.name)] {
			w.Header().Add(line.name, line.value)
		}
	}
	w.Header().Set("Server", serverName)
	if _, sized := req.headers.get("Content-Length"); sized {
		req.drain() // curl takes a reset of what it still sends for a failure
	}
	if a.stream == nil {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		w.WriteHeader(a.status)
		_, _ = w.Write(a.body) // an error is the client gone
		return
	}
	defer func() { _ = a.stream.Close() }()
	w.WriteHeader(a.status)
	flush := http.NewResponseController(w).Flush
	if a.length != 0 && !a.buffered { // without a body trailers are headers
		_ = flush()
	}
	if a.send(w, flush) != nil {
		panic(http.ErrAbortHandler) // the client must not take it for whole
	}
	for name, values := range a.trailers() {
		for _, value := range values {
			w.Header().Add(http.TrailerPrefix+name, value)
		}
	}
}

func (a answer) trailers() http.Header {
	if a.upstream == nil {
		return nil
	}
	return a.upstream.Trailer
}

// readConn is a connection of which something was read.
type readConn struct {
	net.Conn
	r      *bufio.Reader
	once   sync.Once
	closed chan struct{}
}

func (c *readConn) Read(p []byte) (int, error) { return c.r.Read(p) }

func (c *readConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// onlyConn is a listener for one connection. It ends when that does.
type onlyConn struct {
	conn  *readConn
	given bool
}

func (l *onlyConn) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.conn.closed
	return nil, net.ErrClosed
}

func (l *onlyConn) Close() error   { return l.conn.Close() }
func (l *onlyConn) Addr() net.Addr { return l.conn.LocalAddr() }

// context is that of a request over HTTP/2, which ends with its stream.
func (req *request) context() context.Context {
	if req.ctx == nil {
		return context.Background()
	}
	return req.ctx
}
