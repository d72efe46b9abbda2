package dpop

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// ErrRequestURL means that the request's own URL cannot be compared with any
// other. A client causes it with a Host that is no host, or with a target that
// two readers would resolve differently.
var ErrRequestURL = errors.New("the request's Host or target is not one that a proof can be compared with")

// Request is what the gateway says of a request's URL. Host and target are the
// client's own text, and hostile.
type Request struct {
	Scheme    string // http or https
	Authority string // the header Host as it was sent, or a public host[:port]
	Host      string // the host that the gateway routed by, without a port; "" where it is not known
	Target    string // the request target (RFC 9112 section 3.2), with its query
}

// URL is a URL whose parts are normal (RFC 3986 sections 6.2.2 and 6.2.3) and
// stand apart, so that no text in one of them can pass for another. Query and
// fragment are not part of it. The zero URL is that of no request.
type URL struct{ scheme, host, port, path string }

// URL is the request's own URL as its client sees it. Every error is
// [ErrRequestURL].
func (r Request) URL() (URL, error) {
	own, ok := newURL(r.Scheme, r.Authority)
	if !ok || r.Host != "" && !own.routedBy(r.Host) || strings.Contains(r.Target, "#") {
		return URL{}, ErrRequestURL
	}
	path, _, _ := strings.Cut(r.Target, "?")
	if !strings.HasPrefix(path, "/") { // absolute form (RFC 9112 section 3.2.2)
		scheme, authority, rest, ok := split(path)
		absolute, fine := newURL(scheme, authority)
		if !ok || !fine || absolute != own {
			return URL{}, ErrRequestURL
		}
		path = rest
	}
	path, ok = encoded(path)
	if !ok || ambiguous(path) {
		return URL{}, ErrRequestURL
	}
	own.path = withoutDots(path)
	return own, nil
}

// parseURL reads htu.
func parseURL(htu string) (URL, bool) {
	htu, _, _ = strings.Cut(htu, "#")
	htu, _, _ = strings.Cut(htu, "?")
	scheme, authority, path, ok := split(htu)
	u, fine := newURL(scheme, authority)
	path, good := encoded(path)
	u.path = withoutDots(path)
	return u, ok && fine && good
}

// split takes a URL without query and fragment apart.
func split(s string) (scheme, authority, path string, ok bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		return scheme, rest[:slash], rest[slash:], ok
	}
	return scheme, rest, "", ok
}

// newURL is a URL still without a path.
func newURL(scheme, authority string) (URL, bool) {
	var defaultPort string
	switch scheme = strings.ToLower(scheme); scheme {
	case "http":
		defaultPort = "80"
	case "https":
		defaultPort = "443"
	}
	host, port, ok := parseAuthority(authority)
	if port == defaultPort {
		port = "" // so is an empty one (RFC 3986 section 6.2.3)
	}
	return URL{scheme: scheme, host: host, port: port}, ok && defaultPort != ""
}

// parseAuthority takes host[:port] and nothing else: no user, and no character
// that ends an authority or is read differently by different programs. Names
// are ASCII, and neither names nor addresses are percent-encoded.
func parseAuthority(s string) (host, port string, ok bool) {
	var rest string
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", "", false
		}
		address, err := netip.ParseAddr(s[1:end])
		if err != nil || !address.Is6() || address.Zone() != "" {
			return "", "", false
		}
		host, rest = "["+address.String()+"]", s[end+1:]
	} else {
		end := strings.IndexByte(s, ':')
		if end < 0 {
			end = len(s)
		}
		host, rest = strings.ToLower(s[:end]), s[end:]
		if host == "" || strings.ContainsFunc(host, func(c rune) bool { return c > '~' || !isUnreserved(byte(c)) }) {
			return "", "", false
		}
	}
	switch {
	case rest == "", rest == ":":
		return host, "", true
	case rest[0] != ':':
		return "", "", false
	}
	number, err := strconv.ParseUint(rest[1:], 10, 16)
	return host, strconv.FormatUint(number, 10), err == nil
}

// routedBy reports whether the gateway took the same host from the request.
// nginx takes that of an absolute-form target before that of Host, and drops a
// trailing dot.
func (u URL) routedBy(host string) bool {
	name, port, ok := parseAuthority(host)
	return ok && port == "" && strings.TrimSuffix(name, ".") == strings.TrimSuffix(u.host, ".")
}

// encoded is the path with what needs no encoding decoded, what does need it
// encoded, and all encodings in capitals. A path that is none is refused; so is
// a backslash, which many programs take for a slash.
func encoded(path string) (string, bool) {
	if path == "" {
		return "/", true
	}
	if path[0] != '/' {
		return "", false
	}
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '%':
			if i+2 >= len(path) {
				return "", false
			}
			n, err := strconv.ParseUint(path[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			i += 2
			if c = byte(n); isUnreserved(c) {
				b.WriteByte(c)
				continue
			}
		case c <= ' ', c == 0x7f, c == '\\', c == '?', c == '#':
			return "", false
		case isUnreserved(c), strings.IndexByte("/:@!$&'()*+,;=", c) >= 0:
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	return b.String(), true
}

func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// ambiguous reports whether a gateway may resolve the path's dot segments to
// another path than RFC 3986 does: nginx merges slashes and decodes %2F before
// it removes them, so that "/a//../b" is "/b" to it and "/a/b" to the standard.
func ambiguous(path string) bool {
	climbs := strings.Contains(path+"/", "/../")
	return climbs && (strings.Contains(path, "//") || strings.Contains(path, "%2F"))
}

// withoutDots is RFC 3986 section 5.2.4 for a path that starts with a slash.
func withoutDots(path string) string {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	var kept []string
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".", "..":
			if s == ".." && len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, s)
		}
	}
	return "/" + strings.Join(kept, "/")
}
