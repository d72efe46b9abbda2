package policy

import (
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// SessionEvidence is what is known of the session of a request: a token from
// elsewhere. The zero value is no session.
type SessionEvidence struct {
	State SessionState
	// Token is the one that the route judges, for SessionThere.
	Token string
	// AccessToken is what forward_access_token forwards; "" is none.
	AccessToken string
	// IDToken tells ID tokens apart, and IDClaims are the claims of the session's;
	// "" and nil where there is none.
	IDToken  string
	IDClaims map[string]any
	// RetryAfter and Cause, which is for the log, are for SessionUnavailable.
	RetryAfter time.Duration
	Cause      string
}

// SessionState says whether a request has a session.
type SessionState uint8

// The values of [SessionEvidence].State.
const (
	NoSession SessionState = iota
	SessionThere
	CrossSite          // there is one, and another site made the request
	SessionUnavailable // nobody can say
)

// Session answers NeedSession.
func (j *Judgement) Session(s SessionEvidence) { j.session, j.asked = s, true }

// ofSession reports whether the token that is judged is a session's.
func (j *Judgement) ofSession() bool { return j.found.Source.Kind == token.Session }

// IDToken is the ID token that the decision depends on beside the token: "" where
// there is none, and where no check reads it.
func (j *Judgement) IDToken() string {
	if !j.policy.idToken || !j.ofSession() {
		return ""
	}
	return j.session.IDToken
}

// idClaims are the claims of the session's ID token.
func (j *Judgement) idClaims() map[string]any {
	if !j.ofSession() {
		return nil
	}
	return j.session.IDClaims
}

// accessToken is that of the session, to be forwarded.
func (j *Judgement) accessToken() string {
	if !j.ofSession() {
		return ""
	}
	return j.session.AccessToken
}
