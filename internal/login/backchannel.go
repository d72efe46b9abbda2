package login

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

const (
	maxLogoutForm = 64 << 10
	// A logout token's iat is at most 2 min old and, with the most leeway, 5 min
	// ahead: after this none that was seen would be taken.
	logoutTokenMemory = 15 * time.Minute
)

// backchannel answers a back-channel logout (OpenID Connect Back-Channel Logout
// 1.0 sections 2.5 to 2.8). It is the issuer that asks, and no browser: the
// answer is JSON.
func (f *Flow) backchannel(ctx context.Context, req Request, now time.Time) Answer {
	raw, err := logoutToken(ctx, req)
	switch {
	case errors.Is(err, errForm):
		return backchannelError(http.StatusBadRequest, err.Error())
	case err != nil:
		return backchannelError(http.StatusServiceUnavailable, "the body cannot be read")
	}
	l, err := f.o.Provider.LogoutToken(ctx, raw, now)
	switch {
	case err != nil && noAnswer(err):
		return backchannelError(http.StatusServiceUnavailable, causeOf("the logout token", err, raw))
	case err != nil:
		return backchannelError(http.StatusBadRequest, causeOf("the logout token", err, raw))
	case l.JTI == "" || l.SID == "" && l.Subject == "":
		return backchannelError(http.StatusBadRequest, "the logout token has no jti, or neither sid nor sub")
	case l.Issuer != f.o.Issuer:
		return backchannelError(http.StatusBadRequest, "the logout token is another issuer's")
	}

	id := "logout token\n" + f.o.Issuer + "\n" + l.JTI
	first, err := f.o.Once.First(ctx, id, now.Add(logoutTokenMemory), now)
	switch {
	case err != nil:
		return backchannelError(http.StatusServiceUnavailable, "whether the logout token was used cannot be asked")
	case !first && !f.unkept.has(id, now):
		return backchannelError(http.StatusBadRequest, "the logout token was used before")
	}
	if err := f.o.Revocations.RevokeLogin(ctx, f.o.Issuer, l.SID, l.Subject, now); err != nil {
		f.unkept.add(id, now.Add(logoutTokenMemory), now)
		return backchannelError(http.StatusServiceUnavailable, "the revocation could not be kept")
	}
	f.unkept.remove(id)
	return backchannelAnswer(http.StatusOK, ReasonBackchannel, []byte(`{"status":"logged_out"}`), "")
}

var errForm = errors.New("the request is not a form with one logout_token")

// logoutToken reads the form. Arguments of the query do not count.
func logoutToken(ctx context.Context, req Request) (string, error) {
	types := values(req, "Content-Type")
	if len(types) != 1 {
		return "", errForm
	}
	if media, _, err := mime.ParseMediaType(types[0]); err != nil || media != "application/x-www-form-urlencoded" {
		return "", errForm
	}
	body, err := req.Body(ctx, maxLogoutForm)
	switch {
	case errors.Is(err, ErrBodyTooLarge) || len(body) > maxLogoutForm:
		return "", errForm
	case err != nil:
		return "", err
	}
	form, err := url.ParseQuery(string(body))
	if list := form["logout_token"]; err != nil || len(list) != 1 || list[0] == "" {
		return "", errForm
	}
	return form["logout_token"][0], nil
}

func backchannelError(status int, cause string) Answer {
	code, description, reason := "invalid_request", "the logout token was not taken", ReasonBackchannelFailed
	if status == http.StatusServiceUnavailable {
		code, description, reason = "temporarily_unavailable", "the logout could not be kept; send it again", ReasonUnavailable
	}
	return backchannelAnswer(status, reason, jsonError(code, description), cause)
}

func backchannelAnswer(status int, reason string, body []byte, cause string) Answer {
	a := Answer{Answer: refusal.Answer{Status: status, Body: body, Headers: []refusal.Header{
		{Name: "Cache-Control", Value: "no-store"},
		{Name: "Content-Type", Value: "application/json"},
	}}, Reason: reason, Cause: cause}
	if status == http.StatusServiceUnavailable {
		a.Headers = append(a.Headers, refusal.Header{Name: "Retry-After", Value: retryAfter})
	}
	return a
}

// unkept are the logout tokens whose revocation could not be kept: their issuer
// was told to send them again, and they may be used again although they were
// seen. Without it a Redis that fails between two commands would lose a logout.
type unkept struct {
	mu sync.Mutex
	// until is bounded: a token past the bound is lost, and was answered 503.
	until map[string]time.Time
}

const maxUnkept = 1024

func (u *unkept) has(id string, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return now.Before(u.until[id])
}

func (u *unkept) add(id string, until, now time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, t := range u.until {
		if !now.Before(t) {
			delete(u.until, id)
		}
	}
	if len(u.until) >= maxUnkept {
		return
	}
	if u.until == nil {
		u.until = map[string]time.Time{}
	}
	u.until[id] = until
}

func (u *unkept) remove(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.until, id)
}
