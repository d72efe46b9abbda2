// Package upstream is an echo server for tests: it answers every request with
// what it received, repeated headers kept apart, as JSON or, where it was told
// how, as a page for a browser, by WebSocket, in events or over gRPC. It must not
// know the gateway.
package upstream

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

const maxEcho = 64 << 10 // bytes of a body that are sent back

// Echo is the answer to every request.
type Echo struct {
	Kind       string              `json:"kind"` // "upstream"
	Method     string              `json:"method"`
	Host       string              `json:"host"`
	Path       string              `json:"path"`    // as it was sent, up to the first "?"
	Query      string              `json:"query"`   // as it was sent, without the "?"
	Headers    map[string][]string `json:"headers"` // names in Go's letter case, without Host
	Body       string              `json:"body"`    // the first 64 KiB; what is not UTF-8 is U+FFFD
	BodyLength int64               `json:"body_length"`
}

// Upstream is a running echo server.
type Upstream struct {
	server   http.Server
	served   chan struct{} // closed when the server ended
	address  string
	requests atomic.Int64
	pages    Pages
	sockets  sockets
	logs     logs
}

// Pages write what a browser shows of a request, each for the paths that begin
// with its own, which no other's does.
type Pages map[string]func(w io.Writer, e Echo) error

// Start listens on addr, such as "127.0.0.1:0". GET /healthz, GET
// /control/counters and the logs below /control/log/ are the server's own; all
// else is echoed: by a first message where a WebSocket is asked for, by a first
// event where an event stream is. To gRPC it is the standard health service. The
// error says that addr is taken.
func Start(addr string) (*Upstream, error) { return StartWithPages(addr, nil) }

// StartWithPages is [Start] with a page in the place of the JSON for every GET
// that has one and whose Accept names text/html, as a browser's does when a
// person opens a page.
func StartWithPages(addr string, pages Pages) (*Upstream, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	u := &Upstream{address: l.Addr().String(), served: make(chan struct{}), pages: pages}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // for gRPC
	u.server = http.Server{
		Protocols: &protocols,
		Handler:   http.HandlerFunc(u.answer), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 1 << 20,
		DisableGeneralOptionsHandler: true, // OPTIONS * is echoed too
	}
	go func() {
		defer close(u.served)
		_ = u.server.Serve(l) // ends at Close only: net/http retries what passes
	}()
	return u, nil
}

// answer is no http.ServeMux: that redirects //x and /../x, which are what the
// upstream must show.
func (u *Upstream) answer(w http.ResponseWriter, r *http.Request) {
	if isGRPC(r) {
		u.grpc(w, r)
		return
	}
	if log, isLog := strings.CutPrefix(r.RequestURI, "/control/log/"); isLog {
		u.logs.answer(w, r, log)
		return
	}
	switch r.Method + " " + r.RequestURI {
	case "GET /healthz":
		writeJSON(w, map[string]string{"kind": "upstream", "url": u.URL()})
	case "GET /control/counters":
		writeJSON(w, map[string]int64{"requests": u.Requests()})
	default:
		u.echo(w, r)
	}
}

// URL is where it listens, without a slash at the end.
func (u *Upstream) URL() string { return "http://" + u.address }

// Node is its host and port, as a route names it.
func (u *Upstream) Node() string { return u.address }

// Requests is how many it echoed so far.
func (u *Upstream) Requests() int64 { return u.requests.Load() }

// Close ends it, with every connection.
func (u *Upstream) Close() error {
	err := u.server.Close()
	u.sockets.close()
	<-u.served
	return err
}

func (u *Upstream) echo(w http.ResponseWriter, r *http.Request) {
	u.requests.Add(1)
	head, err := io.ReadAll(io.LimitReader(r.Body, maxEcho))
	if err != nil {
		http.Error(w, "the body was cut short", http.StatusBadRequest)
		return
	}
	rest, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, "the body was cut short", http.StatusBadRequest)
		return
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	e := Echo{
		Kind: "upstream", Method: r.Method, Host: r.Host, Path: path, Query: query,
		Headers: r.Header, Body: string(head), BodyLength: int64(len(head)) + rest,
	}
	switch {
	case wantsWebSocket(r):
		u.webSocket(w, r, e)
		return
	case wantsEvents(r):
		events(w, r, e)
		return
	}
	if r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html") {
		for prefix, write := range u.pages {
			if strings.HasPrefix(path, prefix) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
				_ = write(w, e) // an error is the client gone
				return
			}
		}
	}
	writeJSON(w, e)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// An error here is the client gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(v)
}
