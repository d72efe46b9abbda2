package issuer

import (
	"bytes"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"
)

// endpoint is what a fault is done to.
type endpoint struct {
	empty     map[string]any
	elsewhere string // URL behind a redirect
	answer    func() *answer
	healed    <-chan struct{}
	ending    <-chan struct{}
}

// behaviours are what the fault of an endpoint may be.
var behaviours = map[string]func(http.ResponseWriter, *http.Request, endpoint, Fault){
	"status": status, "error": oauthError, "html": html, "truncated": truncated, "lost": lost, "endless": endless,
	"slow": slow, "hang": hang, "reset": reset, "redirect": redirect, "empty": empty, "wrong_issuer": wrongIssuer,
}

// serve answers a request well, or does the fault of its endpoint. The request's
// body was read, so that its context ends when the client goes.
func (i *Issuer) serve(w http.ResponseWriter, r *http.Request, path string, good http.HandlerFunc) {
	f, healed := i.fault(path)
	misbehave := behaviours[f.Fault]
	if misbehave == nil {
		good(w, r)
		return
	}
	e := endpoint{
		empty: map[string]any{}, elsewhere: i.url + "elsewhere/" + path, healed: healed, ending: i.ending,
		answer: func() *answer { return recorded(good, r) },
	}
	if path == "jwks" {
		e.empty["keys"] = []any{}
	}
	misbehave(w, r, e, f)
}

// answer is a good answer that a fault then spoils.
type answer struct {
	header http.Header
	status int
	bytes.Buffer
}

func recorded(good http.HandlerFunc, r *http.Request) *answer {
	a := &answer{header: http.Header{}, status: http.StatusOK}
	good(a, r)
	return a
}

func (a *answer) Header() http.Header    { return a.header }
func (a *answer) WriteHeader(status int) { a.status = status }

// announce promises the whole answer, which a fault then breaks.
func (a *answer) announce(w http.ResponseWriter) []byte {
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(a.Len()))
	w.WriteHeader(a.status)
	return a.Bytes()
}

func status(w http.ResponseWriter, _ *http.Request, _ endpoint, f Fault) { w.WriteHeader(f.Status) }

func oauthError(w http.ResponseWriter, _ *http.Request, _ endpoint, f Fault) {
	refuse(w, f.Status, f.Code, "the fault that was asked for")
}

func html(w http.ResponseWriter, _ *http.Request, _ endpoint, _ Fault) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("<html><body>Down for maintenance</body></html>"))
}

func truncated(w http.ResponseWriter, _ *http.Request, e endpoint, _ Fault) {
	a := e.answer()
	body := a.announce(w)
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush() // else nothing at all is sent
	panic(http.ErrAbortHandler)
}

func lost(w http.ResponseWriter, r *http.Request, e endpoint, f Fault) {
	e.answer()
	reset(w, r, e, f)
}

func endless(w http.ResponseWriter, _ *http.Request, _ endpoint, _ Fault) {
	w.Header().Set("Content-Type", "application/json")
	_, err := w.Write([]byte(`{"padding":"`))
	for chunk := bytes.Repeat([]byte("x"), 32<<10); err == nil; {
		_, err = w.Write(chunk) // fails when the client had enough
	}
}

func slow(w http.ResponseWriter, r *http.Request, e endpoint, _ Fault) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	a, rest := e.answer(), http.NewResponseController(w)
	body := a.announce(w)
	for n := range body {
		if _, err := w.Write(body[n : n+1]); err != nil || rest.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

func hang(w http.ResponseWriter, r *http.Request, e endpoint, _ Fault) {
	select {
	case <-e.healed:
		a := e.answer()
		_, _ = w.Write(a.announce(w))
	case <-r.Context().Done():
	case <-e.ending:
		panic(http.ErrAbortHandler) // an empty answer would be one
	}
}

func reset(w http.ResponseWriter, _ *http.Request, _ endpoint, _ Fault) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // RST instead of FIN
	}
	_ = conn.Close()
}

func redirect(w http.ResponseWriter, _ *http.Request, e endpoint, _ Fault) {
	w.Header().Set("Location", e.elsewhere)
	w.WriteHeader(http.StatusFound)
}

func empty(w http.ResponseWriter, _ *http.Request, e endpoint, _ Fault) {
	writeJSON(w, http.StatusOK, e.empty)
}

func wrongIssuer(w http.ResponseWriter, _ *http.Request, e endpoint, _ Fault) {
	a := e.answer()
	var wrong map[string]any
	if err := json.Unmarshal(a.Bytes(), &wrong); err != nil {
		panic(err) // the document is of the issuer's own making
	}
	wrong["issuer"] = "https://elsewhere.example/"
	writeJSON(w, http.StatusOK, wrong)
}
