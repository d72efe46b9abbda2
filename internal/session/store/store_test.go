package store_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silence{}) // it would write what the tests provoke to standard error
	goleak.VerifyTestMain(m)
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

const idle = 24 * time.Hour

var (
	// start is near the time of Redis, which has no other.
	start   = time.Now().Truncate(time.Millisecond)
	binding = session.Binding{Cookie: "__Host-auth0_session", ClientID: "client", Issuer: "https://tenant.example/", Origin: "https://app.example"}
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func sealer(t testing.TB, b session.Binding, letters ...string) *session.Sealer {
	t.Helper()
	var secrets []*secret.Secret
	for _, letter := range letters {
		t.Setenv("SECRET_"+letter, strings.Repeat(letter, 32))
		secrets = append(secrets, must(secret.Open("$env://SECRET_"+letter, secret.Options{Now: start})))
	}
	return session.NewSealer(secrets, b)
}

// options are those of a process of its own.
func options(t testing.TB) store.Options {
	t.Helper()
	memory := store.NewMemory(1 << 20)
	t.Cleanup(memory.Close)
	return store.Options{Memory: memory, Sealer: sealer(t, binding, "a"), Idle: idle, Now: func() time.Time { return start }}
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func jwt(claims int) string {
	const header = `{"alg":"RS256","typ":"JWT","kid":"NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg"}`
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + random(claims) + "." + random(256)
}

// fresh is a session whose tokens have the lengths of Auth0's: 900 bytes of access
// token, 1,000 of ID token and 60 of refresh token.
func fresh() *session.Session {
	s := &session.Session{
		Begun: start, Ends: start.Add(72 * time.Hour), Written: start, Expires: start.Add(time.Hour),
		AccessToken: jwt(330), IDToken: jwt(405), RefreshToken: random(45),
		SID: random(24), Subject: "auth0|65f1c0ffee00112233445566",
	}
	_, _ = rand.Read(s.ID[:])
	return s
}

func large() *session.Session {
	s := fresh()
	s.IDToken = jwt(1950)
	return s
}

// successor is what a refresh makes of a session.
func successor(s *session.Session) *session.Session {
	next := *s
	next.AccessToken, next.RefreshToken, next.Expires = jwt(330), random(45), s.Expires.Add(time.Hour)
	next.Refreshes++
	return &next
}

// jar is a browser's cookies of one origin.
type jar map[string]string

// take does what Set-Cookie values say.
func (j jar) take(set []string) {
	for _, one := range set {
		pair, attributes, _ := strings.Cut(one, "; ")
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(attributes, "Max-Age=0;") {
			delete(j, name)
		} else {
			j[name] = value
		}
	}
}

// lines are the Cookie header of a request.
func (j jar) lines() []string {
	var pairs []string
	for name, value := range j {
		pairs = append(pairs, name+"="+value)
	}
	slices.Sort(pairs)
	if pairs == nil {
		return nil
	}
	return []string{strings.Join(pairs, "; ")}
}

func client(t testing.TB, address string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: address, DialTimeout: time.Minute, ReadTimeout: time.Minute, WriteTimeout: time.Minute, PoolTimeout: time.Minute, ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}
