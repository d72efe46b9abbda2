package login

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// Options are what a [Flow] is made of. All parts must be there but those that
// say what nil means.
type Options struct {
	Login  *config.Login
	Issuer string // the identifier of Login's issuer, as ID tokens name it
	// KeepIDToken reports whether sessions keep the ID token though the route
	// judges the access token: claim headers or rules of some route read it. nil
	// is that none does.
	KeepIDToken func() bool
	Leeway      time.Duration // clock skew for auth_time and the time of a login

	Provider    Provider
	Sessions    Sessions
	Sealer      Sealer
	Once        Once
	Revocations Revocations

	// Ready says why nobody could log in now: the session's store is away. nil
	// is a store that cannot be away.
	Ready func(context.Context) error
	// Random is where seeds and sessions' identifiers come from; nil is
	// [crypto/rand.Reader].
	Random io.Reader
}

// Flow is the login of one application. It may be used by many goroutines.
type Flow struct {
	o                Options
	transactionNames [slots]string
	// restUntil is when a refresh may be tried again after the issuer did not
	// answer, in Unix milliseconds.
	restUntil atomic.Int64
	unkept    unkept
}

// New makes the flow of o.
func New(o Options) *Flow {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.KeepIDToken == nil {
		o.KeepIDToken = func() bool { return false }
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	f := &Flow{o: o}
	prefix := "__Host-"
	if o.Login.Insecure {
		prefix = ""
	}
	for i := range f.transactionNames {
		f.transactionNames[i] = prefix + "auth0_txn_" + strconv.Itoa(i)
	}
	return f
}

// The reasons of answers, as metrics and logs name them.
const (
	ReasonRedirect          = "login_redirect"            // 302
	ReasonCompleted         = "login_completed"           // 303
	ReasonFailed            = "login_failed"              // 400, 403, 405, 500, 502
	ReasonLogout            = "logout"                    // 302; 200 where there is nowhere to go to
	ReasonBackchannel       = "backchannel_logout"        // 200
	ReasonBackchannelFailed = "backchannel_logout_failed" // 400, 405
	ReasonCrossSite         = "cross_site_request"        // 403
	ReasonUnavailable       = "session_unavailable"       // 503
)

// Answer is what the browser gets, and what the log may say of it. A header may
// stand in it several times, as Set-Cookie does. The body is never empty.
type Answer struct {
	refusal.Answer
	Reason string
	// Cause is for the log: never a code, token, verifier, cookie or secret.
	Cause string
}

// WithCookies is the answer with further Set-Cookie values.
func (a Answer) WithCookies(setCookies []string) Answer {
	a.Headers = slices.Clone(a.Headers)
	for _, c := range setCookies {
		a.Headers = append(a.Headers, refusal.Header{Name: "Set-Cookie", Value: c})
	}
	return a
}

// Own reports whether a decoded path is one that the flow answers itself: the
// callback, login_path, logout_path or backchannel_logout_path. Such a request
// never reaches the upstream.
func (f *Flow) Own(path string) bool {
	own := f.paths()
	return path != "" && slices.Contains(own[:], path)
}

// OwnBytes is Own and allocates nothing.
func (f *Flow) OwnBytes(path []byte) bool {
	for _, own := range f.paths() {
		if string(path) == own {
			return own != ""
		}
	}
	return false
}

// paths are those that the flow answers itself; "" is none.
func (f *Flow) paths() [4]string {
	l := f.o.Login
	return [...]string{f.callbackPath(), l.LoginPath, l.LogoutPath, l.BackchannelLogoutPath}
}

func (f *Flow) callbackPath() string {
	if f.o.Login.CallbackPath == "" {
		return "/" // which is what a browser asks for
	}
	return f.o.Login.CallbackPath
}

// CookieNames are the cookies that the upstream must not get.
func (f *Flow) CookieNames() []string {
	return append(f.o.Sessions.Names(), f.transactionNames[:]...)
}

// Serve answers a request whose path is the flow's own. A method that a path
// does not take gets 405 with Allow. HEAD is taken by login_path alone: the
// other paths' GET has an effect, and a scanner of links must not cause it.
func (f *Flow) Serve(ctx context.Context, req Request, now time.Time) Answer {
	l, method := f.o.Login, req.Method()
	switch path := req.Path(); {
	case path == f.callbackPath():
		if method != http.MethodGet {
			return f.methodNotAllowed(req, "GET")
		}
		return f.callback(ctx, req, now)
	case path == l.BackchannelLogoutPath && path != "":
		if method != http.MethodPost {
			a := backchannelError(http.StatusMethodNotAllowed, "the method is not POST")
			a.Headers = append(a.Headers, refusal.Header{Name: "Allow", Value: "POST"})
			return a
		}
		return f.backchannel(ctx, req, now)
	case path == l.LogoutPath:
		if method != http.MethodGet && method != http.MethodPost {
			return f.methodNotAllowed(req, "GET, POST")
		}
		return f.logout(ctx, req, now)
	case path == l.LoginPath:
		if method != http.MethodGet && method != http.MethodHead {
			return f.methodNotAllowed(req, "GET, HEAD")
		}
		return f.login(ctx, req, now)
	}
	return f.failed(req, http.StatusInternalServerError, "a path that is not the flow's own", noWay)
}

func (f *Flow) methodNotAllowed(req Request, allow string) Answer {
	a := f.failed(req, http.StatusMethodNotAllowed, "the method is not one of "+allow, noWay)
	a.Headers = append(a.Headers, refusal.Header{Name: "Allow", Value: allow})
	return a
}
