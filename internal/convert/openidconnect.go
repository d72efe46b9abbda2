package convert

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// openIDConnect converts the plugin openid-connect. How it behaves is that of
// APISIX 3.18 with lua-resty-openidc 1.9 and lua-resty-session 4.1.
func (d *draft) openIDConnect() {
	m := d.modeOf()
	d.introspection(m)
	d.issuer(m)
	subject := d.subject(m)
	d.algorithms(m)
	d.clockSkew()
	d.scopes(m)
	d.claimSchema(m)
	d.rules(m)
	d.identity(m, subject)
	if realm := d.conf.text("realm"); realm != "" && realm != "apisix" {
		d.out.set("realm", realm)
	}
	d.unauthenticated(m)
	if m.sessions {
		d.out.set("login", d.login(subject))
	}
	d.bearerHabits(m)
	d.network()
}

// mode is which tokens and sessions a configuration takes.
type mode struct {
	bearerOnly  bool // bearer_only
	verifies    bool // bearer tokens, by keys
	introspects bool // bearer tokens, by asking the issuer
	sessions    bool // browsers' sessions
	action      string
}

func (m mode) bearer() bool { return m.verifies || m.introspects }

// modeOf reads what decides the rest. Sessions that nothing on a route starts
// are none, where it takes tokens too: what was written is bearer_only.
func (d *draft) modeOf() mode {
	c := d.conf
	m := mode{bearerOnly: c.flag("bearer_only", false), action: c.textOr("unauth_action", "auth")}
	m.verifies = c.has("public_key") || c.flag("use_jwks", false)
	m.introspects = !m.verifies && (m.bearerOnly || c.has("introspection_endpoint"))
	m.sessions = !m.bearerOnly && (m.action == "auth" || !m.bearer() || c.text("redirect_uri") != "")
	if !m.bearerOnly && !m.sessions {
		d.lost("session", "nothing on this route starts a session, so it is converted without; if it shares those of another route, give it the login of that one")
	}
	return m
}

func (d *draft) introspection(m mode) {
	if !m.introspects {
		return
	}
	key := "introspection_endpoint"
	if !d.conf.has(key) {
		key = "use_jwks"
	}
	d.risk("introspection", key, "the issuer is asked about each token, and auth0-jwt verifies tokens by the issuer's keys: "+
		"one that the issuer took back is good until it expires, and one that is no JWT is refused")
}

// unauthenticated is what becomes of a request without a token. With
// bearer_only the old plugin refuses it, whatever unauth_action says.
func (d *draft) unauthenticated(m mode) {
	switch {
	case m.bearerOnly:
	case m.action == "pass", m.sessions && m.action == "deny":
		d.out.set("unauth_action", m.action)
	}
	if m.sessions && m.action == "auth" {
		d.stricter("unauth_action", "only a page that a browser asks for is sent to log in; every other request without a session gets 401")
	}
	if m.action == "pass" && !m.bearer() {
		d.stricter("unauth_action", "a token in the request that is not good is refused; openid-connect did not look at it")
	}
}

// verifiable are the algorithms that lua-resty-openidc verifies with a public key.
var verifiable = []string{"RS256", "RS512"}

// algorithms of which openid-connect verifies none would open a route that takes no
// token today.
func (d *draft) algorithms(m mode) {
	const key = "token_signing_alg_values_expected"
	const closed = "openid-connect verifies RS256 and RS512 alone, and no token passes today: "
	if m.verifies && d.keyAlgorithm != "" && d.keyAlgorithm != "RS256" {
		d.problem("public_key", closed+"write the RSA key that your tokens are signed with, or take it out")
		return
	}
	switch alg := d.conf.text(key); {
	case m.verifies && d.conf.has(key) && !strings.HasPrefix(alg, "HS") && !slices.Contains(verifiable, alg):
		d.problem(key, closed+"write the one that your tokens are signed with, or take it out")
	case strings.HasPrefix(alg, "HS"):
		d.problem(key, alg+" is signed with a secret that the issuer and its clients share: have the issuer sign with RS256")
	case alg+d.keyAlgorithm != "":
		d.out.set("algorithms", []string{cmp.Or(alg, d.keyAlgorithm)})
	default:
		d.stricter(key, "tokens that are signed with anything but RS256 are refused; name others in algorithms")
	}
}

// defaultSlack is openid-connect's iat_slack, and the most of auth0-jwt's leeway.
const (
	defaultSlack = 120
	maxLeeway    = 300
)

func (d *draft) clockSkew() {
	slack := d.conf.atLeast(0, "iat_slack", defaultSlack)
	if slack == defaultSlack {
		d.stricter("iat_slack", "an expired token is refused after 30 s and no longer after 120 s; leeway changes that")
		return
	}
	d.leeway("iat_slack", slack)
}

func (d *draft) leeway(key string, seconds int64) {
	if seconds > maxLeeway {
		d.stricter(key, "more than 300 s are not possible")
		seconds = maxLeeway
	}
	d.out.set("leeway", seconds)
}

// scopes asks for the claim scope as text too: auth0-jwt would take a list, and
// scp in its place, and openid-connect takes neither. Of a session it wants to read
// the scopes even where it asks for none of them.
func (d *draft) scopes(m mode) {
	scopes := d.conf.texts("required_scopes")
	if len(scopes) > 0 {
		d.out.set("required_scopes", scopes)
	}
	if len(scopes) > 0 || m.sessions && d.conf.has("required_scopes") {
		d.claim("scope", map[string]any{"matches": ".*"})
	}
}

// claim adds an expectation of a claim.
func (d *draft) claim(name string, expectation any) {
	claims := members{}
	if d.out.has("claims") {
		claims, _ = parseObject(d.out.get("claims")) // it was written here
	}
	if strings.HasPrefix(name, "/") { // a JSON Pointer else
		name = "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	}
	claims.set(name, expectation)
	d.out.set("claims", claims)
}

// olderDrafts are those that APISIX's jsonschema knows.
var olderDrafts = regexp.MustCompile(`^https?://json-schema\.org/draft-0[467]/schema#?$`)

// claimSchema names the draft, where the schema does not: APISIX reads it as
// draft 7 or before, and in 2020-12 some of its keywords would say nothing.
func (d *draft) claimSchema(m mode) {
	if !d.conf.has("claim_schema") {
		return
	}
	if m.sessions {
		d.risk("claim_schema", "claim_schema", "with sessions it describes an object of user, access_token and id_token, and here the claims of one token: write it anew")
		return
	}
	schema, err := parseObject(d.holderConf().get("claim_schema"))
	if err != nil {
		d.problem("claim_schema", "want an object")
		return
	}
	if dialect := schema.text("$schema"); dialect != "" && !olderDrafts.MatchString(dialect) {
		d.risk("claim_schema", "claim_schema", "APISIX reads a schema as one of draft 4, 6 or 7, whatever $schema says, and this one says another: write it for draft 7")
		return
	}
	if !schema.has("$schema") {
		schema = append(members{{"$schema", encode("http://json-schema.org/draft-07/schema#")}}, schema...)
	}
	d.out.set("claim_schema", schema)
}

// holderConf is the old configuration in the order in which it was written.
func (d *draft) holderConf() members {
	own, _ := parseObject(d.holder.plugins.get(d.result.Plugin)) // it was read before
	return own
}

func (d *draft) rules(m mode) {
	type rule struct {
		Expression string `json:"expression"`
		Message    string `json:"message"`
	}
	var rules []rule
	if m.sessions && !m.bearer() {
		rules = append(rules, rule{"size(id_token) > 0", "this route takes browser sessions only"})
	}
	if name, client := d.ownAudienceClaim(); name != "" && client != "" {
		claim := "claims[" + string(encode(name)) + "]"
		rules = append(rules, rule{
			"type(" + claim + ") == list ? " + string(encode(client)) + " in " + claim + " : " + claim + " == " + string(encode(client)),
			"the token is for another client",
		})
	} else if name != "" {
		rules = append(rules, rule{"claims[" + string(encode(name)) + "] != false", "the token lacks a claim"}) // false is none in Lua
	}
	if len(rules) > 0 {
		d.out.set("rules", rules)
	}
}

// ownAudienceClaim is a claim other than aud that claim_validator asks for, and
// the client that it must name; "" is none.
func (d *draft) ownAudienceClaim() (name, client string) {
	v := d.conf.object("claim_validator").object("audience")
	name = v.textOr("claim", "aud")
	if name == "aud" {
		return "", ""
	}
	if v.flag("match_with_client_id", false) {
		return name, d.conf.text("client_id")
	}
	if v.flag("required", false) {
		return name, ""
	}
	return "", ""
}

// bearerHabits are those of openid-connect that no key says.
func (d *draft) bearerHabits(m mode) {
	if m.bearer() {
		d.stricter("exp", "a token without exp is refused, and so is one whose nbf or iat is ahead")
		d.stricter("X-Access-Token", `a token is read from Authorization only; "token_from" can name the header X-Access-Token too`)
	}
	if d.conf.flag("accept_none_alg", false) {
		d.stricter("accept_none_alg", "a token without a signature is refused, always")
	}
	if m.sessions && d.conf.flag("accept_unsupported_alg", true) {
		d.stricter("accept_unsupported_alg", "the signature of every ID token is verified")
	}
}

// network is about how the old plugin reached the issuer.
func (d *draft) network() {
	c := d.conf
	if verify, given := c.members["ssl_verify"]; given && (verify == false || verify == "no") {
		d.stricter("ssl_verify", "the issuer's certificate is verified; --ca-file tells the runner of an authority of your own")
	}
	if c.has("proxy_opts") {
		d.lost("proxy_opts", "start the runner with --proxy, or HTTPS_PROXY and NO_PROXY in its environment: one for all routes")
	}
	if c.number("timeout", 3) != 3 {
		d.lost("timeout", "the runner waits 5 s for an issuer, and requests wait 2 s at most")
	}
	if c.number("jwk_expires_in", 86400) != 86400 {
		d.lost("jwk_expires_in", "keys are fetched anew as Cache-Control says, or every 10 min")
	}
	for _, key := range []string{"cache_segment", "jwt_verification_cache_ignore"} {
		if v := c.members[key]; v != nil && v != false {
			d.lost(key, "not needed: what was decided of a token is kept for each route, and ends with its key, its expiry or a revocation")
		}
	}
}

// identityHeaders are those that openid-connect removes from every request.
var identityHeaders = []string{"X-Access-Token", "X-Userinfo", "X-ID-Token", "X-Raw-ID-Token", "X-Refresh-Token"}

// identity names the headers that the upstream gets, and takes from clients all
// that the old plugin took.
func (d *draft) identity(m mode, subject string) {
	c := d.conf
	access := c.flag("set_access_token_header", true) && !c.flag("access_token_in_authorization_header", false)
	var set []string
	header := func(key, name string) { d.out.set(key, name); set = append(set, name) }
	switch {
	case subject == idToken:
		if c.flag("set_raw_id_token_header", false) {
			header("token_header", "X-Raw-ID-Token")
		}
		if c.flag("set_id_token_header", true) {
			header("claims_header", "X-ID-Token")
			d.encoding("set_id_token_header", "X-ID-Token")
		}
		if access {
			d.lost("set_access_token_header", `X-Access-Token is not sent; with "forward_access_token": true in login the upstream gets the access token in Authorization`)
		}
	case access:
		header("token_header", "X-Access-Token")
	}
	if c.flag("set_userinfo_header", true) && m.bearer() && subject != idToken {
		header("claims_header", "X-Userinfo")
		d.encoding("set_userinfo_header", "X-Userinfo")
	}
	if m.sessions {
		d.sessionHeaders(subject)
	}
	d.out.set("strip_headers", slices.DeleteFunc(slices.Clone(identityHeaders), func(name string) bool { return slices.Contains(set, name) }))
}

func (d *draft) encoding(key, name string) {
	d.lost(key, name+" holds base64url without padding, where it was base64 with padding: change its decoder, or name single claims in claim_headers")
}
