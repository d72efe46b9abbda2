package policy_test

import (
	"crypto/sha256"
	"encoding/pem"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

const rawCertificate = "ssl_client_raw_cert"

// certificate is PEM, as nginx shows it, and its thumbprint (RFC 8705 section
// 3.1). What is in it does not matter: nginx has judged that.
func certificate(content string) (text, thumbprint string) {
	sum := sha256.Sum256([]byte(content))
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(content)})), base64url(sum[:])
}

func TestCertificateBinding(t *testing.T) {
	cert, thumbprint := certificate("the client's")
	another, _ := certificate("another's")
	bound := `{"x5t#S256":"` + thumbprint + `"}`
	const failed = "mtls_failed"

	for name, c := range map[string]struct {
		mode  config.Mode
		cnf   string // "" is none
		cert  *string
		want  string
		asked bool
	}{
		"off: not bound":               {config.Off, "", &cert, forwarded, false},
		"off: bound":                   {config.Off, bound, &cert, failed, false},
		"allow: not bound":             {config.Allow, "", &cert, forwarded, false},
		"allow: bound":                 {config.Allow, bound, &cert, forwarded, true},
		"require: not bound":           {config.Require, "", &cert, failed, false},
		"require: bound":               {config.Require, bound, &cert, forwarded, true},
		"bound to another certificate": {config.Allow, bound, &another, failed, true},
		"no certificate":               {config.Allow, bound, new(string), failed, true},
		"a certificate that is no PEM": {config.Allow, bound, &thumbprint, failed, true},
		"the gateway does not answer":  {config.Allow, bound, nil, "internal_error", true},
		"padded thumbprint":            {config.Allow, `{"x5t#S256":"` + thumbprint + `="}`, &cert, failed, true},
		"empty thumbprint":             {config.Allow, `{"x5t#S256":""}`, new(string), failed, true},
		"null thumbprint":              {config.Allow, `{"x5t#S256":null}`, &cert, failed, true},
		"a list of thumbprints":        {config.Allow, `{"x5t#S256":["` + thumbprint + `"]}`, &cert, failed, true},
		"an object for a thumbprint":   {config.Allow, `{"x5t#S256":{}}`, &cert, failed, true},
		"bound to a DPoP key as well":  {config.Require, `{"jkt":"x","x5t#S256":"` + thumbprint + `"}`, &cert, "dpop_failed", false},
		"another confirmation":         {config.Allow, `{"kid":"x"}`, &cert, forwarded, false},
		"another, where one is needed": {config.Require, `{"kid":"x"}`, &cert, failed, false},
		"cnf is a list":                {config.Allow, `[` + bound + `]`, &cert, "malformed_token", false},
	} {
		t.Run(name, func(t *testing.T) {
			req := bearing(good(t, "cnf", c.cnf))
			// A header is the client's own word, whatever its name.
			req.headers = append(req.headers, [2]string{"ssl-client-raw-cert", cert}, [2]string{"x-client-cert", cert})
			if c.cert != nil {
				req.vars = map[string]string{rawCertificate: *c.cert}
			}
			p := compile(t, route(func(conf *config.Config) { conf.MTLS = c.mode }))
			if got := outcome(p.Decide(req)); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			var want []string
			if c.asked {
				want = []string{rawCertificate}
			}
			if diff := cmp.Diff(want, req.asked); diff != "" {
				t.Errorf("variables asked for (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNothingIsAskedForATokenNobodyVerified: a round trip is not for anyone
// who can write cnf into a token.
func TestNothingIsAskedForATokenNobodyVerified(t *testing.T) {
	_, thumbprint := certificate("the client's")
	token := sign(t, "RS256", keys().attacker, header("RS256", "rsa"), claims("cnf", `{"x5t#S256":"`+thumbprint+`"}`))
	for _, req := range []*request{get(), bearing("x"), bearing(token)} {
		compile(t, route(func(conf *config.Config) { conf.MTLS = config.Require })).Decide(req)
		if req.asked != nil {
			t.Errorf("asked for %v", req.asked)
		}
	}
}
