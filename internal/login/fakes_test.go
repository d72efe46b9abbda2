package login_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

// sealer seals as the product does: AES-GCM under keys of each secret.
type sealer struct{ secrets []string }

type key struct{ secret string }

func (k key) Derive(label string, seed []byte, n int) []byte {
	b, err := hkdf.Key(sha256.New, []byte(k.secret), seed, label, n)
	if err != nil {
		panic(err)
	}
	return b
}

func (k key) aead() cipher.AEAD {
	block, _ := aes.NewCipher(k.Derive("seal", nil, 32))
	aead, _ := cipher.NewGCMWithRandomNonce(block)
	return aead
}

func (k key) Seal(plaintext []byte) string {
	return base64.RawURLEncoding.EncodeToString(k.aead().Seal(nil, nil, plaintext, nil))
}

func (s *sealer) First(time.Time) login.Key { return key{s.secrets[0]} }

func (s *sealer) Open(text string, _ time.Time) ([]byte, login.Key, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, nil, err
	}
	for _, secret := range s.secrets {
		if plain, err := (key{secret}).aead().Open(nil, nil, b, nil); err == nil {
			return plain, key{secret}, nil
		}
	}
	return nil, nil, errors.New("it does not open")
}

// provider is an issuer whose every answer a test may change.
type provider struct {
	mu          sync.Mutex
	asked       []login.Authorization
	exchanged   []string // code and verifier
	revoked     []string
	endHints    []string
	authorize   error
	tokens      login.Tokens
	exchange    error
	onExchange  func()
	refreshed   login.Tokens
	refresh     error
	onRefresh   func()
	refreshes   int
	revoke      error
	endSession  string // "" is none
	endErr      error
	id          login.Identity
	idErr       error
	logoutToken login.Logout
	logoutErr   error
	promisesIss bool
	issuerErr   error
}

func (p *provider) AuthorizationURL(_ context.Context, a login.Authorization) (string, error) {
	if p.authorize != nil {
		return "", p.authorize
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	a.Params = maps.Clone(a.Params)
	p.asked = append(p.asked, a)
	q := url.Values{"state": {a.State}, "nonce": {a.Nonce}}
	for name, value := range a.Params {
		q.Set(name, value)
	}
	return issuer + "authorize?" + q.Encode(), nil
}

func (p *provider) Exchange(_ context.Context, code, verifier string) (login.Tokens, error) {
	p.mu.Lock()
	p.exchanged = append(p.exchanged, code+" "+verifier)
	p.mu.Unlock()
	if p.onExchange != nil {
		p.onExchange()
	}
	return p.tokens, p.exchange
}

func (p *provider) Refresh(context.Context, string) (login.Tokens, error) {
	p.mu.Lock()
	p.refreshes++
	p.mu.Unlock()
	if p.onRefresh != nil {
		p.onRefresh()
	}
	return p.refreshed, p.refresh
}

func (p *provider) Revoke(_ context.Context, refreshToken string) error {
	p.revoked = append(p.revoked, refreshToken)
	return p.revoke
}

func (p *provider) EndSessionURL(_ context.Context, hint, back, _ string) (string, error) {
	p.endHints = append(p.endHints, hint)
	if p.endErr != nil || p.endSession == "" {
		return "", p.endErr
	}
	return p.endSession + "?" + url.Values{"post_logout_redirect_uri": {back}}.Encode(), nil
}

// IDToken takes an ID token that says the nonce that was asked for; the tests'
// ID tokens are "id" and a nonce, or any that a refresh brought.
func (p *provider) IDToken(_ context.Context, raw, nonce, _ string, _ time.Time) (login.Identity, error) {
	if p.idErr != nil {
		return login.Identity{}, p.idErr
	}
	if got, ours := strings.CutPrefix(raw, "wrong-nonce"); ours && got != nonce {
		return login.Identity{}, errors.New("the nonce is another's")
	}
	return p.id, nil
}

func (p *provider) LogoutToken(context.Context, string, time.Time) (login.Logout, error) {
	return p.logoutToken, p.logoutErr
}

func (p *provider) Issuer(context.Context) (string, bool, error) {
	return issuer, p.promisesIss, p.issuerErr
}

// sessions keep everything in memory, under a fresh cookie for each Save.
type sessions struct {
	mu      sync.Mutex
	kept    map[string]*session.Session
	opens   int
	saves   int
	deleted int
	count   int

	openErr, saveErr, deleteErr error

	refreshMu sync.Mutex
	next      map[string]*session.Session // by refresh token
}

const cookieName = "__Host-auth0_session"

func cookieOf(lines []string) (string, bool) {
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			if name, value, _ := strings.Cut(strings.TrimSpace(pair), "="); name == cookieName {
				return value, true
			}
		}
	}
	return "", false
}

func (s *sessions) Open(_ context.Context, lines []string, _ time.Time) (*session.Session, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opens++
	value, there := cookieOf(lines)
	if s.openErr != nil && there {
		return nil, false, s.openErr
	}
	found := s.kept[value]
	return found, there && found == nil, nil
}

func (s *sessions) Save(_ context.Context, kept *session.Session, _ []string, _ time.Time) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saveErr != nil {
		return nil, s.saveErr
	}
	s.saves++
	s.count++
	value := fmt.Sprintf("cookie-%d", s.count)
	s.kept[value] = kept
	return []string{cookieName + "=" + value + "; Path=/; Secure; HttpOnly; SameSite=Lax"}, nil
}

func (s *sessions) Delete(_ context.Context, _ *session.Session, lines []string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deleted++
	if value, there := cookieOf(lines); there && s.deleteErr == nil {
		delete(s.kept, value)
	}
	return []string{cookieName + "=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"}, s.deleteErr
}

func (s *sessions) Refresh(ctx context.Context, old *session.Session, _ time.Time, refresh func(context.Context) (*session.Session, error)) (*session.Session, error) {
	s.refreshMu.Lock()
	defer s.refreshMu.Unlock()
	if next := s.next[old.RefreshToken]; next != nil {
		return next, nil
	}
	next, err := refresh(ctx)
	if err == nil {
		s.next[old.RefreshToken] = next
	}
	return next, err
}

func (s *sessions) Names() []string { return []string{cookieName} }

// once remembers; err is a memory that cannot be asked.
type once struct {
	mu   sync.Mutex
	seen map[string]bool
	err  error
}

func (o *once) First(_ context.Context, id string, _, _ time.Time) (bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return false, o.err
	}
	first := !o.seen[id]
	o.seen[id] = true
	return first, nil
}

// revocations note what was revoked.
type revocations struct {
	mu       sync.Mutex
	sessions map[[16]byte]bool
	sids     map[string]bool
	subjects map[string]time.Time
	err      error
}

func (r *revocations) Revoked(_ string, s *session.Session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, there := r.subjects[s.Subject]
	return r.sessions[s.ID] || s.SID != "" && r.sids[s.SID] || there && !s.Begun.After(until)
}

func (r *revocations) RevokeSession(_ context.Context, _ string, s *session.Session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.sessions[s.ID] = true
	}
	return r.err
}

func (r *revocations) RevokeLogin(_ context.Context, _, sid, subject string, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.err != nil:
	case sid != "":
		r.sids[sid] = true
	default:
		r.subjects[subject] = now
	}
	return r.err
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
