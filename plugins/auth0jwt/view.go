package auth0jwt

import (
	"context"
	"net/http"
	"sync"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inplace"
)

// views are used again: a decision keeps nothing of a view.
var views = sync.Pool{New: func() any { return &frameView{} }}

// newView shows a request to the gate: in place where the runner can, and else
// from the runner's map.
func newView(r pkgHTTP.Request) gate.Request {
	if f, ours := r.(inplace.View); ours {
		if n, stands := f.Frame(); stands {
			return frameViewOf(f, n)
		}
	}
	return &mapView{view: view{r}}
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
func (v view) Edit(e identity.Edits) error     { return apply(e, v.r) }
func (v view) PathBytes() []byte               { return v.r.Path() }

func (v view) AddResponseHeader(name, value string) { v.r.RespHeader().Add(name, value) }

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

// frameView is the entries of a frame, where they are.
type frameView struct {
	view
	f inplace.View
	n int
}

// frameViewOf takes a view from the pool; its release puts it back.
func frameViewOf(f inplace.View, n int) *frameView {
	v, _ := views.Get().(*frameView)
	v.view, v.f, v.n = view{f}, f, n
	return v
}

func (v *frameView) HeadersShown() int        { return v.n }
func (v *frameView) NumHeader() int           { return v.n }
func (v *frameView) PathBytes() []byte        { return v.f.FramePath() }
func (v *frameView) HeaderName(i int) []byte  { return v.f.FrameName(i) }
func (v *frameView) HeaderValue(i int) string { return v.f.FrameValue(i) }

// release lets go of the request, so that the view can serve the next.
func (v *frameView) release() {
	v.view, v.f, v.n = view{}, nil, 0
	views.Put(v)
}

// mapView is the runner's map as a list: one entry per value. shown is how many
// there were before other plugins changed the map.
type mapView struct {
	view
	read    bool
	headers []mapHeader
	shown   int
}

// all reads the map when it is first asked for, which is inside the gate's net.
func (v *mapView) all() *mapView {
	if v.read {
		return v
	}
	v.read = true
	for name, values := range v.r.Header().View() {
		for _, value := range values {
			v.headers = append(v.headers, mapHeader{[]byte(name), value})
		}
	}
	if f, ours := v.r.(inplace.View); ours {
		v.shown, _ = f.Frame()
	} else {
		v.shown = max(len(v.headers), entries(received(v.r)))
	}
	return v
}

type mapHeader struct {
	name  []byte
	value string
}

func (v *mapView) HeadersShown() int        { return v.all().shown }
func (v *mapView) NumHeader() int           { return len(v.all().headers) }
func (v *mapView) HeaderName(i int) []byte  { return v.all().headers[i].name }
func (v *mapView) HeaderValue(i int) string { return v.all().headers[i].value }
