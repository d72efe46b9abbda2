package login

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

const revokeTimeout = 3 * time.Second // of a refresh token at logout: the browser waits

// logout ends the browser's session here and sends it to end the one at the
// issuer. Whatever fails on the way, the cookies are deleted; 503 says that a
// copy of them may still be good. Where neither the issuer nor
// post_logout_redirect_uri names a place to go to, a page says what was done:
// at "/" an issuer that still knows the user would log him in again.
func (f *Flow) logout(ctx context.Context, req Request, now time.Time) Answer {
	if f.foreign(req) || prefetch(req) {
		return f.answer(req, page{
			status: http.StatusForbidden, reason: ReasonCrossSite, code: "access_denied",
			title: "Log out?",
			text:  "Another page asked to log you out here. Nothing was done yet.",
			way:   way{"Log out", f.o.Login.LogoutPath},
			cause: "logout_path was asked for by another site, or before a click",
		})
	}

	live, err := f.open(ctx, req, now)
	if err != nil {
		return f.unended(req, f.end(ctx, req, nil, "the session store cannot be asked"))
	}
	setCookies, hint := live.SetCookies, ""
	if s := live.Session; s != nil {
		hint = s.SID
		// Before its record and its tokens: a refresh that is under way looks here.
		kept := f.o.Revocations.RevokeSession(ctx, f.o.Issuer, s)
		deleted, err := f.o.Sessions.Delete(ctx, s, values(req, "Cookie"))
		f.revokeAtIssuer(ctx, s.RefreshToken)
		setCookies = deleted
		if kept != nil || err != nil {
			return f.unended(req, Found{SetCookies: deleted, Cause: "the end of the session could not be kept"})
		}
	}
	return f.afterLogout(ctx, req, hint).WithCookies(setCookies)
}

// unended is the answer to a logout that deleted the cookies and could not end
// the session that they carried.
func (f *Flow) unended(req Request, ended Found) Answer {
	return f.answer(req, page{
		status: http.StatusServiceUnavailable, reason: ReasonUnavailable, code: "temporarily_unavailable", cause: ended.Cause,
		title: "You are logged out in this browser",
		text:  "The session could not be ended everywhere just now. Try again in a moment to end it at the login service too.",
		way:   way{"Try again", f.o.Login.LogoutPath},
	}).WithCookies(ended.SetCookies)
}

func (f *Flow) afterLogout(ctx context.Context, req Request, hint string) Answer {
	back := f.o.Login.PostLogoutRedirectURI
	location, err := f.o.Provider.EndSessionURL(ctx, hint, back, "")
	cause := ""
	if err != nil {
		location, cause = "", causeOf("the issuer's end_session_endpoint", err, hint)
	}
	if location == "" {
		location = back
	}
	if location == "" {
		return f.answer(req, page{
			status: http.StatusOK, reason: ReasonLogout, code: "logged_out", cause: cause,
			title: "You are logged out",
			text:  "Your session here has ended. The login service may still know you.",
			way:   way{"Log in again", f.o.Login.LoginPath + "?" + url.Values{"return_to": {"/"}}.Encode()},
		})
	}
	a := redirect(http.StatusFound, location, ReasonLogout)
	a.Cause = cause
	return a
}

// revokeAtIssuer ends a refresh token (RFC 7009), as far as the issuer does it:
// a failure stops nothing.
func (f *Flow) revokeAtIssuer(ctx context.Context, refreshToken string) {
	if refreshToken == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	_ = f.o.Provider.Revoke(ctx, refreshToken)
}
