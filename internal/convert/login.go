package convert

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// The tokens that a session's policy may judge.
const (
	accessToken = "access_token"
	idToken     = "id_token"
)

// subject writes the audience and says which token is judged. openid-connect
// judges the ID token of a session; where scopes are asked for, or the session
// is for an API, it is the access token.
func (d *draft) subject(m mode) string {
	c := d.conf
	v := c.object("claim_validator").object("audience")
	matched := m.bearer() && v.flag("match_with_client_id", false) && v.textOr("claim", "aud") == "aud"
	requested := ""
	if m.sessions {
		requested = c.object("authorization_params").text("audience")
	}
	switch {
	case m.sessions && requested == "" && !c.has("required_scopes") && (matched || !m.bearer()):
		return idToken
	case requested != "" && matched:
		d.problem("claim_validator.audience.match_with_client_id", "bearer tokens are for the client, and those of sessions for authorization_params.audience: two routes can have one each")
	case requested != "":
		d.out.set("audience", requested)
	case matched:
		d.out.set("audience", c.text("client_id"))
	case len(d.opt.Audience) == 0:
		d.problem("audience", "openid-connect takes tokens for any audience here, and auth0-jwt wants to know it: name the API's identifier by --audience")
	default:
		d.audience()
		d.stricter("audience", "tokens for other audiences are refused")
	}
	return accessToken
}

// audience is that of the options.
func (d *draft) audience() {
	if len(d.opt.Audience) == 1 {
		d.out.set("audience", d.opt.Audience[0])
	} else {
		d.out.set("audience", d.opt.Audience)
	}
}

// login is the key login.
func (d *draft) login(subject string) members {
	c, l := d.conf, members{}
	l.set("client_id", c.text("client_id"))
	d.client(&l)
	callback := d.redirectURI()
	l.set("redirect_uri", callback)
	l.set("scope", d.loginScope())
	if subject == idToken {
		l.set("subject_token", subject)
	}
	if c.flag("set_access_token_header", true) && c.flag("access_token_in_authorization_header", false) {
		l.set("forward_access_token", true)
	}
	d.authorizationParams(&l)
	d.pushed(&l)
	if u, err := url.Parse(callback); err == nil && u.Path != "" {
		l.set("login_path", strings.TrimSuffix(u.Path, "/")+"/login")
	}
	if logout := c.textOr("logout_path", "/logout"); logout != "/logout" {
		l.set("logout_path", logout)
	}
	d.afterLogout(&l)
	l.set("session", d.session())
	d.lost("session", "people log in once more: no session of openid-connect can be read")
	d.stricter("session", "a session ends with the token that is judged, unless it has a refresh token; issuers give one for the scope offline_access")
	if subject == idToken && c.flag("renew_access_token_on_expiry", true) {
		d.lost("renew_access_token_on_expiry", "a session is renewed at the issuer when its ID token expires, and no longer when its access token does: keep the issuer's ID tokens as short, or absolute_timeout")
	}
	d.flow()
	return l
}

func (d *draft) client(l *members) {
	c := d.conf
	method := c.textOr("token_endpoint_auth_method", "client_secret_basic")
	name := c.text("client_id")
	switch {
	case method == "private_key_jwt" && c.text("client_rsa_private_key") != "":
		l.set("client_private_key", d.secret(c, d.holder.Object, "client_rsa_private_key", "CLIENT_KEY_"+name, false))
		if c.has("client_rsa_private_key_id") {
			d.lost("client_rsa_private_key_id", "the assertion names no kid; the issuer has to know one key of the client")
		}
		d.assertion()
	case c.text("client_secret") != "":
		l.set("client_secret", d.secret(c, d.holder.Object, "client_secret", "CLIENT_SECRET_"+name, false))
		if method == "client_secret_jwt" {
			d.lost("token_endpoint_auth_method", "the secret is sent as client_secret_basic or client_secret_post, as discovery says")
		}
	}
}

func (d *draft) assertion() {
	for _, key := range []string{"client_jwt_assertion_alg", "client_jwt_assertion_audience"} {
		if d.conf.has(key) {
			d.lost(key, "the assertion is signed with RS256, ES256 or EdDSA by the key's kind, for the issuer")
		}
	}
	if d.conf.number("client_jwt_assertion_expires_in", 60) != 60 {
		d.lost("client_jwt_assertion_expires_in", "the assertion lives 60 s")
	}
}

// redirectURI is the callback. Nothing here is guessed from a request's Host.
func (d *draft) redirectURI() string {
	uri := d.conf.text("redirect_uri")
	relative := uri == "" || strings.HasPrefix(uri, "/")
	switch host := d.onlyHost(); {
	case relative && d.opt.RedirectURI != "":
		return d.opt.RedirectURI
	case !relative:
		return uri
	case uri != "" && host != "":
		d.todo("redirect_uri", "https and the route's host are put before it; the issuer has to know https://"+host+uri+" as a callback, or --redirect-uri says another")
		return "https://" + host + uri
	}
	d.problem("redirect_uri", "openid-connect makes it of each request's host and path: name one callback, of this route and known to the issuer, by --redirect-uri")
	return ""
}

// onlyHost is the one host of a route; "" is none or several.
func (d *draft) onlyHost() string {
	var hosts []string
	if host := d.holder.members.text("host"); host != "" {
		hosts = []string{host}
	} else if json.Unmarshal(d.holder.members.get("hosts"), &hosts) != nil {
		return ""
	}
	if len(hosts) != 1 || strings.Contains(hosts[0], "*") {
		return ""
	}
	return hosts[0]
}

func (d *draft) loginScope() string {
	scopes := strings.Fields(d.conf.textOr("scope", "openid"))
	if !slices.Contains(scopes, "openid") {
		scopes = append([]string{"openid"}, scopes...)
	}
	return strings.Join(scopes, " ")
}

// flowParams are those that login sets itself.
var flowParams = []string{
	"client_id", "client_secret", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri",
}

func (d *draft) authorizationParams(l *members) {
	given := d.conf.object("authorization_params")
	params := members{}
	for _, name := range slices.Sorted(maps.Keys(given.members)) {
		if name == "audience" {
			continue // of the configuration
		}
		if slices.Contains(flowParams, name) {
			d.lost("authorization_params."+name, "login sets it itself")
			continue
		}
		switch v := given.members[name].(type) {
		case string:
			params.set(name, v)
		case json.Number:
			params.set(name, v.String())
		case bool:
			params.set(name, string(encode(v)))
		default:
			d.problem("authorization_params."+name, "want a string")
		}
	}
	if len(params) > 0 {
		l.set("authorization_params", params)
	}
}

func (d *draft) pushed(l *members) {
	par := d.conf.object("par")
	if !par.flag("enabled", false) {
		return
	}
	l.set("pushed_authorization_requests", true)
	if par.has("endpoint") {
		d.lost("par.endpoint", "the endpoint is that of the discovery document")
	}
}

func (d *draft) afterLogout(l *members) {
	switch after := d.conf.text("post_logout_redirect_uri"); {
	case after == "":
	case strings.HasPrefix(after, "/"):
		d.lost("post_logout_redirect_uri", "it has to be absolute: write it with scheme and host")
	default:
		l.set("post_logout_redirect_uri", after)
	}
}
