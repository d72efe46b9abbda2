package login

import (
	"context"
	"errors"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

// Provider is an OpenID client of one application: what the flow asks the
// issuer for, and what it has checked. Every method that waits is bounded by
// 5 s. Errors are [*ProviderError] where the issuer answered with one;
// [ErrUnavailable] where it did not answer, or answered 5xx; [ErrTooLarge] where a
// token is longer than any that is read; any other error is an answer that cannot
// be used.
type Provider interface {
	// AuthorizationURL is where the browser is sent (OpenID Connect Core 1.0
	// section 3.1.2.1), with the parameters pushed first where that is
	// configured or required (RFC 9126).
	AuthorizationURL(ctx context.Context, a Authorization) (string, error)
	// Exchange redeems a code (section 3.1.3).
	Exchange(ctx context.Context, code, verifier string) (Tokens, error)
	// Refresh redeems a refresh token (section 12).
	Refresh(ctx context.Context, refreshToken string) (Tokens, error)
	// Revoke ends a refresh token (RFC 7009). It is nil where the issuer offers
	// no endpoint for it.
	Revoke(ctx context.Context, refreshToken string) error
	// EndSessionURL is where a browser is sent to log out at the issuer
	// (OpenID Connect RP-Initiated Logout 1.0, or Auth0's /v2/logout); "" is
	// nowhere. hint is the logout_hint, "" for none.
	EndSessionURL(ctx context.Context, hint, postLogoutRedirectURI, state string) (string, error)
	// IDToken checks an ID token whole (Core section 3.1.3.7). nonce is "" for
	// one that a refresh brought (section 12.2); accessToken is what at_hash is
	// compared with.
	IDToken(ctx context.Context, raw, nonce, accessToken string, now time.Time) (Identity, error)
	// LogoutToken checks a logout token (Back-Channel Logout 1.0 section 2.6)
	// but for its jti having been seen.
	LogoutToken(ctx context.Context, raw string, now time.Time) (Logout, error)
	// Issuer is the issuer's identifier, and whether its discovery document says
	// that answers carry iss (RFC 9207).
	Issuer(ctx context.Context) (issuer string, issInAnswers bool, err error)
}

// Authorization is what one login asks for.
type Authorization struct {
	State, Nonce, Verifier string            // the verifier of PKCE (RFC 7636), S256
	Params                 map[string]string // further parameters: those of the configuration, then those of this login
}

// Tokens are a token endpoint's answer.
type Tokens struct {
	AccessToken, IDToken, RefreshToken string
	ExpiresIn                          time.Duration // of the access token; 0 where neither it nor the token says
}

// Identity is what a checked ID token says.
type Identity struct {
	Subject, SID, ACR, OrgID, OrgName string
	AuthTime, IssuedAt, Expires       time.Time // AuthTime is zero where it is not said
	SessionExpiry                     time.Time // zero where it is not said
	Claims                            map[string]any
}

// Logout is what a checked logout token says.
type Logout struct {
	Issuer, SID, Subject, JTI string
	Expires                   time.Time
}

// The errors of a [Provider].
var (
	// ErrUnavailable means that the issuer did not answer, or with a status of 5xx.
	ErrUnavailable = errors.New("the issuer does not answer")
	// ErrInvalidGrant means that the code or the refresh token is not, or no
	// longer, good (RFC 6749 section 5.2).
	ErrInvalidGrant = errors.New("invalid_grant")
)

// ProviderError is an error that the issuer answered (RFC 6749 section 5.2).
// Code is one of the registered ones, or "other".
type ProviderError struct{ Code string }

func (e *ProviderError) Error() string { return "the issuer answered " + e.Code }

// Is makes ErrInvalidGrant of invalid_grant.
func (e *ProviderError) Is(target error) bool {
	return target == ErrInvalidGrant && e.Code == "invalid_grant"
}

// Sessions keep sessions between requests: in the browser's cookies, or in
// Redis. A value is for one cookie name, client, issuer and origin.
type Sessions interface {
	// Open finds the session of a request's Cookie header lines. It is nil where
	// there is none: no cookie, one that does not open, an end that has passed.
	// stale are the session's cookies that are there and of no use, so that they
	// are deleted. An error means that the store cannot be asked.
	Open(ctx context.Context, cookieLines []string, now time.Time) (s *session.Session, stale bool, err error)
	// Save keeps a session and gives the Set-Cookie values that carry it, those
	// included that delete what an earlier one needed and this one does not.
	// [ErrTooLarge] is a session that does not fit.
	Save(ctx context.Context, s *session.Session, cookieLines []string, now time.Time) (setCookies []string, err error)
	// Delete forgets a session, which may be nil, and gives the Set-Cookie values that
	// delete its cookies. They are good with an error too.
	Delete(ctx context.Context, s *session.Session, cookieLines []string) (setCookies []string, err error)
	// Refresh runs refresh once for all requests that carry the same session at
	// the same time, in every process that shares the store, and gives all of
	// them what came of it. Whoever comes within 60 s after it with the old
	// session gets the same successor.
	Refresh(ctx context.Context, s *session.Session, now time.Time, refresh func(context.Context) (*session.Session, error)) (*session.Session, error)
	// Names are the names of the cookies, so that the upstream does not get them.
	Names() []string
}

// ErrTooLarge is a session that fits no cookie, for which session.store: redis
// has room, or a token of a [Provider] that is longer than any that is read.
var ErrTooLarge = errors.New("the session does not fit")

// Once remembers what may be used once: states and the jti of logout tokens.
type Once interface {
	// First reports whether id was not seen before, and notes it until expires.
	// An error means that nobody knows.
	First(ctx context.Context, id string, expires, now time.Time) (bool, error)
}

// Revocations end sessions before their time (by its issuer's names for them,
// sid and sub).
type Revocations interface {
	// Revoked reports whether a session was revoked: by its ID, its sid whenever
	// it began, or its subject where it began at or before the revocation. It
	// does no I/O.
	Revoked(issuer string, s *session.Session) bool
	// RevokeSession revokes a session by its ID, until it would have ended.
	RevokeSession(ctx context.Context, issuer string, s *session.Session) error
	// RevokeLogin revokes the sid, or where it is "" the subject as of now.
	RevokeLogin(ctx context.Context, issuer, sid, subject string, now time.Time) error
}

// Sealer has the keys of session.secret, for one application: what was sealed
// for another client, issuer or origin does not open.
type Sealer interface {
	// First is the key that seals.
	First(now time.Time) Key
	// Open opens what a [Key] sealed, and says which did.
	Open(text string, now time.Time) ([]byte, Key, error)
}

// Key is what came of one secret of session.secret.
type Key interface {
	// Seal encrypts and authenticates a state, as text that may stand in a query
	// argument as it is.
	Seal(plaintext []byte) string
	// Derive is n bytes that only who has the secret can make of the seed (HKDF,
	// RFC 5869), others for each label.
	Derive(label string, seed []byte, n int) []byte
}

// Request is one request as APISIX shows it.
type Request interface {
	// Method is the HTTP method, in capitals.
	Method() string
	// Path is the decoded path.
	Path() string
	// NumHeader is the number of header entries, repeats included.
	NumHeader() int
	// HeaderName is the name of entry i, in any letter case. It is not changed.
	HeaderName(i int) []byte
	// HeaderValue is the one value of entry i.
	HeaderValue(i int) string
	// Query is all arguments, decoded. It is not changed.
	Query() map[string][]string
	// Body is the request's body; [ErrBodyTooLarge] where it has more than limit
	// bytes. Only back-channel logout asks for it.
	Body(ctx context.Context, limit int) ([]byte, error)
}

// ErrBodyTooLarge is a body that is longer than what was asked for.
var ErrBodyTooLarge = errors.New("the body is too large")
