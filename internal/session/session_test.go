package session_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

var (
	start   = time.UnixMilli(1_800_000_000_123)
	binding = session.Binding{Cookie: "__Host-auth0_session", ClientID: "client", Issuer: "https://tenant.example/", Origin: "https://app.example"}
)

// secretOf makes a secret of 32 times the letter.
func secretOf(t testing.TB, letter string) *secret.Secret {
	t.Helper()
	name := "SECRET_" + letter
	t.Setenv(name, strings.Repeat(letter, 32))
	s, err := secret.Open("$env://"+name, secret.Options{Now: start})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sealer(t testing.TB, b session.Binding, letters ...string) *session.Sealer {
	t.Helper()
	var secrets []*secret.Secret
	for _, letter := range letters {
		secrets = append(secrets, secretOf(t, letter))
	}
	return session.NewSealer(secrets, b)
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// jwt is a token in the form of RS256, with random bytes for its signature.
func jwt(header, claims string) string {
	signature := make([]byte, 256)
	_, _ = rand.Read(signature)
	return b64([]byte(header)) + "." + b64([]byte(claims)) + "." + b64(signature)
}

// auth0 is a session with tokens of the form that Auth0 gives.
func auth0() *session.Session {
	const header = `{"alg":"RS256","typ":"JWT","kid":"NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg"}`
	s := &session.Session{
		Begun: start, Ends: start.Add(72 * time.Hour), Written: start, Expires: start.Add(time.Hour),
		AccessToken:  jwt(header, fmt.Sprintf(`{"iss":"https://tenant.eu.auth0.com/","sub":"auth0|65f1c0ffee00112233445566","aud":["https://api.example.com/","https://tenant.eu.auth0.com/userinfo"],"iat":1800000000,"exp":1800003600,"scope":"openid profile email offline_access","azp":"%s","permissions":["read:orders","write:orders"]}`, strings.Repeat("c", 32))),
		IDToken:      jwt(header, fmt.Sprintf(`{"given_name":"Ada","family_name":"Lovelace","nickname":"ada","name":"Ada Lovelace","picture":"https://s.gravatar.com/avatar/0123456789abcdef0123456789abcdef?s=480&r=pg&d=https%%3A%%2F%%2Fcdn.auth0.com%%2Favatars%%2Fal.png","updated_at":"2026-11-25T03:00:00.000Z","email":"ada@example.com","email_verified":true,"iss":"https://tenant.eu.auth0.com/","aud":"%s","iat":1800000000,"exp":1800036000,"sub":"auth0|65f1c0ffee00112233445566","sid":"%s","nonce":"%s"}`, strings.Repeat("c", 32), strings.Repeat("s", 32), strings.Repeat("n", 43))),
		RefreshToken: "v1." + b64([]byte(strings.Repeat("r", 42))) + "x",
		SID:          strings.Repeat("s", 32), Subject: "auth0|65f1c0ffee00112233445566", SteppedUp: "K7fjZ2m9vQA", Refreshes: 3,
	}
	_, _ = rand.Read(s.ID[:])
	return s
}
