package dpop

import (
	"net/url"
	"strings"
)

// sameURL compares htu with the request's own URL as RFC 9449 section 4.3 asks:
// without query and fragment, after normalisation by syntax and scheme (RFC
// 3986 sections 6.2.2 and 6.2.3).
func sameURL(htu, own string) bool {
	a, ok := normal(htu)
	b, fine := normal(own)
	return ok && fine && a == b
}

func normal(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") { // IPv6
		host = "[" + host + "]"
	}
	defaultPort := map[string]string{"http": "80", "https": "443"}[u.Scheme] // url.Parse lowers it
	if defaultPort == "" {
		return "", false
	}
	if port := u.Port(); port != "" && port != defaultPort {
		host += ":" + port
	}
	return u.Scheme + "://" + host + withoutDots(unreserved(u.EscapedPath())), true
}

// unreserved decodes what needs no encoding and writes the rest of the
// encodings in capitals.
func unreserved(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b.WriteByte(path[i])
			continue
		}
		text, err := url.PathUnescape(path[i : i+3])
		if err == nil && isUnreserved(text[0]) {
			b.WriteString(text)
		} else {
			b.WriteString(strings.ToUpper(path[i : i+3]))
		}
		i += 2
	}
	return b.String()
}

func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// withoutDots is RFC 3986 section 5.2.4 for a path that starts with a slash,
// or is empty.
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
