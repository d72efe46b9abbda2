// Package page is the playground's page: it serves the document and the API that
// shows how a gateway decides about one request. It must not know how the gateway,
// the runner and the issuers are started: a [Bench] has them.
package page

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Options say what a page shows, and where.
type Options struct {
	// Addr is where it listens. Any address but one of loopback is refused.
	Addr  string
	Bench Bench
	// Wire hears what went over the runner's socket; the gateway double's Trace is
	// its Record.
	Wire *Wire
	// LiveEvery is between two readings of the runner's metrics; 0 is a second.
	LiveEvery time.Duration
}

// Server is a page that is served.
type Server struct {
	opt    Options
	addr   string
	token  string // of calls that change something
	http   http.Server
	served chan struct{} // closed when the server ended
	end    context.CancelFunc

	start  startAnswer
	keys   proofKeys
	tokens tokenShelf
	turn   chan struct{} // one try at a time has the route
	route  placed
	second *secondGate
	live   *live
}

// Start listens and serves. The error says that the address is taken or not of
// loopback, or that the embedded page cannot be read.
func Start(opt Options) (*Server, error) {
	if err := Loopback(opt.Addr); err != nil {
		return nil, err
	}
	if opt.LiveEvery <= 0 {
		opt.LiveEvery = time.Second
	}
	document, err := readDocument()
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	l, err := net.Listen("tcp", opt.Addr)
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	ctx, end := context.WithCancel(context.Background())
	s := &Server{
		opt: opt, addr: l.Addr().String(), token: rand.Text(), served: make(chan struct{}), end: end,
		turn: make(chan struct{}, 1), second: &secondGate{}, live: newLive(opt.Bench),
		start: newStart(opt.Bench.Site()),
	}
	s.http = http.Server{
		Handler: s.guard(s.routes(document)), ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	go s.live.run(ctx, opt.LiveEvery)
	go func() {
		defer close(s.served)
		_ = s.http.Serve(l) // ends at Close only: net/http retries what passes
	}()
	return s, nil
}

// URL is the page's address.
func (s *Server) URL() string { return "http://" + s.addr + "/" }

// Token is what calls that change something send as X-Playground-Token.
func (s *Server) Token() string { return s.token }

// Close ends it, with every connection, and waits for what it started.
func (s *Server) Close() error {
	s.end()
	err := s.http.Close()
	<-s.served
	<-s.live.ended
	s.second.close()
	return err
}

var errNotLoopback = errors.New("the page is served on loopback alone, such as 127.0.0.1:9002: whoever reaches it can revoke, rotate and restart")

// Loopback says why a page is not served at an address.
func Loopback(addr string) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil || !at.Addr().IsLoopback() || !at.Addr().Is4() {
		return errNotLoopback
	}
	return nil
}

func (s *Server) routes(document *document) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", document.serve(s))
	mux.HandleFunc("GET /", document.serveFile)
	mux.HandleFunc("GET /api/start", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.start) })
	mux.HandleFunc("GET /api/live", s.serveLive)
	call(mux, "check", func(_ *http.Request, asked checkCall) (any, error) { return check(asked.Config), nil })
	call(mux, "mint", s.mint)
	call(mux, "try", s.try)
	call(mux, "login", s.login)
	call(mux, "act", s.act)
	return mux
}
