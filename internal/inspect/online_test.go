package inspect_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
)

// documents are what a fetcher has, by URL; others do not answer.
type documents map[string]any

func (d documents) Get(_ context.Context, r fetch.Request) (*fetch.Response, error) {
	switch v := d[r.URL].(type) {
	case string:
		return &fetch.Response{Status: 200, Body: []byte(v)}, nil
	case error:
		return nil, v
	}
	return nil, &fetch.Error{Kind: fetch.FailedConnection}
}

func TestOnlineSaysWhatIsWrongAtTheIssuer(t *testing.T) {
	const (
		discovery = tenant + ".well-known/openid-configuration"
		keys      = tenant + ".well-known/jwks.json"
		good      = `{"issuer":"` + tenant + `","jwks_uri":"` + keys + `"}`
	)
	for _, tt := range []struct {
		name string
		has  documents
		want string // "" is nothing
	}{
		{"nothing", documents{discovery: good, keys: string(keySet())}, ""},
		{"DNS", documents{discovery: &fetch.Error{Kind: fetch.FailedDNS}}, "the discovery document, " + discovery + ", cannot be had: DNS does not know the name"},
		{"TLS", documents{discovery: &fetch.Error{Kind: fetch.FailedTLS}}, "TLS failed; the certificate is not trusted"},
		{"an address", documents{discovery: &fetch.Error{Kind: fetch.FailedAddress}}, "leads to an address that is not public, which a runner needs --allow-network for"},
		{"a status", documents{discovery: &fetch.Error{Kind: fetch.FailedStatus, Status: 404}}, "the answer has status 404 Not Found"},
		{"the keys' status", documents{discovery: good, keys: &fetch.Error{Kind: fetch.FailedStatus, Status: 503}}, "the keys, " + keys + ", cannot be had: the answer has status 503"},
		{"nobody", documents{}, "nobody answers there"},
		{"a redirect", documents{discovery: &fetch.Error{Kind: fetch.FailedRedirect, Status: 302}}, "a redirect, which is not followed"},
		{"no JSON", documents{discovery: "<html>"}, "the discovery document is no JSON object"},
		{"another issuer", documents{discovery: strings.Replace(good, tenant, strings.TrimSuffix(tenant, "/"), 1)}, "is of another issuer, https://tenant.eu.auth0.com: they differ only by the slash"},
		{"no keys' URL", documents{discovery: `{"issuer":"` + tenant + `"}`}, "has no jwks_uri"},
		{"no key set", documents{discovery: good, keys: "{}"}, "the keys are no JSON Web Key Set"},
		{"no key that fits", documents{discovery: good, keys: `{"keys":[{"kty":"oct","k":"AA"}]}`}, "none of the issuer's 1 keys can verify RS256"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := inspect.Check([]inspect.Input{{Name: "f", Data: []byte(`{"domain":"tenant.eu.auth0.com","audience":"a"}`)}}, inspect.Options{})
			r.Online(t.Context(), tt.has)
			var out strings.Builder
			if err := r.WriteText(&out); err != nil {
				t.Fatal(err)
			}
			if r.OK() != (tt.want == "") || !strings.Contains(out.String(), tt.want) {
				t.Errorf("want %q:\n%s", tt.want, out.String())
			}
		})
	}
}

// TestPositionsPointIntoTheFile: also into JSON within JSON, whose quotation
// marks take two bytes.
func TestPositionsPointIntoTheFile(t *testing.T) {
	for name, document := range map[string]string{
		"a configuration": "{\"domain\":\"a.example\",\n \"audience\":\"a\",\n   \"oops\": 1}",
		"JSON in JSON":    "{\"plugins\":{\"ext-plugin-pre-req\":\n{\"conf\":[{\"name\":\"auth0-jwt\",\"value\":\"{\\\"domain\\\":\\\"a.example\\\",\\n \\\"audience\\\":\\\"a\\\",\\\"oops\\\":1}\"}]}}}",
		"a YAML block":    "routes:\n- plugins:\n    ext-plugin-pre-req:\n      conf:\n      - name: auth0-jwt\n        value: |\n          {\"domain\":\"a.example\",\n           \"audience\":\"a\", \"oops\":1}\n#END",
		"a YAML text":     "routes:\n- plugins:\n    ext-plugin-pre-req:\n      conf: [{name: auth0-jwt, value: '{\"domain\":\"a.example\",\"audience\":\"a\",\"oops\":1}'}]\n#END",
	} {
		t.Run(name, func(t *testing.T) {
			r := inspect.Check([]inspect.Input{{Name: "f", Data: []byte(document)}}, inspect.Options{})
			if len(r.Findings) != 1 {
				t.Fatalf("%v", r.Findings)
			}
			f := r.Findings[0]
			lines := strings.Split(document, "\n")
			got := strings.TrimLeft(lines[f.Line-1][f.Column-1:], `\"`)
			if diff := cmp.Diff("oops", got[:min(4, len(got))]); diff != "" {
				t.Errorf("line %d, column %d (-want +got):\n%s", f.Line, f.Column, diff)
			}
		})
	}
}

// TestADocumentOfAnyKindIsReadWithinBounds: whatever it refers to or repeats.
func TestADocumentOfAnyKindIsReadWithinBounds(t *testing.T) {
	for name, document := range map[string]string{
		"aliases of aliases": "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\nroutes: [*f,*f,*f]\n#END",
		"an alias of itself": "routes: &a [*a]\n#END",
		"too deep":           "routes: " + strings.Repeat("[", 200) + strings.Repeat("]", 200),
		"too deep in JSON":   `{"routes":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "}",
		"too large":          strings.Repeat(" ", inspect.MaxInput+1),
		"two documents":      "routes: []\n---\nroutes: []\n",
	} {
		if inspect.Check([]inspect.Input{{Name: "f", Data: []byte(document)}}, inspect.Options{}).OK() {
			t.Errorf("%s is fine", name)
		}
	}
}

// FuzzCheck holds that no document makes the reader panic, and that positions
// are in the document.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		`{"domain":"a.example","audience":"a"}`, "# nothing", "routes:\n- {id: 1, plugins: {ext-plugin-pre-req: {conf: [{name: auth0-jwt, value: '{}'}]}}}\n#END",
		`{"list":[{"key":"/apisix/routes/1","value":{"plugins":{"ext-plugin-pre-req":{"conf":[{"name":"auth0-jwt","value":"{\"domain\":1}"}]}}}}]}`,
		`{"node":{"nodes":[{"value":{}}]}}`, `{"conf":[{"name":"auth0-jwt","value":"{"}]}`, "value: |\n  a\n", "? a\n: b", "routes: &a\n  x: *a",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		r := inspect.Check([]inspect.Input{{Name: "f", Data: document}}, inspect.Options{})
		for _, found := range r.Findings {
			if found.Line < 0 || found.Line > strings.Count(string(document), "\n")+2 {
				t.Errorf("%+v", found)
			}
			_ = found.String()
		}
	})
}
