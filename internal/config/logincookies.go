package config

import (
	"slices"
	"strconv"
	"strings"
)

// transactionCookie is the name of the cookies that stand for a login under
// way, less their slot.
const transactionCookie = "auth0_txn_"

// TransactionSlots is how many logins one browser may have under way.
const TransactionSlots = 5

// hostPrefix makes browsers hold a cookie to its host, https and all paths
// (draft-ietf-httpbis-rfc6265bis section 4.1.3.2).
const hostPrefix = "__Host-"

// securePrefixes are those that browsers take over https only.
var securePrefixes = []string{"__host-", "__secure-", "__http-"}

// prefix is what the names of the flow's own cookies begin with: a browser takes
// no __Host- cookie over plain http.
func (l *Login) prefix() string {
	if l.Insecure {
		return ""
	}
	return hostPrefix
}

// TransactionCookies are the names of the cookies that stand for a login under
// way, by slot.
func (l *Login) TransactionCookies() (names [TransactionSlots]string) {
	for slot := range names {
		names[slot] = l.prefix() + transactionCookie + strconv.Itoa(slot)
	}
	return names
}

// SessionCookies are the names of the cookies that a session may need.
func (l *Login) SessionCookies() [2]string {
	return [2]string{l.Session.Cookie, l.Session.Cookie + "_1"}
}

// OwnHostSetsTheSession reports whether browsers take the session's cookie from
// its own host alone. Any other name can be set by every host below the same
// domain.
func (l *Login) OwnHostSetsTheSession() bool {
	return strings.HasPrefix(l.Session.Cookie, hostPrefix)
}

// CookieNames are the names of all cookies of login, none of which is for the
// upstream.
func (l *Login) CookieNames() []string {
	session, transactions := l.SessionCookies(), l.TransactionCookies()
	return slices.Concat(session[:], transactions[:])
}

const maxCookieName = 64

// sessionCookie reads session.cookie, once the origin is known.
func (o object) sessionCookie(l *Login) string {
	fallback := l.prefix() + "auth0_session"
	v, ok := o.get("cookie")
	if !ok {
		return fallback
	}
	name, ok := v.named("a cookie name (RFC 6265 section 4.1.1) of at most 64 characters", func(s string) bool {
		return isToken(s) && len(s) <= maxCookieName
	})
	if !ok {
		return fallback
	}
	lower := strings.ToLower(name)
	transactions := l.TransactionCookies()
	switch {
	case l.Insecure && slices.ContainsFunc(securePrefixes, func(p string) bool { return strings.HasPrefix(lower, p) }):
		v.refuse("a name without __Host-, __Secure- and __Http-: browsers take those over https only, and redirect_uri is http")
	case slices.Contains(transactions[:], name), slices.Contains(transactions[:], name+"_1"):
		v.refuse("another name: the cookies of a login under way have this one")
	}
	return name
}
