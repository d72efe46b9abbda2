package browsertest_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// witness stands between the gateway and the upstream and counts what reaches
// the application, path by path: browsers ask for icons of their own accord.
type witness struct {
	server *httptest.Server

	mu      sync.Mutex
	reached map[string]int // by host and path
}

func startWitness(upstream string) (*witness, error) {
	next, err := forward(upstream)
	if err != nil {
		return nil, err
	}
	w := &witness{reached: map[string]int{}}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.reached[r.Host+r.URL.Path]++
		w.mu.Unlock()
		next.ServeHTTP(rw, r)
	}))
	return w, nil
}

// node is its host and port, as a route names it.
func (w *witness) node() string { return strings.TrimPrefix(w.server.URL, "http://") }

// saw is how many requests for a path reached the application.
func (w *witness) saw(a *app, path string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reached[a.host()+path]
}
