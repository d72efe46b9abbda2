package inspect_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

var (
	rsaKey = forge.RSA()
	ecKey  = forge.P256()
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func keySet() []byte {
	return forge.JWKS(forge.JWK(rsaKey, "kid", "r"), forge.JWK(ecKey, "kid", "e"))
}

var example = regexp.MustCompile("(?ms)^### `([a-z_]+)`$(.*?)^```json\n(.*?)^```\n```requests\n(.*?)^```$")

// TestDocumentedExamples runs every example of docs/keys.md, and wants one for
// every key there is.
func TestDocumentedExamples(t *testing.T) {
	page := must(os.ReadFile("../../docs/keys.md"))
	for _, name := range []string{"API_SECRET", "API_SECRET_BEFORE", "WEB_SECRET", "SESSION_SECRET", "SESSION_SECRET_BEFORE"} {
		t.Setenv(name, secretOf(name))
	}
	shown := map[string]bool{}
	for _, m := range example.FindAllStringSubmatch(string(page), -1) {
		key, document, requests := m[1], m[3], m[4]
		shown[key] = true
		if !strings.Contains(document, strconv.Quote(key)+":") {
			t.Errorf("%s: its example does not use it", key)
		}
		p, conf := routeOf(t, document)
		for line := range strings.Lines(requests) {
			t.Run(key, func(t *testing.T) { runExample(t, p, conf, strings.TrimSpace(line)) })
		}
	}
	for _, key := range config.Keys() {
		if !shown[key] {
			t.Errorf("docs/keys.md has no example of %s", key)
		}
	}
}

func secretOf(name string) string { return strings.Repeat(name, 8) }

// judge decides by a route.
type judge struct {
	gate  *gate.Gate
	route *gate.Route
}

func routeOf(t *testing.T, document string) (judge, *config.Config) {
	g := gate.New(gate.Options{})
	conf, err := config.Parse([]byte(document), config.Options{})
	if err != nil {
		return judge{g, gate.Deny(err)}, must(config.Parse([]byte(`{"domain":"t.example.com","audience":"a"}`), config.Options{}))
	}
	r, err := g.Route(conf, func(i config.Issuer) (gate.Keys, error) {
		if i.JWKS != nil {
			return jwks.Static(i.JWKS)
		}
		return jwks.Static(keySet())
	})
	if err != nil {
		t.Fatal(err)
	}
	return judge{g, r}, conf
}

// words are the words of an example's line: name and value, the value bare,
// quoted or a JSON object.
func words(t *testing.T, line string) (all [][2]string) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		end := strings.IndexAny(line, "= ")
		if end < 0 || line[end] == ' ' {
			word, rest, _ := strings.Cut(line, " ")
			all, line = append(all, [2]string{word, ""}), rest
			continue
		}
		name, value := line[:end], line[end+1:]
		switch value[0] {
		case '{':
			d := json.NewDecoder(strings.NewReader(value))
			var raw json.RawMessage
			if err := d.Decode(&raw); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			all, line = append(all, [2]string{name, string(raw)}), value[d.InputOffset():]
		case '"':
			quoted := must(strconv.QuotedPrefix(value))
			all, line = append(all, [2]string{name, must(strconv.Unquote(quoted))}), value[len(quoted):]
		default:
			word, rest, _ := strings.Cut(value, " ")
			all, line = append(all, [2]string{name, word}), rest
		}
	}
	return all
}

func runExample(t *testing.T, p judge, conf *config.Config, line string) {
	given, want, ok := strings.Cut(line, " -> ")
	if !ok {
		t.Fatalf("no outcome: %s", line)
	}
	req, outcomes := requestOf(t, conf, words(t, given)), words(t, want)
	if metadata, asked := p.route.Metadata(req); asked {
		var body bytes.Buffer
		if err := json.Compact(&body, metadata.Body); err != nil {
			t.Fatal(err)
		}
		got := [][2]string{{fmt.Sprint(metadata.Status)}, {"metadata"}, {"body", body.String()}}
		if diff := cmp.Diff(outcomes, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
		return
	}
	d := p.gate.Decide(p.route, req)
	edits, forward := d.Forward()
	if outcomes[0][0] != "forwarded" {
		answer := p.route.Answer(d.Refusal())
		if forward || fmt.Sprint(answer.Status) != outcomes[0][0] || d.Refusal().Kind.Reason() != outcomes[1][0] {
			t.Fatalf("%s: forwarded %v, %d %s (%s)", line, forward, answer.Status, d.Refusal().Kind.Reason(), d.Refusal().Cause)
		}
		for _, w := range outcomes[2:] {
			got := string(answer.Body)
			if w[0] == "challenge" {
				got = answer.Headers[slices.IndexFunc(answer.Headers, func(h refusal.Header) bool { return h.Name == "WWW-Authenticate" })].Value
			}
			if got != w[1] {
				t.Errorf("%s: %s %s", line, w[0], got)
			}
		}
		return
	}
	if !forward {
		t.Fatalf("%s: refused, %s (%s)", line, d.Refusal().Kind.Reason(), d.Refusal().Cause)
	}
	var wantEdits, gotEdits []string
	for _, w := range outcomes[1:] {
		wantEdits = append(wantEdits, w[0]+" "+w[1])
	}
	for _, name := range edits.DeleteHeaders {
		gotEdits = append(gotEdits, "delete "+name)
	}
	for _, h := range edits.SetHeaders {
		text := "set " + h.Name
		if !slices.Contains(wantEdits, text) { // else the value does not matter
			text += ": " + h.Value
		}
		gotEdits = append(gotEdits, text)
	}
	slices.Sort(wantEdits)
	slices.Sort(gotEdits)
	if diff := cmp.Diff(wantEdits, gotEdits); diff != "" {
		t.Errorf("%s: edits (-want +got):\n%s", line, diff)
	}
}

// requestOf makes the request of an example's words.
func requestOf(t *testing.T, conf *config.Config, given [][2]string) *inspect.Request {
	now := time.Now()
	req := &inspect.Request{Verb: "GET", URL: must(url.Parse("https://api.example.com/orders?page=2"))}
	claims := map[string]any{
		"iss": "https://tenant.eu.auth0.com/", "aud": "https://api.example.com", "sub": "auth0|alice",
		"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	header := map[string]any{"typ": "JWT"}
	alg, secret, in, proof, token := "RS256", "", "", "", ""
	for _, w := range given {
		switch w[0] {
		case "claims":
			d := json.NewDecoder(bytes.NewReader([]byte(w[1])))
			d.UseNumber()
			var more map[string]any
			if err := d.Decode(&more); err != nil {
				t.Fatal(err)
			}
			for name, v := range more {
				if text, ok := v.(string); ok && strings.HasPrefix(text, "now") {
					v = now.Add(must(time.ParseDuration(text[3:]))).Unix()
				}
				claims[name] = v
			}
		case "token":
			token = w[1]
		case "alg":
			alg = w[1]
		case "typ":
			header["typ"] = w[1]
		case "secret":
			secret = w[1]
		case "in":
			in = w[1]
		case "proof":
			proof = w[1]
		case "method":
			req.Verb = w[1]
		case "path":
			req.URL.Path = w[1]
		case "header":
			name, value, _ := strings.Cut(w[1], ": ")
			req.Headers = append(req.Headers, [2]string{name, value})
		case "bound":
			sum := sha256.Sum256([]byte("own"))
			claims["cnf"] = map[string]any{"jkt": jwk.Thumbprint(ecKey.Public())}
			if w[1] == "certificate" {
				claims["cnf"] = map[string]any{"x5t#S256": forge.Base64URL(sum[:])}
			}
		case "certificate":
			req.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(w[1])})
		default:
			t.Fatalf("the word %q is not known", w[0])
		}
	}
	if token == "none" {
		return req
	}
	key, kid := crypto.PrivateKey(rsaKey), "r"
	switch alg[:2] {
	case "ES":
		key, kid = ecKey, "e"
	case "HS":
		key = []byte(secretOf(secret))
	case "no":
		key = nil
	}
	header["alg"], header["kid"] = alg, kid
	token = forge.Sign(alg, key, forge.JSON(header), forge.JSON(claims))
	if proof != "" {
		target := map[string]string{
			"good": "https://api.example.com/orders", "public": "https://public.example.com/orders", "another-url": "https://api.example.com/",
		}[proof]
		made := forge.Proof{Key: ecKey, Method: req.Verb, URL: target, Token: token, ID: rand.Text(), At: now}
		req.Headers = append(req.Headers, [2]string{"DPoP", made.String()})
	}
	if in == "cookie" {
		req.Headers = append(req.Headers, [2]string{"Cookie", "session=" + token})
		return req
	}
	req.Carry(conf, token)
	return req
}
