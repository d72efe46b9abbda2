package inspect

import (
	"net/url"
	"strings"
)

// difference says in which of the common ways two issuers differ, or "" where
// it is none of them. It repeats neither.
func difference(wanted, found string) string {
	slashed := func(s string) string { return strings.TrimSuffix(s, "/") }
	w, errWanted := url.Parse(wanted)
	f, errFound := url.Parse(found)
	switch {
	case wanted == found || found == "" || errWanted != nil || errFound != nil:
		return ""
	case slashed(wanted) == slashed(found):
		return "they differ only by the slash at the end"
	case strings.EqualFold(slashed(wanted), slashed(found)):
		return "they differ by capital letters"
	case f.Host == "" && strings.EqualFold(slashed(w.Host+w.Path), slashed(found)):
		return "they differ by https:// before the name"
	case w.Scheme != f.Scheme && strings.EqualFold(slashed(w.Host+w.Path), slashed(f.Host+f.Path)):
		return "they differ by http and https"
	case strings.EqualFold(w.Host, f.Host):
		return "they differ by their paths"
	case isAuth0(w.Hostname()) && isAuth0(f.Hostname()):
		if firstLabel(w.Hostname()) == firstLabel(f.Hostname()) {
			return "they are Auth0 tenants of one name in two regions"
		}
		return "they are two Auth0 tenants"
	case isAuth0(w.Hostname()) != isAuth0(f.Hostname()) && slashed(w.Path) == "" && slashed(f.Path) == "":
		return "one is an Auth0 tenant's own domain and the other may be its custom domain"
	}
	return ""
}

func firstLabel(host string) string {
	label, _, _ := strings.Cut(strings.ToLower(host), ".")
	return label
}
