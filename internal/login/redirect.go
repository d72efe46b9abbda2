package login

import (
	"context"
	"crypto/sha256"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

const (
	maxReturnPath = 2048
	maxParam      = 1024 // bytes of a parameter that a client gives
)

// ReturnPath is where a login goes back to: raw where it is a path and query of
// this application, else "/". It must be one "/" followed by neither "/" nor
// "\", which browsers take for "/"; printable ASCII, because browsers drop tabs
// and line breaks before they look; and at most 2,048 bytes. The flow's own
// paths are "/" too: a login must not end at a logout, or at another login.
func (f *Flow) ReturnPath(raw string) string {
	if raw == "" || len(raw) > maxReturnPath || raw[0] != '/' || len(raw) > 1 && (raw[1] == '/' || raw[1] == '\\') {
		return "/"
	}
	for i := range len(raw) {
		if raw[i] <= ' ' || raw[i] > '~' {
			return "/"
		}
	}
	before, _, _ := strings.Cut(raw, "#")
	before, _, _ = strings.Cut(before, "?")
	if decoded, err := url.PathUnescape(before); err == nil && f.Own(path.Clean(strings.ReplaceAll(decoded, `\`, "/"))) {
		return "/"
	}
	return raw
}

// Redirect sends a navigation without a session to log in. rawURI is the raw
// path and query that the client asked for, to which it comes back. The answer
// is 503 where the login could not be kept or the issuer cannot be asked.
func (f *Flow) Redirect(ctx context.Context, req Request, rawURI string, now time.Time) Answer {
	return f.start(ctx, req, f.ReturnPath(rawURI), nil, asked{}, now)
}

// StepUp is what a policy asks for (RFC 9470 section 3). Zero values ask for
// nothing.
type StepUp struct {
	ACRValues string // space-separated; one of them
	MaxAge    time.Duration
}

// Name tells what one policy asks for from what others do, as a session keeps it.
func (u StepUp) Name() string {
	sum := sha256.Sum256([]byte(strconv.FormatInt(int64(u.MaxAge/time.Second), 10) + " " + u.ACRValues))
	return text(sum[:8])
}

// InVain reports whether a session came of a login that was asked for the same:
// asking once more would loop. Time that has passed since is no loop, nor is what
// another policy asked for.
func (u StepUp) InVain(s *session.Session, leeway time.Duration, now time.Time) bool {
	aged := u.MaxAge > 0 && now.Sub(s.Begun) > u.MaxAge+leeway
	return s.SteppedUp == u.Name() && !aged
}

// StepUp sends a navigation whose session falls short to log in again, with
// what the policy asks for. It reports false where that is in vain.
func (f *Flow) StepUp(ctx context.Context, req Request, s *session.Session, ask StepUp, rawURI string, now time.Time) (Answer, bool) {
	if ask.InVain(s, f.o.Leeway, now) {
		return Answer{}, false
	}
	params := map[string]string{}
	if ask.ACRValues != "" {
		params["acr_values"] = ask.ACRValues
	}
	if ask.MaxAge > 0 {
		params["max_age"] = strconv.FormatInt(int64(ask.MaxAge/time.Second), 10)
	}
	return f.start(ctx, req, f.ReturnPath(rawURI), params, asked{StepUp: ask.Name()}, now), true
}

// start begins a login: a seed in a free slot, a sealed state, 302.
func (f *Flow) start(ctx context.Context, req Request, returnPath string, params map[string]string, ask asked, now time.Time) Answer {
	again := f.again(returnPath)
	if err := f.o.Ready(ctx); err != nil {
		return f.unavailable(req, "the session store cannot be asked", again)
	}
	all := maps.Clone(f.o.Login.AuthorizationParams)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, params)
	if err := ask.read(all); err != nil {
		return f.failed(req, http.StatusInternalServerError, err.Error(), noWay)
	}

	seed := make([]byte, seedSize)
	if _, err := io.ReadFull(f.o.Random, seed); err != nil {
		return f.failed(req, http.StatusInternalServerError, "no random bytes", noWay)
	}
	slot, err := f.takeSlot(req, now)
	if err != nil {
		return f.failed(req, http.StatusInternalServerError, "no random bytes", noWay)
	}
	key := f.o.Sealer.First(now)
	own := derive(key, seed)
	t := transaction{slot: slot, begun: now.Truncate(time.Second), seedHash: sha256.Sum256(seed), asked: ask, returnPath: returnPath}
	state, err := t.seal(key)
	if err != nil {
		return f.failed(req, http.StatusInternalServerError, "the state could not be sealed", noWay)
	}

	location, err := f.o.Provider.AuthorizationURL(ctx, Authorization{State: state, Nonce: own.nonce, Verifier: own.verifier, Params: all})
	if err != nil {
		cause := causeOf("the authorization request", err, state, own.nonce, own.verifier)
		if noAnswer(err) {
			return f.unavailable(req, cause, again)
		}
		return f.failed(req, http.StatusBadGateway, cause, again)
	}
	return redirect(http.StatusFound, location, ReasonRedirect).WithCookies([]string{f.setTransaction(slot, seed, t.begun)})
}

// login answers login_path.
func (f *Flow) login(ctx context.Context, req Request, now time.Time) Answer {
	query := req.Query()
	params := map[string]string{}
	for _, name := range append([]string{"return_to"}, f.o.Login.ForwardParams...) {
		list := query[name]
		if len(list) > 1 || len(list) == 1 && name != "return_to" && !forwardable(list[0]) {
			return f.failed(req, http.StatusBadRequest, "a parameter of login_path is repeated or malformed", f.again("/"))
		}
		if len(list) == 1 && list[0] != "" && name != "return_to" {
			params[name] = list[0]
		}
	}
	returnPath := "/"
	if list := query["return_to"]; len(list) == 1 {
		returnPath = f.ReturnPath(list[0])
	}

	live, err := f.open(ctx, req, now)
	if err != nil {
		return f.unavailable(req, "the session store cannot be asked", f.again(returnPath))
	}
	if subresource(req) || live.Session != nil && f.foreign(req) {
		link := url.Values{"return_to": {returnPath}}
		for name, value := range params {
			link.Set(name, value)
		}
		return f.answer(req, page{
			status: http.StatusForbidden, reason: ReasonCrossSite, code: "access_denied",
			title: "Log in again?",
			text:  "Another page asked to log you in here, and you may be logged in already. Continue only if you want to log in again.",
			way:   way{"Log in again", f.o.Login.LoginPath + "?" + link.Encode()},
			cause: "login_path was asked for by another site, or not as a page",
		})
	}
	return f.start(ctx, req, returnPath, params, asked{}, now).WithCookies(live.SetCookies)
}

// forwardable reports whether a client's parameter may be sent to the issuer.
func forwardable(s string) bool {
	return len(s) <= maxParam && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 })
}
