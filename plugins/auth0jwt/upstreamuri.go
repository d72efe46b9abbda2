package auth0jwt

import (
	"bytes"
	"errors"
	"strings"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"
)

var (
	errNoUpstreamURI = errors.New("a query argument has to be withheld, and APISIX did not say whether a plugin of its own wrote the upstream's URI")
	errPathChanges   = errors.New("a query argument has to be withheld from a URI that a plugin of APISIX wrote, and its path would change on the way")
)

// deleteArgs deletes query arguments. APISIX does not do that by itself where a
// plugin of its own, such as proxy-rewrite before ext-plugin-post-req, wrote
// the variable upstream_uri: the upstream then gets what that holds, arguments
// included, unless the runner sends a path. APISIX encodes that path, adds the
// arguments that are left, and writes upstream_uri anew.
func deleteArgs(names []string, r pkgHTTP.Request) error {
	if len(names) == 0 {
		return nil
	}
	uri, err := r.Var("upstream_uri")
	if err != nil {
		return errNoUpstreamURI
	}
	shown, _, hasArgs := bytes.Cut(uri, []byte("?"))
	if now := r.Path(); hasArgs && bytes.Equal(shown, now) {
		path, exact := pathFor(shown)
		if !exact {
			return errPathChanges
		}
		r.SetPath(path)
	} else if hasArgs && len(now) == 0 {
		return errPathChanges
	} // else: a plugin before this one set another path, which is sent already
	args := r.Args()
	for _, name := range names {
		delete(args, name)
	}
	return nil
}

// pathFor finds the path that APISIX encodes to what is written in a URI.
// exact is false where there is none, or where it is empty, which no Rewrite
// can say.
func pathFor(written []byte) (path []byte, exact bool) {
	path = make([]byte, 0, len(written))
	for i := 0; i < len(written); i++ {
		c := written[i]
		switch {
		case c != '%':
			if encodedInPath(c) {
				return nil, false
			}
		case i+2 >= len(written):
			return nil, false
		default:
			high, low := strings.IndexByte(upperHex, written[i+1]), strings.IndexByte(upperHex, written[i+2])
			if high < 0 || low < 0 {
				return nil, false
			}
			if c = byte(high<<4 | low); !encodedInPath(c) {
				return nil, false
			}
			i += 2
		}
		path = append(path, c)
	}
	return path, len(path) > 0
}

const upperHex = "0123456789ABCDEF"

// encodedInPath reports whether core.utils.uri_safe_encode of APISIX 3 writes a
// byte of a path as %XX: ngx_escape_uri does, since nginx 1.21.1.
func encodedInPath(c byte) bool {
	return c <= ' ' || c >= 0x7f || strings.IndexByte("\"#%<>?\\^`{|}", c) >= 0
}
