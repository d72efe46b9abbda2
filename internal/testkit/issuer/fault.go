package issuer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Fault is how an endpoint misbehaves until it is told otherwise.
type Fault struct {
	Path string `json:"path"` // jwks or discovery
	// Fault is one of:
	//   status        the status, without a body
	//   html          200 and a page
	//   truncated     half the document, and the connection ends
	//   endless       a document that never ends
	//   slow          one byte a second
	//   reset         the connection is reset (RST)
	//   redirect      302 to the good document elsewhere
	//   empty         a set without keys, or a discovery document without members
	//   wrong_issuer  discovery that names another issuer
	//   none          well again
	Fault  string `json:"fault"`
	Status int    `json:"status"` // for status, 200 to 599; 0 is 500
}

// behaviours are what Fault.Fault may be; nil is none.
var behaviours = map[string]func(http.ResponseWriter, *http.Request, endpoint, Fault){
	"none": nil, "status": status, "html": html, "truncated": truncated, "endless": endless,
	"slow": slow, "reset": reset, "redirect": redirect, "empty": empty, "wrong_issuer": wrongIssuer,
}

// endpoint is what a fault is done to.
type endpoint struct {
	document, empty map[string]any
	elsewhere       string // URL of the document behind a redirect
}

// SetFault makes an endpoint misbehave. The error names what is not known.
func (i *Issuer) SetFault(f Fault) error {
	if f.Path != "jwks" && f.Path != "discovery" {
		return fmt.Errorf("path: %q is unknown: give jwks or discovery", f.Path)
	}
	if _, known := behaviours[f.Fault]; !known {
		return fmt.Errorf("fault: %q is unknown: give one of %q", f.Fault, slices.Sorted(maps.Keys(behaviours)))
	}
	if f.Fault == "wrong_issuer" && f.Path != "discovery" {
		return fmt.Errorf("fault: wrong_issuer is one of discovery: a key set names no issuer")
	}
	if f.Status == 0 {
		f.Status = http.StatusInternalServerError
	}
	if f.Status < 200 || f.Status > 599 {
		return fmt.Errorf("status: %d is not within 200 to 599", f.Status)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.faults[f.Path] = f
	return nil
}

// answer writes an endpoint's document, or does its fault.
func (i *Issuer) answer(w http.ResponseWriter, r *http.Request, path string, e endpoint) {
	i.mu.Lock()
	f := i.faults[path]
	i.mu.Unlock()
	if misbehave := behaviours[f.Fault]; misbehave != nil {
		misbehave(w, r, e, f)
		return
	}
	writeJSON(w, http.StatusOK, e.document)
}

func status(w http.ResponseWriter, _ *http.Request, _ endpoint, f Fault) { w.WriteHeader(f.Status) }

func html(w http.ResponseWriter, _ *http.Request, _ endpoint, _ Fault) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte("<html><body>Down for maintenance</body></html>"))
}

func truncated(w http.ResponseWriter, _ *http.Request, e endpoint, _ Fault) {
	body := announce(w, e)
	_, _ = w.Write(body[:len(body)/2])
	_ = http.NewResponseController(w).Flush() // else nothing at all is sent
	panic(http.ErrAbortHandler)
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
	body, rest := announce(w, e), http.NewResponseController(w)
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
	wrong := maps.Clone(e.document)
	wrong["issuer"] = "https://elsewhere.example/"
	writeJSON(w, http.StatusOK, wrong)
}

// announce promises the whole document, which a fault then breaks.
func announce(w http.ResponseWriter, e endpoint) []byte {
	body, err := json.Marshal(e.document)
	if err != nil {
		panic(err) // documents are strings and lists of the issuer's own making
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	return body
}
