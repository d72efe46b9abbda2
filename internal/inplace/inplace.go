// Package inplace is the contract between a runner and a plugin that offers more
// than plugin.Plugin asks for: the view of a frame, the call that decides at
// once or declines, and the configuration that wants to be read again. It must
// not know what is decided, or how a frame arrives.
package inplace

import (
	"net/http"
	"time"

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
	// FramePath is Path, in place: it stands as long as the request and is not
	// changed.
	FramePath() []byte
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

// Retrier is what a ParseConf's value, or its error, may be as well: it says
// that it came out as it did for a reason outside the configuration's text,
// such as a file that is not there yet.
type Retrier interface {
	// RetryAfter is how long to wait before ParseConf is called again with the
	// same text, once a request needs the configuration; 0 or less is never.
	RetryAfter() time.Duration
}
