package auth0jwt_test

import (
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

// onHTTPS is a request whose gateway says that it came for https://api.example/.
type onHTTPS struct{ *request }

func (onHTTPS) Var(name string) ([]byte, error) {
	return []byte(map[string]string{"scheme": "https", "http_host": "api.example", "real_request_uri": "/"}[name]), nil
}

// TestDecisionsCountAReasonWhateverItsStatus: dpop_failed is 401 where the
// proof is bad and 503 where the memory of proofs cannot be asked.
func TestDecisionsCountAReasonWhateverItsStatus(t *testing.T) {
	p := auth0jwt.New(auth0jwt.Options{
		Logger: slog.New(slog.DiscardHandler), Transport: offline{}, RedisURL: "a memory that is away",
	})
	c := parse(t, p, conf(`,"dpop":"require"`))
	sign := func(header, claims map[string]any) string {
		tok := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims(claims))
		for name, v := range header {
			tok.Header[name] = v
		}
		s, err := tok.SignedString(key())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	b64 := base64.RawURLEncoding.EncodeToString
	bound := sign(map[string]any{"kid": "k"}, map[string]any{
		"iss": "https://issuer.example/", "aud": "api", "exp": time.Now().Add(time.Hour).Unix(),
		"cnf": map[string]any{"jkt": jwk.Thumbprint(key().Public())},
	})
	ath := sha256.Sum256([]byte(bound))
	proof := sign(map[string]any{"typ": "dpop+jwt", "jwk": map[string]any{"kty": "RSA", "n": b64(key().N.Bytes()), "e": "AQAB"}}, map[string]any{
		"jti": "1", "htm": "GET", "htu": "https://api.example/", "iat": time.Now().Unix(), "ath": b64(ath[:]),
	})
	for _, sent := range []struct {
		proof  string
		status int
	}{{"no proof", 401}, {proof, 503}} {
		w := httptest.NewRecorder()
		p.RequestFilter(c, w, onHTTPS{newRequest("Authorization", "DPoP "+bound, "DPoP", sent.proof)})
		if w.Code != sent.status {
			t.Errorf("%d %s, want %d", w.Code, w.Body, sent.status)
		}
	}
	if n := p.Gate().Decisions()["dpop_failed"]; n != 2 {
		t.Errorf("dpop_failed is counted %d times", n)
	}
}
