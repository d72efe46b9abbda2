package config

import (
	"net/url"
	"regexp"
	"strings"
)

var hostPort = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*(:[0-9]{1,5})?$`)

const (
	issuerForm = "an absolute https URL without user, query and fragment"
	urlForm    = "an absolute https URL without user and fragment"
)

// absolute reads an http or https URL and gives it byte for byte. The scheme
// must be in small letters: iss is compared byte for byte.
func (v value) absolute(want string, query bool) (string, *url.URL) {
	s, ok := v.text(want)
	if !ok {
		return "", nil
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || u.User != nil ||
		strings.Contains(s, "#") || (!query && strings.Contains(s, "?")) || !printable(s) || !strings.HasPrefix(s, u.Scheme+"://") {
		v.refuse(want)
		return "", nil
	}
	return s, u
}

// fetched reads a URL that keys or their whereabouts are fetched from.
func (v value) fetched() string {
	s, u := v.absolute(urlForm, true)
	if u != nil {
		v.mustBeSafe(u)
	}
	return s
}

// mustBeSafe refuses http unless the operator allowed it.
func (v value) mustBeSafe(u *url.URL) {
	switch {
	case u.Scheme == "https":
	case v.r.opt.AllowInsecure:
		v.r.warn(v.path, "plain http: whoever is on the way can replace the keys")
	default:
		v.refuse("https; http only where the operator started the runner with --allow-insecure")
	}
}

// isDomain takes a host name as Auth0 names tenants, with or without a port.
func isDomain(s string) bool {
	return len(s) <= 260 && hostPort.MatchString(s)
}

// printable is ASCII without spaces and control characters.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
