package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

const (
	refreshAhead = time.Minute     // a token with less left is refreshed first
	refreshRest  = 2 * time.Second // after the issuer did not answer, while tokens are good
	writes       = 20              // a cookie is written anew this often within idle_timeout
)

// ErrSessionUnavailable means that there may be a session and nobody can say
// what it is worth now: its store is away, or its token is no longer good and
// the issuer does not refresh it. [Flow.Failure] is the answer.
var ErrSessionUnavailable = errors.New("the session is not available")

var errRevoked = errors.New("the session was revoked")

// Found is what a request's cookies came to.
type Found struct {
	// Session is nil where there is none.
	Session *session.Session
	// SetCookies are for the answer, whatever it is. Where there are any, the
	// answer must carry Cache-Control: no-store.
	SetCookies []string
	// Cause is for the log: why a session ended, or was not refreshed; "" is
	// nothing to say.
	Cause string
}

// Session finds the session of a request. A session that was revoked, was idle
// for too long or has ended is none. One whose token has under 60 s left is
// refreshed first; one that was not written for a twentieth of idle_timeout is
// written anew. The error is [ErrSessionUnavailable] or [ErrTooLarge]. A session
// that needs neither costs what [Sessions.Open] costs.
func (f *Flow) Session(ctx context.Context, req Request, now time.Time) (Found, error) {
	found, err := f.open(ctx, req, now)
	s := found.Session
	switch {
	case err != nil || s == nil:
		return found, err
	case f.refreshes(s, now):
		return f.refresh(ctx, req, s, now, good(s, now))
	case f.due(s, now):
		touched := *s
		touched.Written = now
		return f.save(ctx, req, &touched, now)
	}
	return found, nil
}

// Settled reports whether [Flow.Session] would give a session that was seen just
// as it is: it was not revoked and has not ended, and is neither refreshed nor
// written anew. It does no I/O and allocates nothing.
func (f *Flow) Settled(s *session.Session, now time.Time) bool {
	return now.Before(s.Ends) && now.Sub(s.Written) < f.o.Login.Session.IdleTimeout &&
		!f.refreshes(s, now) && !f.due(s, now) && !f.o.Revocations.Revoked(f.o.Issuer, s)
}

// refreshes reports whether a session's token is refreshed before the request
// is forwarded.
func (f *Flow) refreshes(s *session.Session, now time.Time) bool {
	return s.RefreshToken != "" && !s.Expires.IsZero() && s.Expires.Sub(now) < refreshAhead && !f.resting(s, now)
}

// due reports whether a session is written anew as it is. One that a refresh is
// about to replace is not: written by a request that came just before it, the
// cookie could reach the browser after its successor's.
func (f *Flow) due(s *session.Session, now time.Time) bool {
	between := f.o.Login.Session.IdleTimeout / writes
	if s.RefreshToken != "" && !s.Expires.IsZero() && s.Expires.Sub(now) < refreshAhead+min(refreshAhead, between) {
		return false
	}
	return now.Sub(s.Written) >= between
}

// Renew refreshes a session whose token turned out not to be good, whatever its
// time: expired, revoked, its key gone. Without a refresh token it is no session
// any more. The error is [ErrSessionUnavailable] where the issuer does not
// refresh it now.
func (f *Flow) Renew(ctx context.Context, req Request, s *session.Session, now time.Time) (Found, error) {
	if s.RefreshToken == "" {
		return f.end(ctx, req, s, "the session's token is no longer good, and there is no refresh token"), nil
	}
	return f.refresh(ctx, req, s, now, false)
}

// End forgets a session whose token is still not good once it was renewed.
func (f *Flow) End(ctx context.Context, req Request, s *session.Session) Found {
	return f.end(ctx, req, s, "the session's token is not good, and a new one is not either")
}

// Failure is the answer to an error of [Flow.Session] or [Flow.Renew].
func (f *Flow) Failure(req Request, err error) Answer {
	if errors.Is(err, ErrTooLarge) {
		return f.tooLarge(req)
	}
	return f.unavailable(req, err.Error(), noWay)
}

func (f *Flow) tooLarge(req Request) Answer {
	p := page{
		status: http.StatusInternalServerError, reason: ReasonFailed, code: "server_error",
		title: "The session is too large",
		text:  "Your session does not fit into this application's cookies. Its operator can make room with session.store: redis.",
		cause: "the session does not fit its cookies; session.store: redis has room",
	}
	if f.o.Login.Session.Redis { // which only a token that is too long does not fit
		p.text = "The login service says more about you than this application can read."
		p.cause = "a token of the issuer's is longer than 16 KiB"
	}
	return f.answer(req, p)
}

// open is Session without anything that changes it.
func (f *Flow) open(ctx context.Context, req Request, now time.Time) (Found, error) {
	lines := values(req, "Cookie")
	if len(lines) == 0 {
		return Found{}, nil
	}
	s, stale, err := f.o.Sessions.Open(ctx, lines, now)
	switch {
	case err != nil:
		return Found{}, fmt.Errorf("%w: its store cannot be asked", ErrSessionUnavailable)
	case s == nil && stale:
		return f.end(ctx, req, nil, "a session's cookie does not open"), nil
	case s == nil:
		return Found{}, nil
	case f.o.Revocations.Revoked(f.o.Issuer, s):
		return f.end(ctx, req, s, errRevoked.Error()), nil
	case !now.Before(s.Ends) || now.Sub(s.Written) >= f.o.Login.Session.IdleTimeout:
		return f.end(ctx, req, s, "the session's time has passed"), nil
	}
	return Found{Session: s}, nil
}

// end forgets a session. That its store cannot be asked changes nothing: the
// session ended for a reason that will hold the next time too.
func (f *Flow) end(ctx context.Context, req Request, s *session.Session, cause string) Found {
	setCookies, err := f.o.Sessions.Delete(ctx, s, values(req, "Cookie"))
	if err != nil {
		cause += "; its record could not be deleted"
	}
	return Found{SetCookies: setCookies, Cause: cause}
}

func (f *Flow) save(ctx context.Context, req Request, s *session.Session, now time.Time) (Found, error) {
	setCookies, err := f.o.Sessions.Save(ctx, s, values(req, "Cookie"), now)
	switch {
	case errors.Is(err, ErrTooLarge):
		return Found{}, ErrTooLarge
	case err != nil:
		return Found{}, fmt.Errorf("%w: it could not be saved", ErrSessionUnavailable)
	}
	return Found{Session: s, SetCookies: setCookies}, nil
}

// refresh replaces a session by its successor. Whether the token it has would
// do meanwhile is tokenGood.
func (f *Flow) refresh(ctx context.Context, req Request, s *session.Session, now time.Time, tokenGood bool) (Found, error) {
	next, err := f.o.Sessions.Refresh(ctx, s, now, func(ctx context.Context) (*session.Session, error) {
		return f.successor(ctx, s, now)
	})
	// A logout may have come while the issuer was asked.
	revoked := f.o.Revocations.Revoked(f.o.Issuer, s) || next != nil && f.o.Revocations.Revoked(f.o.Issuer, next)
	switch {
	case revoked || errors.Is(err, errRevoked):
		return f.end(ctx, req, s, errRevoked.Error()), nil
	case errors.Is(err, ErrInvalidGrant):
		return f.end(ctx, req, s, "the refresh token is no longer good"), nil
	case errors.Is(err, ErrTooLarge):
		return Found{}, ErrTooLarge
	case err == nil && next != nil:
		return f.save(ctx, req, next, now)
	case err == nil:
		err = errors.New("no session came of it")
	}
	if errors.Is(err, ErrUnavailable) { // and not that this one client went away
		f.restUntil.Store(now.Add(refreshRest).UnixMilli())
	}
	cause := causeOf("the refresh", err, s.RefreshToken, s.AccessToken, s.IDToken)
	if tokenGood {
		return Found{Session: s, Cause: cause}, nil
	}
	return Found{}, fmt.Errorf("%w: %s", ErrSessionUnavailable, cause)
}

// resting reports whether the issuer did not answer a moment ago and the token
// is still good, so that not every request of its last minute waits for it.
func (f *Flow) resting(s *session.Session, now time.Time) bool {
	return good(s, now) && now.UnixMilli() < f.restUntil.Load()
}

func good(s *session.Session, now time.Time) bool {
	return s.Expires.IsZero() || now.Before(s.Expires)
}

// successor asks the issuer for new tokens (OpenID Connect Core 1.0 section 12).
func (f *Flow) successor(ctx context.Context, s *session.Session, now time.Time) (*session.Session, error) {
	tokens, err := f.o.Provider.Refresh(ctx, s.RefreshToken)
	if err != nil {
		return nil, err
	}
	if f.o.Revocations.Revoked(f.o.Issuer, s) {
		f.revokeAtIssuer(ctx, tokens.RefreshToken)
		return nil, errRevoked
	}
	next := *s
	next.Written = now
	next.Refreshes++
	if tokens.RefreshToken != "" {
		next.RefreshToken = tokens.RefreshToken
	}
	var id Identity
	if tokens.IDToken != "" {
		id, err = f.o.Provider.IDToken(ctx, tokens.IDToken, "", tokens.AccessToken, now)
		if err != nil {
			return nil, errors.New(causeOf("the new ID token", err, tokens.IDToken, tokens.AccessToken, tokens.RefreshToken))
		}
		if id.Subject != s.Subject {
			return nil, errors.New("the new ID token is another user's")
		}
		if next.SID == "" {
			next.SID = id.SID
		}
		next.Ends = earlier(next.Ends, id.SessionExpiry)
	}
	if err := f.keep(&next, tokens, id, now); err != nil {
		return nil, err
	}
	return &next, nil
}

// keep puts into a session the tokens that the route needs, and no others.
func (f *Flow) keep(s *session.Session, tokens Tokens, id Identity, now time.Time) error {
	l := f.o.Login
	if l.JudgeIDToken && tokens.IDToken == "" {
		return errors.New("the answer has no ID token")
	}
	if (!l.JudgeIDToken || l.ForwardAccessToken) && tokens.AccessToken == "" {
		return errors.New("the answer has no access token")
	}
	if !l.JudgeIDToken || l.ForwardAccessToken {
		s.AccessToken = tokens.AccessToken
	}
	if (l.JudgeIDToken || f.o.KeepIDToken()) && tokens.IDToken != "" {
		s.IDToken = tokens.IDToken
	}
	switch {
	case l.JudgeIDToken:
		s.Expires = id.Expires
	case tokens.ExpiresIn > 0:
		s.Expires = now.Add(tokens.ExpiresIn)
	default:
		s.Expires = time.Time{}
	}
	return nil
}

// earlier is the earlier of two times, where zero is none.
func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}
