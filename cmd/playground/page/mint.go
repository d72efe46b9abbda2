package page

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

type mintCall struct {
	Config  string         `json:"config"`
	Variant string         `json:"variant"`
	Claims  map[string]any `json:"claims"`
}

type mintAnswer struct {
	Token  string          `json:"token"`
	Header json.RawMessage `json:"header"`
	Claims json.RawMessage `json:"claims"`
	Proof  string          `json:"proof,omitempty"`
}

// mint makes a new token, which tries with the same claims then use.
func (s *Server) mint(_ *http.Request, asked mintCall) (any, error) {
	_, conf := inspected(asked.Config)
	m, err := s.minted(conf, asked.Variant, asked.Claims, newToken)
	if err != nil {
		return nil, err
	}
	header, claims, err := decoded(m.token)
	if err != nil {
		return nil, err
	}
	answer := mintAnswer{Token: m.token, Header: header, Claims: claims}
	if m.variant.bound == boundWithProof {
		answer.Proof = s.keys.proof(http.MethodGet, s.opt.Bench.Site().Gateway+tryPrefix, m.token, time.Now())
	}
	return answer, nil
}

// decoded are header and claims of a token, as they were signed.
func decoded(token string) (header, claims json.RawMessage, err error) {
	parts := strings.Split(token, ".")
	if header, err = base64.RawURLEncoding.DecodeString(parts[0]); err != nil {
		return nil, nil, err
	}
	claims, err = base64.RawURLEncoding.DecodeString(parts[1])
	return header, claims, err
}

// minting is a token and the variant that it is of.
type minting struct {
	token   string
	variant variant
}

// freshness says whether a caller comes with the token that it had before, as
// clients do, or with a new one, as after a login.
type freshness uint8

const (
	keptToken freshness = iota
	newToken
)

// minted is a token for a configuration, nil where it has errors. What the claims
// say wins over what the configuration asks for.
func (s *Server) minted(conf *config.Config, variantID string, claims map[string]any, fresh freshness) (minting, error) {
	v, known := variantOf(variantID)
	if !known {
		return minting{}, badCall("There is no variant of that name.")
	}
	r := issuer.MintRequest{Claims: maps.Clone(claims)}
	if r.Claims == nil {
		r.Claims = map[string]any{}
	}
	s.suit(&r, conf, v.tenant)
	if v.bound != unbound {
		r.Claims["cnf"] = map[string]any{"jkt": forge.Thumbprint(s.keys.signer())}
	}
	name, err := json.Marshal([]any{v.ID, r})
	if err != nil {
		return minting{}, badCall("The claims cannot be written as JSON.")
	}
	if token := s.tokens.get(sha256.Sum256(name)); token != "" && fresh == keptToken {
		return minting{token, v}, nil
	}
	if v.spoil != nil {
		v.spoil(&r, time.Now())
	}
	token, err := s.opt.Bench.Mint(v.tenant, r)
	if err != nil {
		return minting{}, badCall("The issuer cannot make such a token: %v.", err)
	}
	s.tokens.put(sha256.Sum256(name), token)
	return minting{token, v}, nil
}

// suit gives a token what any good client of the route would bring: the audience,
// the client and the profile that the configuration asks for.
func (s *Server) suit(r *issuer.MintRequest, conf *config.Config, t Tenant) {
	if conf == nil {
		return
	}
	site := s.opt.Bench.Site()
	name := site.Issuer
	if t == Other {
		name = site.OtherIssuer
	}
	at := max(0, slices.IndexFunc(conf.Issuers, func(i config.Issuer) bool { return i.Issuer == name }))
	of := conf.Issuers[at]
	give := func(claim string, value any) {
		if _, there := r.Claims[claim]; !there {
			r.Claims[claim] = value
		}
	}
	if len(of.Audience) > 0 && !of.AnyAudience {
		give("aud", of.Audience[0])
	}
	if len(conf.AllowedClients) > 0 {
		give("azp", conf.AllowedClients[0])
	}
	if len(of.Algorithms) > 0 && len(of.Secrets) == 0 {
		r.Alg = of.Algorithms[0]
	}
	if of.TokenProfile == config.ProfileRFC9068 {
		r.Header = map[string]any{"typ": "at+jwt"}
		give("client_id", "client-1")
		give("jti", "playground")
	}
}

// tokenShelf keeps the tokens of callers that come again: an issuer that is
// rotated, or a user who is revoked, shows in a token from before.
type tokenShelf struct {
	mu     sync.Mutex
	tokens map[[32]byte]shelved
}

type shelved struct {
	token string
	until time.Time
}

const (
	shelfSize = 64
	shelfTime = 30 * time.Minute // half the life of a token
)

func (t *tokenShelf) get(name [32]byte) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if kept := t.tokens[name]; time.Now().Before(kept.until) {
		return kept.token
	}
	return ""
}

func (t *tokenShelf) put(name [32]byte, token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tokens == nil || len(t.tokens) >= shelfSize {
		t.tokens = map[[32]byte]shelved{}
	}
	t.tokens[name] = shelved{token, time.Now().Add(shelfTime)}
}

// proofKeys are the client's key, which its DPoP tokens are bound to.
type proofKeys struct {
	once sync.Once
	key  crypto.Signer
}

func (k *proofKeys) signer() crypto.Signer {
	k.once.Do(func() { k.key = forge.NewEC(elliptic.P256()) })
	return k.key
}

// proof is a fresh one for a request (RFC 9449 section 4.2); its URL has neither
// query nor fragment.
func (k *proofKeys) proof(method, url, token string, now time.Time) string {
	url, _, _ = strings.Cut(url, "?")
	return forge.Proof{Key: k.signer(), Method: method, URL: url, Token: token, ID: rand.Text(), At: now}.String()
}
