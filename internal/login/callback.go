package login

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

const exchangeTimeout = 5 * time.Second

// response is an authorization response (OpenID Connect Core 1.0 section 3.1.2.5
// and 3.1.2.6), each parameter "" where it is not there.
type response struct{ code, state, iss, err, description string }

// readResponse reports false where a parameter is repeated (RFC 6749 section
// 3.1): whoever reads it next might take the other. The state is read where it
// is there once, so that its cookie can be deleted all the same.
func readResponse(query map[string][]string) (r response, ok bool) {
	ok = true
	first := func(name string) string {
		if list := query[name]; len(list) == 1 {
			return list[0]
		}
		return ""
	}
	for _, list := range query {
		ok = ok && len(list) <= 1
	}
	return response{first("code"), first("state"), first("iss"), first("error"), first("error_description")}, ok
}

// callback answers the way back. Nothing in it redirects to the issuer, so that
// no login can loop; only a person's click starts another.
func (f *Flow) callback(ctx context.Context, req Request, now time.Time) Answer {
	r, once := readResponse(req.Query())
	t, key, err := f.unseal(r.state, now)
	if err != nil {
		t = transaction{returnPath: "/"}
	}
	seed, ours := f.seed(t, req)
	ours = ours && err == nil
	if !ours {
		if !once {
			return f.failed(req, http.StatusBadRequest, "a parameter of the callback is repeated", f.again(t.returnPath))
		}
		return f.withoutTransaction(ctx, req, t, "no transaction of this browser", now)
	}

	a := f.answerOurs(ctx, req, r, once, t, derive(key, seed), now)
	return a.WithCookies([]string{f.deleteTransaction(t.slot)})
}

// withoutTransaction is what a back button, a second click or a login of another
// browser comes to. A browser with a live session loses nothing by it.
func (f *Flow) withoutTransaction(ctx context.Context, req Request, t transaction, cause string, now time.Time) Answer {
	live, err := f.open(ctx, req, now)
	if err != nil {
		return f.unavailable(req, "the session store cannot be asked", f.again(t.returnPath))
	}
	// A session whose token cannot be good any more would be sent to log in from
	// the return path: that would be a redirect back by itself.
	if s := live.Session; s != nil && (good(s, now) || s.RefreshToken != "") {
		a := redirect(http.StatusSeeOther, t.returnPath, ReasonCompleted)
		a.Cause = cause + "; the browser has a session"
		return a
	}
	return f.failed(req, http.StatusBadRequest, cause, f.again(t.returnPath)).WithCookies(live.SetCookies)
}

// answerOurs answers for a transaction that this browser began.
func (f *Flow) answerOurs(ctx context.Context, req Request, r response, once bool, t transaction, own secrets, now time.Time) Answer {
	again := f.again(t.returnPath)
	first, err := f.o.Once.First(ctx, "login state "+hex.EncodeToString(t.seedHash[:]), t.begun.Add(transactionLife+time.Minute), now)
	switch {
	case err != nil:
		return f.unavailable(req, "whether the state was used cannot be asked", again)
	case !first:
		return f.withoutTransaction(ctx, req, t, "the transaction was used", now)
	case !f.current(t, now):
		return f.withoutTransaction(ctx, req, t, "the transaction is too old, or the clock was changed", now)
	case !once:
		return f.failed(req, http.StatusBadRequest, "a parameter of the callback is repeated", again)
	}

	if r.iss != "" && r.iss != f.o.Issuer { // RFC 9207 section 2.4
		return f.failed(req, http.StatusBadRequest, "the answer is another issuer's", again)
	}
	if r.iss == "" {
		_, promised, err := f.o.Provider.Issuer(ctx)
		switch {
		case err != nil && noAnswer(err):
			return f.unavailable(req, causeOf("the issuer's discovery", err, own.nonce, own.verifier, r.code), again)
		case err != nil:
			return f.failed(req, http.StatusBadGateway, causeOf("the issuer's discovery", err, own.nonce, own.verifier, r.code), again)
		case promised:
			return f.failed(req, http.StatusBadRequest, "the answer does not name its issuer, which says that it does", again)
		}
	}
	switch {
	case (r.code == "") == (r.err == ""):
		return f.failed(req, http.StatusBadRequest, "the answer must hold a code or an error", again)
	case r.err != "":
		return f.issuerError(req, r, again)
	}
	return f.exchange(ctx, req, r.code, t, own, now)
}

// issuerErrors are the errors that OAuth 2.0 (RFC 6749 section 4.1.2.1, RFC 8707)
// and OpenID Connect (Core section 3.1.2.6, and its unmet authentication
// requirements) name, and their status.
var issuerErrors = map[string]int{
	"server_error": 503, "temporarily_unavailable": 503,
	"invalid_request": 403, "unauthorized_client": 403, "access_denied": 403,
	"unsupported_response_type": 403, "invalid_scope": 403, "invalid_target": 403,
	"interaction_required": 403, "login_required": 403, "account_selection_required": 403,
	"consent_required": 403, "invalid_request_uri": 403, "invalid_request_object": 403,
	"request_not_supported": 403, "request_uri_not_supported": 403,
	"registration_not_supported": 403, "unmet_authentication_requirements": 403,
}

// issuerError tells the person what the issuer said: the transaction was this
// browser's own, so no link of somebody else's can put words here.
func (f *Flow) issuerError(req Request, r response, again way) Answer {
	p := page{
		status: issuerErrors[r.err], reason: ReasonFailed, code: "access_denied", way: again, said: printable(r.description),
		title: "You could not be logged in", text: "The login service did not let you in.", cause: "the issuer answered " + r.err,
	}
	switch p.status {
	case 0:
		p.status, p.code, p.cause = http.StatusBadRequest, "invalid_request", "the issuer answered an error that no standard names"
	case http.StatusServiceUnavailable:
		return f.unavailable(req, p.cause, again)
	}
	return f.answer(req, p)
}

// printable is at most 300 characters of a text, without control characters.
func printable(s string) string {
	runes := []rune(strings.ToValidUTF8(s, ""))
	runes = runes[:min(len(runes), 300)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1 // control characters, and those that turn a line around
		}
		return r
	}, string(runes))
}

// exchange redeems the code, checks what came and makes a new session. Its
// identifier is drawn here: none that a browser had before is ever used again.
func (f *Flow) exchange(ctx context.Context, req Request, code string, t transaction, own secrets, now time.Time) Answer {
	again := f.again(t.returnPath)
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	tokens, err := f.o.Provider.Exchange(ctx, code, own.verifier)
	withheld := []string{code, own.verifier, own.nonce, tokens.AccessToken, tokens.IDToken, tokens.RefreshToken}
	unusable := func(what string, err error) Answer {
		if cause := causeOf(what, err, withheld...); noAnswer(err) {
			return f.unavailable(req, cause, again)
		} else {
			return f.failed(req, http.StatusBadGateway, cause, again)
		}
	}
	if errors.Is(err, ErrTooLarge) {
		return f.tooLarge(req)
	}
	if err != nil {
		return unusable("the token endpoint", err)
	}
	if tokens.IDToken == "" {
		return unusable("the token endpoint", errors.New("the answer has no ID token"))
	}
	id, err := f.o.Provider.IDToken(ctx, tokens.IDToken, own.nonce, tokens.AccessToken, now)
	if err != nil {
		return unusable("the ID token", err)
	}

	if cause := t.asked.unmet(id, now, f.o.Leeway); cause != "" {
		return f.failed(req, http.StatusForbidden, cause, again)
	}
	begun := now.Truncate(time.Millisecond)
	s := &session.Session{
		Begun: begun, Written: now, SID: id.SID, Subject: id.Subject, RefreshToken: tokens.RefreshToken, SteppedUp: t.asked.StepUp,
		Ends: earlier(begun.Add(f.o.Login.Session.AbsoluteTimeout), id.SessionExpiry),
	}
	if !now.Before(s.Ends) {
		return f.failed(req, http.StatusForbidden, "the session_expiry of the ID token has passed", again)
	}
	if err := f.keep(s, tokens, id, now); err != nil {
		return unusable("the token endpoint", err)
	}
	if _, err := io.ReadFull(f.o.Random, s.ID[:]); err != nil {
		return f.failed(req, http.StatusInternalServerError, "no random bytes", again)
	}
	// A back-channel logout may have come while the code was exchanged.
	if f.o.Revocations.Revoked(f.o.Issuer, s) {
		return f.failed(req, http.StatusForbidden, "the user's session at the issuer was ended", again)
	}
	saved, err := f.save(ctx, req, s, now)
	switch {
	case errors.Is(err, ErrTooLarge):
		return f.tooLarge(req)
	case err != nil:
		return f.unavailable(req, "the session could not be saved", again)
	}
	return redirect(http.StatusSeeOther, t.returnPath, ReasonCompleted).WithCookies(saved.SetCookies)
}
