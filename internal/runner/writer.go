package runner

import (
	"net/http"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// responseWriter collects a plugin's own answer to the client. Writing to it
// ends the chain of plugins.
type responseWriter struct {
	header http.Header
	body   []byte
	status int
	wrote  bool
}

var _ http.ResponseWriter = (*responseWriter)(nil)

func (w *responseWriter) begin() { *w = responseWriter{} }

func (w *responseWriter) Header() http.Header {
	if w.header == nil {
		w.header = http.Header{}
	}
	return w.header
}

func (w *responseWriter) Write(b []byte) (int, error) {
	w.wrote = true
	w.body = append(w.body, b...)
	return len(b), nil
}

// WriteHeader sets the status; the first call counts.
func (w *responseWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *responseWriter) written() bool { return w.wrote || w.status != 0 }

func (w *responseWriter) stop(s *a6.Stop) {
	*s = a6.Stop{Status: uint16(w.status), Headers: s.Headers[:0], Body: w.body}
	if w.status == 0 {
		s.Status = http.StatusOK
	}
	if w.status < 0 || w.status > 999 {
		// No HTTP status: what the plugin meant is not known.
		*s = denied()
		return
	}
	for _, name := range sortedNames(w.header) {
		for _, v := range w.header[name] {
			s.Headers = append(s.Headers, a6.Entry{Name: name, Value: v, HasValue: true})
		}
	}
}
