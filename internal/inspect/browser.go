package inspect

import (
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

// ownAnswers are what the paths of login do, by their keys.
var ownAnswers = map[string]string{
	"redirect_uri":            "a browser comes back here from the issuer with a code, and then continues to the page that it had asked for (303)",
	"login_path":              "a browser is sent to log in at the issuer (302), and comes back to ?return_to=",
	"logout_path":             "the session ends, and the browser is sent to log out at the issuer (302)",
	"backchannel_logout_path": "the issuer posts logout tokens here, and the sessions that they name end (200)",
}

// ownAnswer is what is said of a request that login answers itself: no check
// looks at it, and it never reaches the upstream. "" is any other request.
func ownAnswer(l *config.Login, req policy.Request) string {
	for _, o := range ownPaths(l) {
		if o.path == req.Path() {
			return "login answers " + o.path + " itself (" + o.key + "), by " + strings.Join(o.methods, " or ") + ": " + ownAnswers[o.key]
		}
	}
	return ""
}

// login says what login makes of the decision about a request.
func (s *subject) login(d policy.Decision) (said []string) {
	issuer := s.Config.Issuers[0].Issuer
	if _, forward := d.Forward(); forward {
		if s.session != nil && d.OfSession() && s.refreshes() {
			said = append(said, "the token has less than "+span(session.RefreshBefore)+" left: the runner refreshes it first, and judges the new one")
		}
		return said
	}
	refused := d.Refusal()
	if refused.Kind == refusal.CrossSiteRequest {
		return []string{"the browser says that another site made the request, and it is not a mere look: a session alone does not allow it"}
	}
	if s.session != nil && d.OfSession() && refused.Kind.Status() == 401 && refused.Kind != refusal.StepUpRequired {
		if s.session.RefreshToken != "" {
			return []string{"the session's token is not good: the runner asks " + issuer + " for a new one with the refresh token, and judges that; where the issuer refuses, the session ends, and this is as without one"}
		}
		said = append(said, "the session's token is not good and there is no refresh token (scope offline_access asks for one): the session ends, and this is as without one")
		return append(said, s.withoutSession()...)
	}
	switch {
	case refused.Kind == refusal.MissingToken:
		return s.withoutSession()
	case refused.Kind == refusal.StepUpRequired && d.OfSession():
		if s.steppedUpInVain(refused) {
			return []string{"the session came of a step-up already and falls short all the same: a browser gets a page with 403, and is not sent again"}
		}
		return []string{"a browser that asks for a page is sent to log in again at " + issuer + " (302), once, for what is lacking; a script gets 401"}
	case d.OfSession():
		return []string{"where the client takes HTML, the answer is a page"}
	}
	return nil
}

// sentToLogin reports whether login answers the request by a redirect to the
// issuer.
func (s *subject) sentToLogin(d policy.Decision) bool {
	switch refused := d.Refusal(); {
	case !login.Navigation(s.Request):
		return false
	case refused.Kind == refusal.StepUpRequired && d.OfSession():
		return !s.steppedUpInVain(refused)
	default:
		ended := s.session != nil && s.session.RefreshToken == "" && d.OfSession() && refused.Kind.Status() == 401
		return (refused.Kind == refusal.MissingToken || ended) && s.Config.UnauthAction == config.UnauthAuth
	}
}

// steppedUpInVain reports whether the session came of a login that was asked for
// what it lacks.
func (s *subject) steppedUpInVain(refused refusal.Refusal) bool {
	ask := login.StepUp{ACRValues: refused.ACRValues, MaxAge: refused.MaxAge}
	return ask.InVain(s.session, s.Config.Leeway, s.Now)
}

// refreshes reports whether the runner refreshes the session's token before it
// looks at it.
func (s *subject) refreshes() bool {
	at := s.session.Expires
	return s.session.RefreshToken != "" && !at.IsZero() && at.Sub(s.Now) < session.RefreshBefore
}

// withoutSession says who is sent to log in.
func (s *subject) withoutSession() []string {
	if s.Config.UnauthAction != config.UnauthAuth {
		return []string{"unauth_action is not auth: nobody is sent to log in but on " + s.Config.Login.LoginPath}
	}
	this := "this request is none: it names no text/html in Accept, or its Sec-Fetch headers, X-Requested-With or method say that it is a script's"
	if login.Navigation(s.Request) {
		this = "this request is one"
	}
	return []string{
		"a browser that asks for a page is sent to log in at " + s.Config.Issuers[0].Issuer + " (302, login_redirect), and comes back; " + this,
		"a script, an image or a program gets 401",
	}
}
