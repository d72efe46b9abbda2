package page

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// tryPrefix is where the route of the tries is, at the gateway.
const tryPrefix = "/try/"

const (
	maxTarget  = 4 << 10
	maxHeaders = 64
	maxHeader  = 7 << 10 // nginx takes a line of 8 KiB
)

// request is what a client sends.
type request struct {
	Method  string      `json:"method"`
	Path    string      `json:"path"` // with the query, as it is on the request line
	Headers [][2]string `json:"headers"`
}

// methods are those that the wire between APISIX and a runner has a code for, and
// that nginx lets through.
var methods = []string{
	"GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE", "OPTIONS", "PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "PATCH",
}

// hop are headers that say where a request goes and how it is framed. They are the
// playground's own: with them a try could reach another route, or hide a second
// request.
var hop = []string{
	"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect",
	"proxy-connection", "proxy-authorization", "proxy-authenticate", "http2-settings",
}

// validate says why a request cannot be sent.
func (r request) validate() error {
	if !slices.Contains(methods, r.Method) {
		return badCall("The method has to be one of %s.", strings.Join(methods, ", "))
	}
	if err := validTarget(r.Path); err != nil {
		return err
	}
	if len(r.Headers) > maxHeaders {
		return badCall("Send at most %d headers.", maxHeaders)
	}
	for _, h := range r.Headers {
		switch {
		case !validName(h[0]):
			return badCall("A header's name is made of letters, digits and - or _.")
		case slices.Contains(hop, strings.ReplaceAll(strings.ToLower(h[0]), "_", "-")):
			return badCall("The header %s is the playground's own to send.", strings.ToLower(h[0]))
		case !validValue(h[1]):
			return badCall("The value of %s has a line break or another control character.", strings.ToLower(h[0]))
		case len(h[0])+len(h[1]) > maxHeader:
			return badCall("The header %s is larger than %d KiB.", strings.ToLower(h[0]), maxHeader>>10)
		}
	}
	return nil
}

// validName reports whether nginx takes a header's name and does not drop it.
func validName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
	})
}

// validValue reports whether a value ends where its line ends.
func validValue(value string) bool {
	return !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}

// validTarget says why a path is none of the route's. The gateway resolves dots and
// slashes of the decoded path, and so does this.
func validTarget(target string) error {
	if len(target) > maxTarget {
		return badCall("The path is longer than %d KiB.", maxTarget>>10)
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c >= 0x7f {
			return badCall("Write the path in ASCII without spaces, such as %sorders?sort=date; %%20 is a space.", tryPrefix)
		}
	}
	raw, _, _ := strings.Cut(target, "?")
	raw, _, fragment := strings.Cut(raw, "#")
	decoded, err := url.PathUnescape(raw)
	if err != nil || fragment || strings.ContainsRune(decoded, 0) {
		return badCall("The path cannot be read: write %sorders, and %%23 for a #.", tryPrefix)
	}
	if !strings.HasPrefix(raw, tryPrefix) || !strings.HasPrefix(path.Clean(decoded)+"/", tryPrefix) {
		return badCall("The path has to stay below %s: that is where the route is.", tryPrefix)
	}
	return nil
}
