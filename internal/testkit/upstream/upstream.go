// Package upstream is an echo server for tests: it answers every request with
// what it received, repeated headers kept apart. It must not know the gateway.
package upstream

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const maxEcho = 64 << 10 // bytes of a body that are sent back

// Echo is the answer to every request.
type Echo struct {
	Kind       string              `json:"kind"`
	Method     string              `json:"method"`
	Host       string              `json:"host"`
	Path       string              `json:"path"`
	Query      string              `json:"query"`
	Headers    map[string][]string `json:"headers"`
	Body       string              `json:"body"`
	BodyLength int64               `json:"body_length"`
}

// Upstream is a running echo server.
type Upstream struct {
	server   http.Server
	address  string
	requests atomic.Int64
}

// Start listens on addr, such as "127.0.0.1:0". GET /healthz and GET
// /control/counters answer for the server itself; all else is echoed.
func Start(addr string) (*Upstream, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	u := &Upstream{address: l.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]string{"kind": "upstream"})
	})
	mux.HandleFunc("GET /control/counters", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]int64{"requests": u.requests.Load()})
	})
	mux.HandleFunc("/", u.echo)
	u.server = http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 1 << 20}
	go func() {
		if err := u.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
	return u, nil
}

// URL is where it listens, without a slash at the end.
func (u *Upstream) URL() string { return "http://" + u.address }

// Node is its host and port, as a route names it.
func (u *Upstream) Node() string { return u.address }

// Close ends it.
func (u *Upstream) Close() error { return u.server.Close() }

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
	writeJSON(w, Echo{
		Kind: "upstream", Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
		Headers: r.Header, Body: string(head), BodyLength: int64(len(head)) + rest,
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// An error here is the client gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(v)
}
