package gate_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// marked is part of every value that must not be in a log.
const marked = "MARKED"

// TestTheLogHoldsNoTokenSecretOrClaim at its most talkative level, whatever
// becomes of a request.
func TestTheLogHoldsNoTokenSecretOrClaim(t *testing.T) {
	secret := strings.Repeat("MARKED-secret-", 5)
	t.Setenv("MARKED_TEST_SECRET", secret)
	claims := []string{
		"sub", `"MARKED-sub"`, "scope", `"MARKED:scope"`, "permissions", `["MARKED:permission"]`, "azp", `"MARKED-client"`,
		"jti", `"MARKED-jti"`, "org_id", `"org_MARKED"`, "org_name", `"MARKED-org"`, "acr", `"MARKED-acr"`, "amr", `["MARKED-amr"]`,
		"email", `"MARKED@example.com"`, "roles", `["MARKED-role"]`, "n", `"MARKED-not-a-number"`,
	}
	with := func(changes ...string) string { return token(append(claims, changes...)...) }
	good := with()
	mac := forge.Sign("HS256", []byte(secret), forge.Header("HS256", ""), forge.Claims(issuer, audience, now, claims...))
	hmac := fmt.Appendf(nil, `{"issuer":%q,"audience":%q,"algorithms":["HS256"],"client_secret":"$env://MARKED_TEST_SECRET"}`, issuer, audience)
	routes := map[string][]byte{
		"plain": document(""), "named": document(`,"name":"orders","claims_header":"X-Claims","token_header":"X-Token"`),
		"scope": document(`,"required_scopes":["read"]`), "permission": document(`,"required_permissions":["read"]`),
		"organization": document(`,"organizations":["org_1"]`), "client": document(`,"allowed_clients":["c"]`),
		"mfa": document(`,"require_mfa":true`), "acr": document(`,"acr_values":["gold"]`), "auth_time": document(`,"max_auth_age":"1m"`),
		"claims":  document(`,"claims":{"email":{"matches":".*@example[.]org"},"roles":{"contains":"admin"}}`),
		"schema":  document(`,"claim_schema":{"type":"object","properties":{"email":{"const":"x"}}}`),
		"rule":    document(`,"rules":[{"expression":"claims.email == 'x'"}]`),
		"error":   document(`,"rules":[{"expression":"int(claims.n) > 1"}]`),
		"regexp":  document(`,"rules":[{"expression":"'a'.matches(claims.email + '(')"}]`),
		"report":  document(`,"rules":[{"expression":"claims.email == 'x'","report_only":true}]`),
		"headers": document(`,"claim_headers":{"X-Roles":{"claim":"missing","required":true}}`),
		"dpop":    document(`,"dpop":"require"`), "mtls": document(`,"mtls":"require"`),
		"query": document(`,"token_from":[{"query":"t"},{"cookie":"c"}],"forward_token":false`),
		"hmac":  hmac, "bad": document(`,"unknown":1`), "literal": []byte(strings.Replace(string(hmac), "$env://MARKED_TEST_SECRET", secret, 1)),
		"rfc9068": document(`,"token_profile":"rfc9068"`), "age": document(`,"max_token_age":"1s"`),
	}
	tokens := map[string]string{
		"good": good, "none": "", "opaque": "MARKED-opaque", "encrypted": "MARKED.a.b.c.d", "cut": good[:len(good)-10], "forged": good + "AAAA",
		"expired": with("exp", "1000000000"), "early": with("nbf", "4000000000"), "issuer": with("iss", `"https://MARKED.example/"`),
		"audience": with("aud", `"MARKED-audience"`), "dates": with("exp", `"MARKED"`), "bound": with("cnf", `{"jkt":"MARKED","x5t#S256":"MARKED"}`),
		"alg": forge.Sign("HS256", []byte(secret), `{"alg":"HS256","jku":"https://MARKED.example/"}`, forge.Claims(issuer, audience, now, claims...)),
		"key": tokenWithKid("other"), "none alg": forge.Sign("none", nil, `{"alg":"none"}`, forge.Claims(issuer, audience, now, claims...)),
		"twice": good + " " + good, "mac": mac, "json": "e30.TUFSS0VE.AAAA",
	}
	seen := map[string]bool{}
	for name, document := range routes {
		r := newRecording(t, gate.Options{Trace: func(d gate.Decided) {
			if s := fmt.Sprintf("%+v", d); strings.Contains(s, marked) {
				t.Errorf("traced: %s", s)
			}
		}})
		route := r.CompileFor("key", document)
		for kind, raw := range tokens {
			req := fullRequest(raw, [2]string{"cookie", "c=MARKED-cookie"}, [2]string{"x-request-id", "MARKED.request"}, [2]string{"dpop", "MARKED-proof"})
			req.query = http.Header{"t": {"MARKED-query"}}
			req.vars = map[string]string{"ssl_client_raw_cert": "MARKED-certificate", "http_host": "MARKED.example"}
			for range 2 {
				d, decided := r.Known(route, req)
				if !decided {
					d = r.Decide(route, req).Decision
				}
				seen[reason(d)] = true
			}
			for line := range strings.Lines(r.log.String()) {
				// An issuer that is not configured is a claim's value too.
				if strings.Contains(line, marked) {
					t.Errorf("route %s, token %s: %s", name, kind, line)
				}
				for part := range strings.SplitSeq(raw, ".") {
					if len(part) > 8 && strings.Contains(line, part) {
						t.Errorf("route %s, token %s: a part of the token is in the log: %s", name, kind, line)
					}
				}
			}
			r.log.Reset()
		}
	}
	if len(seen) < 20 {
		t.Errorf("only these were tried: %v", seen)
	}
}
