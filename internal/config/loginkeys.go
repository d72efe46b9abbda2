package config

import (
	"crypto/sha256"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
)

var loginKeys = []string{
	"client_id", "client_secret", "client_private_key", "redirect_uri", "scope", "subject_token", "forward_access_token",
	"authorization_params", "forward_params", "pushed_authorization_requests", "login_path", "logout_path",
	"post_logout_redirect_uri", "backchannel_logout_path", "session",
}

// flowParams are the parameters of an authorization request that the flow sets,
// or that would take the place of those it sets (RFC 9101).
var flowParams = []string{
	"client_id", "client_secret", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "audience", "request", "request_uri",
}

// clientParams are those that a client may be allowed to give.
var clientParams = []string{"organization", "invitation", "connection", "screen_hint", "ui_locales", "login_hint"}

const (
	maxParams     = 32
	maxParamValue = 1024
	maxPath       = 256
)

// unauthAction is deny where the configuration does not say, and auth where it
// has login.
func (o object) unauthAction() UnauthAction {
	v, given := o.get("unauth_action")
	_, login := o.get("login")
	if !given && login {
		return UnauthAuth
	}
	action := choose(o, "unauth_action",
		choice[UnauthAction]{"deny", UnauthDeny}, choice[UnauthAction]{"pass", UnauthPass}, choice[UnauthAction]{"auth", UnauthAuth})
	if action == UnauthAuth && !login {
		v.refuse(`"deny" or "pass"; "auth" sends browsers to log in, which needs login`)
	}
	return action
}

// idTokenClient is the client whose ID tokens the route judges; nil is none.
func (o object) idTokenClient() *string {
	v, _ := o.get("login")
	members, _ := v.json.(map[string]any)
	if members["subject_token"] != "id_token" {
		return nil
	}
	client, _ := members["client_id"].(string) // told to be missing when login is read
	return &client
}

// login reads the key login, after the rest of c.
func (o object) login(c *Config) *Login {
	v, ok := o.get("login")
	if !ok {
		for i, r := range c.Rules {
			if r.Expression != nil && r.Expression.NamesIDToken {
				o.r.warn(element(member(o.path, "rules"), i)+".expression", "id_token is always empty without login")
			}
		}
		return nil
	}
	v.hidden = true // what stands in its place may be a secret
	own, ok := v.object("an object with client_id, redirect_uri, session and maybe others")
	if !ok {
		return nil
	}
	own.hidden = false
	own.allow(loginKeys...)
	l := &Login{
		ClientID:            own.clientID(),
		Scope:               own.loginScope(),
		JudgeIDToken:        choose(own, "subject_token", choice[bool]{"access_token", false}, choice[bool]{"id_token", true}),
		ForwardAccessToken:  own.flag("forward_access_token", false),
		AuthorizationParams: own.authorizationParams(),
		ForwardParams:       own.forwardParams(),
		PushedRequests:      own.pushedRequests(),
		Digest:              digest(v.json),
	}
	own.clientCredentials(l)
	own.redirectURI(l)
	own.loginPaths(l)
	own.postLogoutRedirectURI(l)
	own.session(l)
	o.loginFits(c, l)
	return l
}

// digest is of a JSON value; the order of members makes no difference.
func digest(value any) [32]byte {
	text, err := json.Marshal(value)
	if err != nil { // what was parsed can be written: it cannot
		return [32]byte{}
	}
	return sha256.Sum256(text)
}

func (o object) clientID() string {
	const want = "the client id of the Auth0 application"
	v, ok := o.get("client_id")
	if !ok {
		o.r.refuse(v.path, "none", want)
		return ""
	}
	id, _ := v.named(want+": at most 255 printable ASCII characters", func(s string) bool { return len(s) <= 255 && isPrintableText(s) })
	return id
}

func (o object) clientCredentials(l *Login) {
	if given := o.given("client_secret", "client_private_key"); len(given) > 1 {
		o.r.refuse(o.path, either(given), "at most one of client_secret, client_private_key")
	}
	if v, ok := o.get("client_secret"); ok {
		l.ClientSecret = v.secret("a reference to the client's secret, "+secret.Form, secret.Options{Use: secret.CredentialUse})
	}
	if v, ok := o.get("client_private_key"); ok {
		const form = "a reference to a private key in PEM (RSA with at least 2048 bits, P-256 or Ed25519), " + secret.Form
		l.ClientPrivateKey = v.secret(form, secret.Options{Use: secret.CredentialUse})
		if l.ClientPrivateKey != nil && v.r.afford(v.path, workOfPrivateKey) && !isSigningKey(l.ClientPrivateKey) {
			v.r.refuseNow(v.path, kind(v.json), form+"; what it refers to is none")
		}
	}
}

func (o object) loginScope() string {
	v, ok := o.get("scope")
	if !ok {
		return "openid profile email"
	}
	const want = `scopes separated by single spaces, with "openid" among them`
	s, _ := v.named(want, func(s string) bool {
		all := strings.Split(s, " ")
		return len(s) <= maxParamValue && slices.Contains(all, "openid") &&
			!slices.ContainsFunc(all, func(one string) bool { return !isScopeToken(one) })
	})
	return s
}

func (o object) authorizationParams() map[string]string {
	v, ok := o.get("authorization_params")
	if !ok {
		return nil
	}
	v.hidden = true
	const want = "an object of parameter to text, with 1 to 32 of them"
	all, ok := v.object(want)
	if !ok {
		return nil
	}
	if len(all.members) > maxParams {
		v.refuse(want)
		return nil
	}
	params := map[string]string{}
	for _, name := range all.names() {
		p, _ := all.get(name)
		if !isToken(name) || slices.Contains(flowParams, name) {
			p.refuse("the name of a parameter that login does not set itself: not " + strings.Join(flowParams, ", "))
			continue
		}
		params[name], _ = p.named("a text of at most 1024 bytes, not empty, without control characters", func(s string) bool {
			return len(s) <= maxParamValue && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
		})
		if seconds, err := strconv.ParseUint(params[name], 10, 31); name == "max_age" && params[name] != "" && (err != nil || strconv.FormatUint(seconds, 10) != params[name]) {
			p.refuse("a number of seconds, as text")
		}
	}
	return params
}

func (o object) forwardParams() []string {
	v, ok := o.get("forward_params")
	if !ok {
		return nil
	}
	return v.texts("one of "+strings.Join(clientParams, ", "), func(s string) bool { return slices.Contains(clientParams, s) })
}

func (o object) pushedRequests() PushedRequests {
	if _, ok := o.get("pushed_authorization_requests"); !ok {
		return PushWhereRequired
	}
	if o.flag("pushed_authorization_requests", false) {
		return PushAlways
	}
	return PushNever
}

// redirectURI reads the callback. Its origin is the application's.
func (o object) redirectURI(l *Login) {
	const want = "the callback: an absolute https URL without user, query and fragment, such as https://app.example.com/callback"
	v, ok := o.get("redirect_uri")
	if !ok {
		o.r.refuse(v.path, "none", want)
		return
	}
	s, u := v.absolute(want, false)
	if u == nil {
		return
	}
	v.mustBeSecureOrigin(u)
	if port, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || port > 65535) || !comparableHost.MatchString(u.Host) {
		v.refuse("a host in ASCII that is not percent-encoded, and a port up to 65535")
	}
	if !isPlainPath(u.EscapedPath()) {
		v.refuse("a URL with a path of its own: " + pathForm)
	}
	l.RedirectURI, l.CallbackPath, l.Insecure = s, u.Path, u.Scheme == "http"
	host := strings.ToLower(u.Host)
	for scheme, port := range map[string]string{"https": ":443", "http": ":80"} {
		if u.Scheme == scheme {
			host = strings.TrimSuffix(strings.TrimSuffix(host, port), ":")
		}
	}
	l.Origin = u.Scheme + "://" + host
}

// mustBeSecureOrigin refuses http unless the operator allowed it.
func (v value) mustBeSecureOrigin(u *url.URL) {
	switch {
	case u.Scheme == "https":
	case v.r.opt.AllowInsecure:
		v.r.warn(v.path, "plain http: whoever is on the way can read codes and cookies, which have neither Secure nor __Host-")
	default:
		v.refuse("https; http only where the operator started the runner with --allow-insecure")
	}
}

func (o object) postLogoutRedirectURI(l *Login) {
	v, ok := o.get("post_logout_redirect_uri")
	if !ok {
		return
	}
	s, u := v.absolute(urlForm, true)
	switch {
	case u == nil:
	case u.Scheme != "https" && !v.r.opt.AllowInsecure:
		v.refuse("https; http only where the operator started the runner with --allow-insecure")
	}
	l.PostLogoutRedirectURI = s
}

const pathForm = `one "/" and then letters, digits and -._~!$&'()*+,;=:@/, without "//", "/./" and "/../", at most 256 characters`

// isPlainPath takes paths that every hop writes alike, so that one is recognised
// by its bytes.
func isPlainPath(s string) bool {
	rest, ok := strings.CutPrefix(s, "/")
	if !ok || rest == "" || len(s) > maxPath {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-._~!$&'()*+,;=:@/", rune(c)) {
			return false
		}
	}
	segments := strings.Split(rest, "/")
	for i, segment := range segments {
		if segment == "." || segment == ".." || segment == "" && i < len(segments)-1 {
			return false
		}
	}
	return true
}

// loginPaths reads the paths that login answers itself; no two may be one.
func (o object) loginPaths(l *Login) {
	read := func(key, fallback string) string {
		v, ok := o.get(key)
		if !ok {
			return fallback
		}
		path, _ := v.named(pathForm, isPlainPath)
		return path
	}
	l.LoginPath, l.LogoutPath = read("login_path", "/login"), read("logout_path", "/logout")
	l.BackchannelLogoutPath = read("backchannel_logout_path", "")
	taken := map[string]string{}
	for _, p := range []struct{ key, path string }{
		{"redirect_uri", l.CallbackPath}, {"login_path", l.LoginPath}, {"logout_path", l.LogoutPath}, {"backchannel_logout_path", l.BackchannelLogoutPath},
	} {
		if before, twice := taken[p.path]; twice && p.path != "" {
			o.r.refuse(member(o.path, p.key), quote(p.path), "another path than that of "+before)
		}
		taken[p.path] = p.key
	}
}

// NeedsIDToken reports whether a session has to keep its ID token.
func (c *Config) NeedsIDToken() bool {
	return c.Login != nil && c.Login.JudgeIDToken || c.ReadsIDToken()
}

// audienceOf is what the flow asks a token for.
func audienceOf(i Issuer, l *Login) string {
	if l.JudgeIDToken || len(i.Audience) == 0 {
		return ""
	}
	return i.Audience[0]
}
