package auth0jwt

import (
	"context"
	"errors"
	"net/http"
	"sync"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
)

var (
	errPanic    = errors.New("reading the configuration panicked")
	errNoPolicy = errors.New("the runner gave a configuration that is not this plugin's")
)

// frame is what the requests of our own engine offer beside pkg/http.Request:
// the entries as they came, and headers whose every change is sent.
type frame interface {
	pkgHTTP.Request
	Frame() (headers int, stands bool)
	FrameName(i int) []byte
	FrameValue(i int) string
}

// frameViews are reused: a decision keeps nothing of a view.
var frameViews = sync.Pool{New: func() any { return &frameView{stripe: stripes.Add(1) % numStripes} }}

// newView shows a request to the policy: in place where the runner can, with
// the memory given, and else from the runner's map.
func newView(r pkgHTTP.Request, memory *frameView) policy.Request {
	f, ours := r.(frame)
	if ours {
		if n, stands := f.Frame(); stands {
			memory.view, memory.f, memory.n = view{f}, f, n
			return memory
		}
	}
	m := &mapView{view: view{r}}
	for name, values := range r.Header().View() {
		for _, value := range values {
			m.headers = append(m.headers, mapHeader{[]byte(name), value})
		}
	}
	if ours {
		m.shown, _ = f.Frame()
	} else {
		m.shown = max(len(m.headers), entries(received(r)))
	}
	return m
}

// entries counts the values of every name.
func entries(headers http.Header) (n int) {
	for _, values := range headers {
		n += len(values)
	}
	return n
}

// view is what both ways share.
type view struct{ r pkgHTTP.Request }

func (v view) Method() string                  { return v.r.Method() }
func (v view) Args(name string) []string       { return v.r.Args()[name] }
func (v view) Query() map[string][]string      { return v.r.Args() }
func (v view) Path() string                    { return string(v.r.Path()) }
func (v view) Var(name string) ([]byte, error) { return v.r.Var(name) }

func (v view) IP() string {
	if ip := v.r.SrcIP(); len(ip) > 0 {
		return ip.String()
	}
	return ""
}

func (v view) Context() context.Context {
	if ctx := v.r.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

type frameView struct {
	view
	f      frame
	n      int
	stripe uint32 // of the counts
}

func (v *frameView) HeadersShown() int        { return v.n }
func (v *frameView) NumHeader() int           { return v.n }
func (v *frameView) HeaderName(i int) []byte  { return v.f.FrameName(i) }
func (v *frameView) HeaderValue(i int) string { return v.f.FrameValue(i) }

// release lets go of the request, so that the view can serve the next.
func (v *frameView) release() {
	v.view, v.f, v.n = view{}, nil, 0
	frameViews.Put(v)
}

// mapView is the runner's map as a list: one entry per value. shown is how many
// there were before other plugins changed the map.
type mapView struct {
	view
	headers []mapHeader
	shown   int
}

type mapHeader struct {
	name  []byte
	value string
}

func (v *mapView) HeadersShown() int        { return v.shown }
func (v *mapView) NumHeader() int           { return len(v.headers) }
func (v *mapView) HeaderName(i int) []byte  { return v.headers[i].name }
func (v *mapView) HeaderValue(i int) string { return v.headers[i].value }
