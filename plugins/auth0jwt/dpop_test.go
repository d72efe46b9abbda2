package auth0jwt_test

import (
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
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
	defer p.Close()
	c := parse(t, p, conf(`,"dpop":"require"`))
	bound, proof := boundToken()
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

// boundToken is a token that is bound to a key, and a proof of that key for a
// GET of the root.
func boundToken() (token, proof string) {
	token = signed("RS256", key(), map[string]any{
		"iss": "https://issuer.example/", "aud": "api", "exp": time.Now().Add(time.Hour).Unix(),
		"cnf": map[string]any{"jkt": forge.Thumbprint(forge.OtherP256())},
	})
	return token, forge.Proof{
		Key: forge.OtherP256(), Method: "GET", URL: "https://api.example/", Token: token, ID: "1", At: time.Now(),
	}.String()
}

// TestAUsedProofStaysUsedWhenTheSettingsChange: an operator who reloads must not
// open a window for proofs that somebody recorded.
func TestAUsedProofStaysUsedWhenTheSettingsChange(t *testing.T) {
	p := auth0jwt.New(auth0jwt.Options{Logger: slog.New(slog.DiscardHandler)})
	defer p.Close()
	bound, proof := boundToken()
	for _, want := range []int{200, 401, 401} {
		w := httptest.NewRecorder()
		p.RequestFilter(parse(t, p, conf(`,"dpop":"require"`)), w, onHTTPS{newRequest("Authorization", "DPoP "+bound, "DPoP", proof)})
		if w.Code != want {
			t.Errorf("%d %s, want %d", w.Code, w.Body, want)
		}
		p.Configure(auth0jwt.Options{Logger: slog.New(slog.DiscardHandler)})
	}
}
