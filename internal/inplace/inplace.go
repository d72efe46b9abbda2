// Package inplace is the contract between a runner and a plugin that can decide
// some requests at once: the view of a frame, and the call that may decline. It
// must not know what is decided, or how a frame arrives.
package inplace

import (
	"net/http"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"
	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
)

// View is a request in the frame that it came in. Every change of its headers
// is sent to APISIX as it was made.
type View interface {
	pkgHTTP.Request
	// Frame says how many header entries APISIX showed, and whether they still
	// stand: false once a plugin before this one changed a header.
	Frame() (headers int, stands bool)
	// FrameName is the name of header entry i as APISIX showed it. It stands
	// as long as the request and is not changed.
	FrameName(i int) []byte
	// FrameValue is the value of header entry i as APISIX showed it. It may be
	// kept.
	FrameValue(i int) string
}

// Plugin is a plugin that can decide some requests at once.
type Plugin interface {
	plugin.Plugin
	// FilterNow is RequestFilter where nothing has to be waited for and nothing
	// costly to be computed: no lock, no I/O, no question to APISIX, no
	// signature. Otherwise it is false, w and r are as they were, and the
	// runner calls RequestFilter where waiting is allowed.
	FilterNow(conf any, w http.ResponseWriter, r View) (done bool)
}
