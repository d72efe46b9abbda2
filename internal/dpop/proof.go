// Package dpop checks DPoP proofs (RFC 9449). It must not know which were seen,
// policies or where a request comes from.
package dpop

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// MaxAge is how old a proof may be (RFC 9449 section 11.1), besides leeway.
const MaxAge = time.Minute

// Expected is what a proof has to be about.
type Expected struct {
	Method     string // of the request
	URL        URL    // of the request, as its client sees it
	Token      string // the access token
	Thumbprint string // cnf.jkt of the token
	Now        time.Time
	Leeway     time.Duration // clock skew that this route allows
	MaxLeeway  time.Duration // the greatest that any route may allow
}

// ID names a proof for the replay memory: a hash of its key and its jti.
type ID [16]byte

// Proof is a good proof.
type Proof struct {
	ID      ID
	Expires time.Time // from here on no route takes it, whatever its leeway
}

// The reasons why a proof is refused, for the log. They hold nothing of it.
var (
	ErrMalformed  = errors.New("the proof is not a well-formed JWT")
	ErrType       = errors.New("the proof's typ is not dpop+jwt")
	ErrAlgorithm  = errors.New("the proof's algorithm is not allowed")
	ErrKey        = errors.New("the proof's jwk is not a public key that fits its algorithm")
	ErrThumbprint = errors.New("the token is bound to another key")
	ErrSignature  = errors.New("the proof's signature is not valid")
	ErrMethod     = errors.New("the proof is for another method")
	ErrURL        = errors.New("the proof is for another URL")
	ErrTime       = errors.New("the proof is too old or from the future")
	ErrToken      = errors.New("the proof is for another token")
	ErrID         = errors.New("the proof has no jti")
)

// Verify holds a proof against what is expected: the checks of RFC 9449 section
// 4.3 but the first (one header) and the last (replay), which need more than
// the proof.
func Verify(raw string, want Expected) (Proof, error) {
	t, err := token.Parse(raw)
	switch {
	case err != nil:
		return Proof{}, ErrMalformed
	case !strings.EqualFold(t.Typ, "dpop+jwt"):
		return Proof{}, ErrType
	case !jwk.IsAsymmetric(t.Alg): // section 4.3 check 5
		return Proof{}, ErrAlgorithm
	}
	members, _ := t.Header["jwk"].(map[string]any)
	key, err := jwk.ParseUntrusted(members)
	if err != nil || !key.Fits(t.Alg) {
		return Proof{}, ErrKey
	}
	thumbprint := jwk.Thumbprint(key.Public())
	// Before the signature: only the token's own key is worth its cost.
	if thumbprint == "" || subtle.ConstantTimeCompare([]byte(thumbprint), []byte(want.Thumbprint)) != 1 {
		return Proof{}, ErrThumbprint
	}
	if jwk.Verify(t.Alg, t.SigningInput, t.Signature, key.Public()) != nil {
		return Proof{}, ErrSignature
	}
	return verifyClaims(t, thumbprint, want)
}

func verifyClaims(t *token.Untrusted, thumbprint string, want Expected) (Proof, error) {
	sum := sha256.Sum256([]byte(want.Token))
	jti := t.String("jti")
	htu, isURL := parseURL(t.String("htu"))
	switch {
	case jti == "":
		return Proof{}, ErrID
	case t.String("htm") != want.Method:
		return Proof{}, ErrMethod
	case !isURL || htu != want.URL:
		return Proof{}, ErrURL
	case !timely(t, want):
		return Proof{}, ErrTime
	case t.String("ath") != base64.RawURLEncoding.EncodeToString(sum[:]):
		return Proof{}, ErrToken
	}
	seen := sha256.Sum256([]byte(thumbprint + "\x00" + jti))
	iat, _ := seconds(t.Claims["iat"])
	// Another route, or another gateway, may have a greater leeway than this
	// one: the proof is remembered until none takes it.
	last := iat + (MaxAge + max(want.Leeway, want.MaxLeeway)).Seconds()
	return Proof{ID: ID(seen[:16]), Expires: time.Unix(int64(last)+1, 0)}, nil
}

// timely reports whether iat is there and recent (section 4.3 check 11). A
// proof need not have exp or nbf; one that has them is held to them (RFC 7519
// sections 4.1.4 and 4.1.5).
func timely(t *token.Untrusted, want Expected) bool {
	now, leeway := float64(want.Now.UnixNano())/1e9, want.Leeway.Seconds()
	iat, ok := seconds(t.Claims["iat"])
	if !ok || now >= iat+MaxAge.Seconds()+leeway || iat > now+leeway {
		return false
	}
	if v, there := t.Claims["exp"]; there {
		if exp, ok := seconds(v); !ok || now >= exp+leeway {
			return false
		}
	}
	if v, there := t.Claims["nbf"]; there {
		if nbf, ok := seconds(v); !ok || nbf > now+leeway {
			return false
		}
	}
	return true
}

func seconds(v any) (float64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	return strictjson.Finite(n)
}
