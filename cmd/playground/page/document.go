package page

import (
	"bytes"
	"crypto/rand"
	"embed"
	"errors"
	"html"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// built is what make page puts there: nothing where Node.js is missing, and then
// unbuilt takes its place.
//
//go:embed all:web/dist
var built embed.FS

//go:embed unbuilt.html
var unbuilt []byte

// document is the page and the files that it loads.
type document struct {
	files fs.FS
	index []byte
}

func readDocument() (*document, error) {
	files, err := fs.Sub(built, "web/dist")
	if err != nil {
		return nil, err
	}
	index, err := fs.ReadFile(files, "index.html")
	if errors.Is(err, fs.ErrNotExist) {
		return &document{files, unbuilt}, nil
	}
	return &document{files, index}, err
}

// serve writes the document with the token, and a nonce that no other load of it
// has. It is at one name alone: the session's cookies of the gateway, which is at
// 127.0.0.1, are not sent to localhost.
func (d *document) serve(s *Server) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Host != s.addr {
			http.Redirect(w, r, s.URL(), http.StatusTemporaryRedirect)
			return
		}
		nonce := rand.Text()
		w.Header().Set("Content-Security-Policy", policy(nonce))
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		site := s.opt.Bench.Site()
		filled := d.index
		for mark, value := range map[string]string{
			"__PLAYGROUND_TOKEN__": s.token, "__STYLE_NONCE__": nonce, "__GATEWAY__": site.Gateway, "__ISSUER__": site.Issuer,
		} {
			filled = bytes.ReplaceAll(filled, []byte(mark), []byte(html.EscapeString(value)))
		}
		_, _ = w.Write(filled) // an error is the browser gone
	}
}

// types are the files that a page may have; no other is served.
var types = map[string]string{
	".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
	".woff2": "font/woff2", ".png": "image/png", ".ico": "image/x-icon", ".txt": "text/plain; charset=utf-8",
}

// serveFile serves what the document loads.
func (d *document) serveFile(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	kind := types[path.Ext(name)]
	data, err := fs.ReadFile(d.files, name)
	if err != nil || kind == "" {
		fail(w, http.StatusNotFound, "There is nothing at this path.")
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(data)
}
