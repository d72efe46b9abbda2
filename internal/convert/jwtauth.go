package convert

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// consumerHeaders are those that APISIX sets for a consumer, whatever the client
// sent. Nobody sets them any more.
var consumerHeaders = []string{"X-Consumer-Username", "X-Credential-Identifier", "X-Consumer-Custom-ID"}

// jwtAuth converts the plugin jwt-auth, whose keys are its consumers'.
func (d *draft) jwtAuth() {
	c := d.conf
	consumer, ok := d.consumer()
	if !ok {
		return
	}
	consumer.conf.references("secret", "public_key")
	d.consumerIssuer()
	d.consumerKey(consumer)
	d.leeway("lifetime_grace_period", consumer.conf.atLeast(0, "lifetime_grace_period", 0))
	d.places()
	d.claim(c.textOr("key_claim_name", "key"), consumer.conf.text("key"))
	d.out.set("strip_headers", consumerHeaders)
	if c.flag("hide_credentials", false) {
		d.out.set("forward_token", false)
	}
	if realm := c.text("realm"); realm != "" && realm != "jwt" {
		d.out.set("realm", realm)
	}
	d.consumerHabits(consumer)
}

// consumer is one that has jwt-auth.
type consumer struct {
	name       string
	credential bool // it stands in one of the consumer's credentials
	holder     *holder
	conf       source
}

// ownerOf is the name of a consumer, or of the one that a credential is of. In
// APISIX standalone credentials stand among the consumers, as NAME/credentials/ID.
func ownerOf(o *holder) (name string, credential bool) {
	if name, _, credential = strings.Cut(o.ID, "/credentials/"); credential {
		return name, true
	}
	return o.members.text("username"), false
}

// consumer is the one whose tokens the route takes. With the keys of several
// one of them could sign as another, since a key is not bound to a claim here.
func (d *draft) consumer() (chosen consumer, ok bool) {
	var all []consumer
	for i := range d.objects {
		o := &d.objects[i]
		if o.Kind != "consumers" || !o.plugins.has(JWTAuth) {
			continue
		}
		name, credential := ownerOf(o)
		if d.opt.Consumer != "" && name != d.opt.Consumer {
			continue
		}
		one := consumer{name: name, credential: credential, holder: o, conf: source{d: d, at: []string{"plugins", JWTAuth}}}
		if !one.conf.read(o.plugins.get(JWTAuth)) {
			return one, false
		}
		all = append(all, one)
	}
	switch {
	case len(all) == 1:
		return all[0], true
	case len(all) == 0 && d.opt.Consumer != "":
		d.problem("consumers", "no consumer of the name of --consumer that has jwt-auth was read")
	case len(all) == 0:
		d.problem("consumers", "no consumer that has jwt-auth was read, and consumers have the keys: give them too. Those that stand in credentials are not read")
	default:
		names := make([]string, len(all))
		for i, one := range all {
			names[i] = one.name
		}
		slices.Sort(names)
		d.problem("consumers", "each of "+strings.Join(names, ", ")+" has a key of its own, and with all keys on one route one could sign as another: name one by --consumer, or have one issuer sign for all")
	}
	return consumer{}, false
}

func (d *draft) consumerIssuer() {
	if d.opt.Issuer == "" {
		d.problem("iss", "jwt-auth does not look at iss, and auth0-jwt takes the tokens of one issuer: name it by --issuer")
	}
	if len(d.opt.Audience) == 0 {
		d.problem("aud", "jwt-auth does not look at aud, and auth0-jwt wants to know it: name it by --audience")
	}
	if d.opt.Issuer != "" {
		d.out.set("issuer", d.opt.Issuer)
		d.audience()
	}
	d.stricter("iss, aud, exp", "a token has to have all three; those that jwt-auth's clients make today may lack them")
}

// consumerKey writes the consumer's key.
func (d *draft) consumerKey(one consumer) {
	c := one.conf
	algorithm := c.textOr("algorithm", "HS256")
	d.out.set("algorithms", []string{algorithm})
	if !strings.HasPrefix(algorithm, "HS") {
		key, _, err := keyOf(c.text("public_key"))
		if err != nil {
			d.problem("consumers/"+one.name+" public_key", err.Error())
			return
		}
		d.named(&key, "public_key")
		d.out.set("jwks", map[string][]members{"keys": {key}})
		return
	}
	inBase64 := c.flag("base64_secret", false)
	if inBase64 && d.opt.Config.SecretsDir == "" {
		d.problem("base64_secret", "the secret may hold any byte, and the environment cannot: name the directory of the runner's secrets by --secrets-dir")
		return
	}
	d.out.set("client_secret", d.secret(c, one.holder.Object, "secret", "JWT_SECRET_"+one.name, inBase64))
	d.secretLength(c.text("secret"), algorithm, inBase64)
}

// secretLength tells of secrets that are too short for their algorithm (RFC
// 7518 section 3.2), which the runner refuses.
func (d *draft) secretLength(secret, algorithm string, inBase64 bool) {
	if strings.HasPrefix(secret, "$") {
		return // a reference
	}
	length := len(secret)
	if inBase64 {
		decoded, err := base64.StdEncoding.DecodeString(secret)
		if err != nil {
			d.problem("base64_secret", "the secret is no base64")
		}
		length = len(decoded)
	}
	if least := map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}[algorithm]; length < least {
		d.stricter("secret", "the runner refuses one of under "+strconv.Itoa(least)+" bytes for "+algorithm+", and every request with it: make a new one")
	}
}

// places are where jwt-auth looks for the token.
func (d *draft) places() {
	c := d.conf
	type place struct {
		Header string `json:"header,omitempty"`
		Scheme string `json:"scheme,omitempty"`
		Query  string `json:"query,omitempty"`
		Cookie string `json:"cookie,omitempty"`
	}
	header := place{Header: c.textOr("header", "authorization")}
	if strings.EqualFold(header.Header, "authorization") {
		header = place{Header: "Authorization", Scheme: "Bearer"}
		d.stricter("header", "a token in Authorization needs Bearer before it")
	} else {
		d.stricter("header", "a token in "+header.Header+" stands there alone, without Bearer before it")
	}
	d.out.set("token_from", []place{header, {Query: c.textOr("query", "jwt")}, {Cookie: c.textOr("cookie", "jwt")}})
	d.stricter("header, query, cookie", "a request with tokens in two places is refused")
}

func (d *draft) consumerHabits(one consumer) {
	c := d.conf
	d.lost("consumers", "the request has no consumer: "+strings.Join(consumerHeaders, ", ")+" are taken out of it, and consumer-restriction, or a limit by consumer_name, finds nobody. Name the caller in claim_headers")
	d.stricter("consumers", "tokens of consumer "+one.name+" alone pass; consumers that stand in credentials are not read from an Admin API")
	if one.credential || len(one.holder.plugins) > 1 || one.holder.members.has("group_id") {
		d.risk("consumers", "consumers", "the plugins of consumer "+one.name+" and of its group no longer run, such as its limits: put them on the route")
	}
	if c.has("anonymous_consumer") {
		d.stricter("anonymous_consumer", `a request without a token is refused; "unauth_action": "pass" lets it by, without that consumer's plugins`)
	}
	if c.flag("store_in_ctx", false) {
		d.lost("store_in_ctx", "no other plugin sees the token's claims; name them in claim_headers")
	}
	if len(c.texts("claims_to_verify")) == 0 {
		d.stricter("claims_to_verify", "exp has to be there; nbf and iat must not be ahead")
	}
}
