package convert

import (
	"net"
	"regexp"
	"strconv"
)

// The timeouts of lua-resty-session where nothing else is said, in seconds.
const (
	idlingTimeout   = 900
	rollingTimeout  = 3600
	absoluteTimeout = 86400
	longest         = 365 * 24 * 3600 // of auth0-jwt
)

// session is the key session of login.
func (d *draft) session() members {
	old, s := d.conf.object("session"), members{}
	s.set("secret", d.sessionSecret())
	if old.textOr("storage", "cookie") == "redis" {
		s.set("store", "redis")
		d.redis(old.object("redis"))
	}
	if name := old.textOr("cookie_name", "session"); name != "session" {
		s.set("cookie", name)
	}
	d.cookie(old, &s)
	idle, absolute := d.timeouts(old)
	s.set("idle_timeout", idle)
	s.set("absolute_timeout", absolute)
	return s
}

// timeouts never let a session live longer than before. A session that nobody
// uses ends at the shorter of two timeouts there; 0 is none.
func (d *draft) timeouts(old source) (idle, absolute int64) {
	shorter := func(a, b int64) int64 {
		if b > 0 && (a <= 0 || b < a) {
			return b
		}
		return a
	}
	absolute = old.atLeast(0, "absolute_timeout", old.object("cookie").atLeast(0, "lifetime", absoluteTimeout))
	absolute = shorter(absolute, d.conf.atLeast(1, "refresh_session_interval", longest))
	if absolute = shorter(absolute, longest); absolute == longest {
		d.stricter("session.absolute_timeout", "a session ends after a year")
	}
	idle = shorter(old.atLeast(0, "idling_timeout", idlingTimeout), old.atLeast(0, "rolling_timeout", rollingTimeout))
	idle = shorter(idle, absolute)
	if d.conf.has("refresh_session_interval") {
		d.lost("refresh_session_interval", "it is absolute_timeout: after it the browser is sent to the issuer, which may let it pass without a page")
	}
	return idle, absolute
}

var plainHost = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)

// redis is for the runner. The password is not repeated.
func (d *draft) redis(r source) {
	scheme := "redis"
	if r.flag("ssl", false) {
		scheme = "rediss"
	}
	host, password := r.textOr("host", "127.0.0.1"), ""
	if r.text("password") != "" {
		password = ", with the user and the password that session.redis has"
	}
	if !plainHost.MatchString(host) { // whoever types this should not type that
		host, password = "HOST", ", with the host of session.redis"+password
	}
	address := net.JoinHostPort(host, strconv.FormatInt(r.number("port", 6379), 10))
	d.todo("session.redis", "start the runner with --redis-url "+scheme+"://"+address+"/"+strconv.FormatInt(r.number("database", 0), 10)+password)
	if r.flag("ssl", false) && !r.flag("ssl_verify", true) {
		d.stricter("session.redis.ssl_verify", "the certificate of Redis is verified")
	}
}

func (d *draft) cookie(old source, s *members) {
	switch old.text("cookie_same_site") {
	case "None":
		s.set("same_site", "none")
	case "Strict":
		d.lost("session.cookie_same_site", "it is Lax: the way back from the login page would lose a Strict cookie. Requests of other sites that are not safe are refused all the same")
	}
	if domain := old.text("cookie_domain"); domain != "" {
		d.stricter("session.cookie_domain", "a session is good at the host of redirect_uri only")
	}
	if path := old.textOr("cookie_path", "/"); path != "/" {
		d.lost("session.cookie_path", "the cookie is for every path of its host; a route takes only a session of its own login")
	}
	for _, key := range []string{"cookie_secure", "cookie_http_only"} {
		if !old.flag(key, true) {
			d.stricter("session."+key, "the cookie is always Secure and HttpOnly")
		}
	}
}

// sessionHeaders are those that a session had and has no more.
func (d *draft) sessionHeaders(subject string) {
	c := d.conf
	const instead = `name the claims that the upstream reads in claim_headers, with "from": "id_token"`
	if c.flag("set_userinfo_header", true) {
		d.lost("set_userinfo_header", "the userinfo endpoint is not asked; "+instead)
	}
	if subject == accessToken && c.flag("set_id_token_header", true) {
		d.lost("set_id_token_header", "X-ID-Token is not sent; "+instead)
	}
	if subject == accessToken && c.flag("set_raw_id_token_header", false) {
		d.lost("set_raw_id_token_header", "X-Raw-ID-Token is not sent; "+instead)
	}
	if c.flag("set_refresh_token_header", false) {
		d.lost("set_refresh_token_header", "no upstream gets a refresh token")
	}
	if subject == accessToken {
		d.stricter("session", "the session's access token is judged and no longer its ID token, so it has to be a JWT for the audience")
	}
}

// flow is what login does in its own way.
func (d *draft) flow() {
	c := d.conf
	if c.object("dpop").flag("enabled", false) {
		d.lost("dpop", "login asks for tokens that are not bound to a key; one that is bound is refused")
	}
	if c.flag("force_reauthorize", false) {
		d.problem("force_reauthorize", "no session lasts beyond a request, and auth0-jwt has no such sessions")
	}
	if c.number("access_token_expires_leeway", 0) != 0 {
		d.lost("access_token_expires_leeway", "a token is renewed when it has under 60 s left")
	}
	if c.has("access_token_expires_in") {
		d.lost("access_token_expires_in", "a token's own exp counts")
	}
}
