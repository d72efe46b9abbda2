package inspect

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// holder is a configuration with login, and the routes that it judges.
type holder struct {
	*Entry
	routes []*resource
}

// holders are the configurations with login that have no errors, each once.
func (r *Report) holders() (all []*holder) {
	of := map[int]*holder{}
	for i := range r.Entries {
		if e := &r.Entries[i]; e.Config != nil && e.Config.Login != nil {
			of[i] = &holder{Entry: e}
			all = append(all, of[i])
		}
	}
	for _, about := range r.resources {
		if about.kind != "routes" {
			continue
		}
		entries, _ := r.governing(about)
		for _, i := range entries {
			if h := of[i]; h != nil {
				h.routes = append(h.routes, about)
			}
		}
	}
	return all
}

// at is the spot of a key of login.
func (h *holder) at(keys ...string) spot {
	path := "$.login"
	for _, key := range keys {
		path += "." + key
	}
	return spot{h.Input, h.Path + strings.TrimPrefix(path, "$"), h.where(path)}
}

// sharesWith reports whether a browser has one cookie for both.
func (h *holder) sharesWith(other *holder) bool {
	a, b := h.Config.Login, other.Config.Login
	return a.Session.Cookie == b.Session.Cookie && a.Origin == b.Origin
}

// sameLogin reports whether a session of one is one of the other, and a login
// begun at one may end at the other.
func (h *holder) sameLogin(other *holder) bool {
	return h.Config.Login.Digest == other.Config.Login.Digest && h.Config.Issuers[0].Issuer == other.Config.Issuers[0].Issuer
}

// sharedSessions warns of configurations that share a session's cookie and
// differ in how they use it.
func (r *Report) sharedSessions() {
	all := r.holders()
	for i, h := range all {
		for _, before := range all[:i] {
			if !h.sharesWith(before) {
				continue
			}
			if differs := differences(before.Entry, h.Entry); len(differs) > 0 {
				r.warn(h.at(), fmt.Sprintf("it shares the cookie %s at %s with %s, and differs from it in %s; %s",
					h.Config.Login.Session.Cookie, h.Config.Login.Origin, before.named(h.Input), strings.Join(differs, ", "), consequence(before.Config, h.Config)))
				break
			}
		}
	}
}

// named is where a configuration is, for a finding of a document.
func (h *holder) named(input string) string {
	if h.Input == input {
		return h.Path
	}
	return h.Path + " of " + h.Input
}

// differences are the paths of the keys that should be the same where a session
// is shared, without what they say.
func differences(a, b *Entry) (paths []string) {
	one, _ := readJSON(a.Raw)
	two, _ := readJSON(b.Raw)
	paths = differing("login", one.get("login"), two.get("login"))
	if a.Config.Login.Digest == b.Config.Login.Digest {
		paths = nil // but for how they are written
	}
	if a.Config.Issuers[0].Issuer != b.Config.Issuers[0].Issuer {
		paths = append(paths, "issuer")
	}
	if a.Config.Login.Audience != b.Config.Login.Audience {
		paths = append(paths, "audience")
	}
	return paths
}

func differing(path string, a, b *node) (paths []string) {
	if a == nil || b == nil || a.kind != object || b.kind != object {
		if same(a, b) {
			return nil
		}
		return []string{path}
	}
	for _, m := range a.members {
		paths = append(paths, differing(child(path, m.name), m.node, b.get(m.name))...)
	}
	for _, m := range b.members {
		if a.get(m.name) == nil {
			paths = append(paths, child(path, m.name))
		}
	}
	return paths
}

// same reports whether two values are, the order of members aside.
func same(a, b *node) bool {
	if a == nil || b == nil || a.kind != b.kind {
		return a == b
	}
	switch a.kind {
	case text:
		return a.text == b.text
	case list:
		return slices.EqualFunc(a.elements, b.elements, same)
	case object:
		return len(differing("", a, b)) == 0
	}
	return a.scalar == b.scalar
}

// consequence is what comes of two that differ.
func consequence(a, b *config.Config) string {
	one, two := a.Login, b.Login
	switch {
	case one.ClientID != two.ClientID || a.Issuers[0].Issuer != b.Issuers[0].Issuer:
		return "each takes the other's session for none and deletes it, so that people log in again and again: give one of them another session.cookie, or both the same login"
	case one.Session.Redis != two.Session.Redis:
		return "neither finds the other's session: give both the same login"
	case one.Audience != two.Audience || one.JudgeIDToken != two.JudgeIDToken:
		return "a session that began at one has no token that the other takes: give one of them another session.cookie, or both the same"
	}
	return "what a session may do then depends on where it began: give both the same login"
}

// own is a path that login answers itself.
type own struct {
	key, path string
	methods   []string // of which the route must take one
}

func ownPaths(l *config.Login) []own {
	all := []own{
		{"redirect_uri", l.CallbackPath, []string{http.MethodGet}},
		{"login_path", l.LoginPath, []string{http.MethodGet, http.MethodHead}},
		{"logout_path", l.LogoutPath, []string{http.MethodGet, http.MethodPost}},
		{"backchannel_logout_path", l.BackchannelLogoutPath, []string{http.MethodPost}},
	}
	return slices.DeleteFunc(all, func(o own) bool { return o.path == "" })
}

// ownPathsAreRouted warns of paths of login that come to no route with the same
// login, or to one that does not take their method. One finding is enough for
// all configurations that have one login.
func (r *Report) ownPathsAreRouted() {
	all := r.holders()
	for i, h := range all {
		if slices.ContainsFunc(all[:i], h.sameLogin) {
			continue
		}
		var routes []*resource
		for _, other := range all[i:] {
			if h.sameLogin(other) {
				routes = append(routes, other.routes...)
			}
		}
		if len(routes) > 0 {
			r.ownPathsOf(h, routes)
		}
	}
}

func (r *Report) ownPathsOf(h *holder, routes []*resource) {
	l := h.Config.Login
	origin, err := url.Parse(l.Origin)
	if err != nil {
		return // config made it of a URL
	}
	for _, o := range ownPaths(l) {
		got := slices.DeleteFunc(slices.Clone(routes), func(about *resource) bool { return !r.reachOf(about).gets(origin.Hostname(), o.path) })
		switch takes := func(about *resource) bool { return r.reachOf(about).takes(o.methods...) }; {
		case len(got) == 0:
			r.warn(h.at(o.key), fmt.Sprintf("no route here with this login gets %s of %s: %s; let the uri, uris and hosts of one route with the same login match it",
				o.path, l.Origin, unrouted[o.key]))
		case !slices.ContainsFunc(got, takes):
			at, _ := got[0].member(got[0].node, "methods")
			r.warn(at, fmt.Sprintf("%s of login, %s, needs %s", o.key, o.path, strings.Join(o.methods, " or ")))
		}
	}
}

// unrouted is what comes of a path that no route gets.
var unrouted = map[string]string{
	"redirect_uri":            "logins cannot end",
	"login_path":              "it starts no login",
	"logout_path":             "nobody can log out",
	"backchannel_logout_path": "the issuer's logouts do not arrive",
}

// pagesAreAskedFor warns of routes that would send browsers to log in and take
// no request that is sent there.
func (r *Report) pagesAreAskedFor() {
	for _, h := range r.holders() {
		for _, about := range h.routes {
			if h.Config.UnauthAction == config.UnauthAuth && !r.reachOf(about).takes(http.MethodGet, http.MethodHead) {
				at, _ := about.member(about.node, "methods")
				r.warn(at, `nobody is sent to log in here: unauth_action "auth" sends GET and HEAD only, and the route takes neither; everything else gets 401`)
			}
		}
	}
}
