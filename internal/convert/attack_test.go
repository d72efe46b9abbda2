package convert_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/convert"
)

const ecPublicKey = `-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE3D+i5YMGMGNDAcy4OZFxIOlVrpWy\nC9QO+URWxn+N94+DzCaHy5XfmS5EewwePb5vwIBIdHxk6V0mfAWS3Au8tA==\n-----END PUBLIC KEY-----\n`

// bearerConf and sessionConf are configurations of openid-connect that convert,
// before more members.
const (
	bearerConf  = `"client_id":"c","discovery":"https://sso.example.com/.well-known/openid-configuration","bearer_only":true`
	verifyConf  = bearerConf + `,"use_jwks":true`
	sessionConf = `"client_id":"c","client_secret":"hush","discovery":"https://sso.example.com/.well-known/openid-configuration","redirect_uri":"https://shop.example.com/callback"`
	sessionKey  = `"session":{"secret":"hush-hush-hush-hush"`
)

func routeOf(conf, more string) []convert.Object {
	return []convert.Object{{Kind: "routes", ID: "r", JSON: json.RawMessage(`{"uri":"/a/*","plugins":{"openid-connect":{` + conf + `}` + more + `}}`)}}
}

// TestWhatTheOldRouteRefusedIsNotConverted: openid-connect of APISIX 3.18 refuses
// every request of these, or ends the session sooner than login can, or decides by
// what is not known here.
func TestWhatTheOldRouteRefusedIsNotConverted(t *testing.T) {
	for _, tt := range []struct {
		name, conf, more, problem string
	}{
		{"an algorithm that it cannot verify", verifyConf + `,"token_signing_alg_values_expected":"ES256"`, "", "token_signing_alg_values_expected: "},
		{"another one", verifyConf + `,"token_signing_alg_values_expected":"PS256"`, "", "token_signing_alg_values_expected: "},
		{"an algorithm of no token", verifyConf + `,"token_signing_alg_values_expected":""`, "", "token_signing_alg_values_expected: "},
		{"a key that it cannot verify with", bearerConf + `,"public_key":"` + ecPublicKey + `"`, "", "public_key: "},
		{"a key that is empty", verifyConf + `,"public_key":""`, "", "public_key: "},
		{"tokens that end before they expire", verifyConf + `,"iat_slack":-10`, "", "iat_slack: "},
		{"sessions that end at once", sessionConf + `,` + sessionKey + `,"absolute_timeout":-1}`, "", "session.absolute_timeout: "},
		{"sessions that end at once when idle", sessionConf + `,` + sessionKey + `,"idling_timeout":-1}`, "", "session.idling_timeout: "},
		{"sessions that end at once without rolling", sessionConf + `,` + sessionKey + `,"rolling_timeout":-1}`, "", "session.rolling_timeout: "},
		{"sessions of an old key that end at once", sessionConf + `,` + sessionKey + `,"cookie":{"lifetime":-1}}`, "", "session.cookie.lifetime: "},
		{"sessions that are renewed every second", sessionConf + `,"refresh_session_interval":0,` + sessionKey + `}`, "", "refresh_session_interval: "},
		{"a schema of a draft that it does not read", verifyConf + `,"claim_schema":{"$schema":"https://json-schema.org/draft/2020-12/schema","dependencies":{"admin":["mfa"]}}`, "", "claim_schema: "},
		{"a reference in a scope", verifyConf + `,"required_scopes":["$secret://vault/1/orders/scope"]`, "", "required_scopes: it is a reference"},
		{"a reference in the client", verifyConf + `,"client_id":"$ENV://CLIENT"`, "", "client_id: it is a reference"},
		{"a reference inside", verifyConf + `,"claim_validator":{"issuer":{"valid_issuers":["$env://ISSUER"]}}`, "", "claim_validator: it is a reference"},
		{"a block that runs later", verifyConf, `,"ext-plugin-pre-req":{"conf":[],"_meta":{"priority":12}}`, "ext-plugin-pre-req._meta.priority: "},
		{"a block that may be degraded, written twice", verifyConf, `,"ext-plugin-pre-req":{"conf":[],"allow_degradation":true,"Allow_Degradation":false}`, "ext-plugin-pre-req.allow_degradation: "},
		{"a block that is off, written twice", verifyConf, `,"ext-plugin-pre-req":{"conf":[],"_meta":{"disable":true,"Disable":null}}`, "ext-plugin-pre-req._meta: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := convert.Objects(routeOf(tt.conf, tt.more), convert.Options{Audience: []string{"a"}, KeyID: "k"})[0]
			var out strings.Builder
			if err := r.WriteText(&out); err != nil {
				t.Fatal(err)
			}
			if r.Body != nil || !strings.Contains(out.String(), "    "+tt.problem) {
				t.Errorf("%s%s", out.String(), r.Configuration)
			}
		})
	}
}

// TestTheConfigurationTakesNoMoreThanBefore is about single keys.
func TestTheConfigurationTakesNoMoreThanBefore(t *testing.T) {
	for _, tt := range []struct {
		name, conf, want string
	}{
		{"an issuer without the slash of a tenant", verifyConf + `,"claim_validator":{"issuer":{"valid_issuers":["https://tenant.eu.auth0.com"]}}`, `"issuer":"https://tenant.eu.auth0.com"`},
		{"an issuer in capitals", verifyConf + `,"claim_validator":{"issuer":{"valid_issuers":["https://Tenant.eu.auth0.com/"]}}`, `"issuer":"https://Tenant.eu.auth0.com/"`},
		{"a claim that is false is none", verifyConf + `,"claim_validator":{"audience":{"claim":"email_verified","required":true}}`, `claims[\"email_verified\"] != false`},
		{"scopes of a session that has none", sessionConf + `,"required_scopes":[],` + sessionKey + `}`, `"claims":{"scope":{"matches":".*"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := convert.Objects(routeOf(tt.conf, ""), convert.Options{Audience: []string{"a"}})[0]
			if !strings.Contains(string(r.Configuration), tt.want) {
				t.Errorf("%s\n%v", r.Configuration, r.Problems)
			}
		})
	}
}

// TestACredentialHasItsConsumersPlugins: in a file of APISIX standalone the
// credentials of a consumer stand among the consumers.
func TestACredentialHasItsConsumersPlugins(t *testing.T) {
	objects := []convert.Object{
		{Kind: "routes", ID: "r", JSON: json.RawMessage(`{"uri":"/a","plugins":{"jwt-auth":{}}}`)},
		{Kind: "consumers", ID: "jack", JSON: json.RawMessage(`{"username":"jack","plugins":{"limit-count":{"count":1,"time_window":60}}}`)},
		{Kind: "consumers", ID: "jack/credentials/1", JSON: json.RawMessage(`{"id":"jack/credentials/1","plugins":{"jwt-auth":{"key":"k","secret":"` + strings.Repeat("hush", 8) + `"}}}`)},
	}
	opt := convert.Options{Audience: []string{"a"}, Issuer: "https://issuer.example.com/"}
	r := convert.Objects(objects, opt)[0]
	if r.Body != nil || len(r.Problems) != 1 || r.Problems[0].Key != "consumers" || !strings.Contains(r.Problems[0].Text, "consumer jack ") {
		t.Errorf("%v\n%s", r.Problems, r.Configuration)
	}
	opt.Consumer = "jack"
	if r = convert.Objects(objects, opt)[0]; len(r.Problems) != 1 || !strings.Contains(r.Problems[0].Text, "consumer jack ") {
		t.Errorf("by its name: %v", r.Problems)
	}
	objects[2].JSON = json.RawMessage(strings.Replace(string(objects[2].JSON), `"k"`, `"$secret://vault/1/jack/key"`, 1))
	if r = convert.Objects(objects, opt)[0]; !strings.Contains(r.Problems[0].Text, "it is a reference") {
		t.Errorf("a reference: %v", r.Problems)
	}
}

// TestABodyMovesNoCursor: what would is escaped, and stays what it was.
func TestABodyMovesNoCursor(t *testing.T) {
	const moves = "\u009b1A\u202eb\u2028c\u007f é 日本 \U000e0001"
	desc, err := json.Marshal(moves)
	if err != nil {
		t.Fatal(err)
	}
	o := routeOf(verifyConf, "")
	o[0].JSON = json.RawMessage(`{"desc":` + strings.NewReplacer(`\u2028`, "\u2028").Replace(string(desc)) + `,` + string(o[0].JSON[1:]))
	r := convert.Objects(o, convert.Options{Audience: []string{"a"}})[0]
	if i := strings.IndexFunc(string(r.Body), func(c rune) bool { return c != '\n' && !unicode.IsGraphic(c) }); i >= 0 {
		t.Errorf("%q", r.Body[i:])
	}
	var body struct{ Desc string }
	if err := json.Unmarshal(r.Body, &body); err != nil || body.Desc != moves || !strings.Contains(string(r.Body), " é 日本 ") {
		t.Errorf("%v %q in %s", err, body.Desc, r.Body)
	}
	o[0].ID = "a\u202eb\u2066"
	if name := convert.Objects(o, convert.Options{Audience: []string{"a"}})[0].Name(); strings.ContainsAny(name, "\u202e\u2066") {
		t.Errorf("%q", name)
	}
}

// TestManyObjectsAreConverted: a gateway has thousands of routes that refer to
// thousands of services. Looking for each one's among all would not end.
func TestManyObjectsAreConverted(t *testing.T) {
	const n = 3000
	var objects []convert.Object
	for i := range n {
		id := strconv.Itoa(i)
		objects = append(objects,
			convert.Object{Kind: "routes", ID: id, JSON: json.RawMessage(`{"uri":"/a","service_id":` + id + `,"plugin_config_id":"` + id + `","plugins":{"openid-connect":{` + verifyConf + `}}}`)},
			convert.Object{Kind: "services", ID: id, JSON: json.RawMessage(`{}`)},
			convert.Object{Kind: "plugin_configs", ID: id, JSON: json.RawMessage(`{"plugins":{"cors":{}}}`)})
	}
	if results := convert.Objects(objects, convert.Options{Audience: []string{"a"}}); len(results) != n {
		t.Errorf("%d results", len(results))
	}
}

// TestAnObjectWithManyMembersIsConverted, of which there may be a million.
func TestAnObjectWithManyMembersIsConverted(t *testing.T) {
	const n = 200_000
	var plugins, members strings.Builder
	for i := range n {
		plugins.WriteString(`,"p` + strconv.Itoa(i) + `":{}`)
		members.WriteString(`,"m` + strconv.Itoa(i) + `":1`)
	}
	o := routeOf(verifyConf, plugins.String())
	o[0].JSON = json.RawMessage(strings.TrimSuffix(string(o[0].JSON), "}") + members.String() + "}")
	r := convert.Objects(o, convert.Options{Audience: []string{"a"}})[0]
	if got := strings.Count(string(r.Body), "\n"); got < 2*n {
		t.Errorf("%d lines, %v", got, r.Problems)
	}
}

// TestAnObjectThatRoutesReferToIsConvertedWithAWord about routes that were not read.
func TestAnObjectThatRoutesReferToIsConvertedWithAWord(t *testing.T) {
	service := routeOf(verifyConf, "")[0]
	service.Kind = "services"
	said := func(objects ...convert.Object) bool {
		for _, n := range convert.Objects(objects, convert.Options{Audience: []string{"a"}})[0].Todo {
			if n.Key == "ext-plugin-pre-req" {
				return true
			}
		}
		return false
	}
	if !said(service) {
		t.Error("nothing is said of routes that were not read")
	}
	if said(service, convert.Object{Kind: "routes", ID: "1", JSON: json.RawMessage(`{"uri":"/a","service_id":"r"}`)}) {
		t.Error("something is said though routes were read")
	}
}

// TestAHostIsNoCommand: what is to be typed holds no more of an object than a host.
func TestAHostIsNoCommand(t *testing.T) {
	for host, want := range map[string]string{
		"redis.example.com": "--redis-url redis://redis.example.com:6379/0", "::1": "--redis-url redis://[::1]:6379/0",
		"x; rm -rf ~ #": "with the host of session.redis", "u:hush@redis": "with the host of session.redis", "$(id)": "with the host of session.redis",
	} {
		conf := sessionConf + `,` + sessionKey + `,"storage":"redis","redis":{"host":"` + host + `"}}`
		opt := convert.Options{}
		opt.Config.Redis = true
		r := convert.Objects(routeOf(conf, ""), opt)[0]
		said := ""
		for _, n := range r.Todo {
			if n.Key == "session.redis" {
				said = n.Text
			}
		}
		if !strings.Contains(said, want) || !strings.Contains(want, host) && strings.Contains(said, host) {
			t.Errorf("%s: %q %v", host, said, r.Problems)
		}
	}
}

// TestASessionMayOutliveItsAccessToken is said, since openid-connect renewed it.
func TestASessionMayOutliveItsAccessToken(t *testing.T) {
	for more, want := range map[string]bool{"": true, `,"renew_access_token_on_expiry":false`: false} {
		r := convert.Objects(routeOf(sessionConf+more+`,`+sessionKey+`}`, ""), convert.Options{})[0]
		said := false
		for _, n := range r.Lost {
			said = said || n.Key == "renew_access_token_on_expiry"
		}
		if r.Body == nil || said != want {
			t.Errorf("%q: said %v: %v %v", more, said, r.Lost, r.Problems)
		}
	}
}
