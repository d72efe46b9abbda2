package issuer

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	sessionCookie = "issuer_session" // a browser sends it to every port of a host
	codeLifetime  = 10 * time.Minute
	pushLifetime  = 30 * time.Second
)

// authorization is a request to log someone in (OpenID Connect Core 1.0 section
// 3.1.2.1) that was found good.
type authorization struct {
	params
	client  *Client
	expires time.Time // of one that was pushed
}

// authorize answers GET and POST /authorize.
func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	p, failed := once(r.Form)
	if failed != nil {
		page(w, http.StatusBadRequest, failed.description)
		return
	}
	i.books.asking(p)
	c := i.client(p["client_id"])
	if c == nil {
		page(w, http.StatusBadRequest, "Unknown client: "+p["client_id"])
		return
	}
	a := &authorization{params: p, client: c}
	if uri := p["request_uri"]; uri != "" {
		if a = i.takePushed(uri, c); a == nil {
			page(w, http.StatusBadRequest, "The request_uri is unknown, of another client, used or expired")
			return
		}
	} else {
		if failed = a.checkRedirect(); failed != nil {
			page(w, http.StatusBadRequest, failed.description) // never to a URI that is not registered
			return
		}
		if c.RequirePAR || i.settings().RequirePAR {
			i.fail(w, r, a, "invalid_request", "the request must be pushed (RFC 9126)")
			return
		}
		if failed = a.check(); failed != nil {
			i.fail(w, r, a, failed.code, failed.description)
			return
		}
	}
	i.interact(w, r, a)
}

// interact lets the session that is there answer, or somebody log in.
func (i *Issuer) interact(w http.ResponseWriter, r *http.Request, a *authorization) {
	cookie, s := i.sessionOf(r)
	need := i.needs(a, s)
	headless := i.settings().Headless
	switch {
	case need == "":
		i.grant(w, r, a, s)
	case a.has("prompt", "none"):
		i.fail(w, r, a, need, "prompt=none, and a person is needed")
	case headless == nil:
		i.showForm(w, a, s)
	case headless.Deny:
		i.fail(w, r, a, "access_denied", "User denied the request")
	default:
		name := a.params["login_hint"]
		if name == "" {
			name = headless.User
		}
		if name == "" {
			name = "auth0|alice"
		}
		user := i.books.user(name)
		if user == nil {
			i.fail(w, r, a, "access_denied", "there is no such user")
			return
		}
		i.logIn(w, r, a, cookie, user)
	}
}

// checkRedirect asks that the way back is registered, letter by letter.
func (a *authorization) checkRedirect() *oauthFailure {
	if !slices.Contains(a.client.RedirectURIs, a.params["redirect_uri"]) {
		return invalidRequest("Callback URL mismatch: " + a.params["redirect_uri"] + " is not in the list of allowed callback URLs")
	}
	return nil
}

// check looks at the rest of a request.
func (a *authorization) check() *oauthFailure {
	challenge, method := a.params["code_challenge"], a.params["code_challenge_method"]
	maxAge := a.params["max_age"]
	_, notSeconds := strconv.ParseUint(maxAge, 10, 31)
	mode := a.params["response_mode"]
	switch {
	case a.params["response_type"] != "code":
		return &oauthFailure{code: "unsupported_response_type", description: "response_type: give code"}
	case mode != "" && mode != "query":
		return invalidRequest("response_mode: give query")
	case a.params["request"] != "":
		return &oauthFailure{code: "request_not_supported", description: "request: this is not supported"}
	case challenge == "" && (method != "" || a.client.public()):
		return invalidRequest("code_challenge: a public client must give one")
	case challenge != "" && method != "S256":
		return invalidRequest("code_challenge_method: give S256")
	case challenge != "" && len(challenge) != 43:
		return invalidRequest("code_challenge: it is no SHA-256 in base64url")
	case maxAge != "" && notSeconds != nil:
		return invalidRequest("max_age: give whole seconds")
	case a.has("prompt", "none") && a.params["prompt"] != "none":
		return invalidRequest("prompt: none stands alone")
	case !isResource(a.params["resource"]):
		return &oauthFailure{http.StatusBadRequest, "invalid_target", "resource: give one absolute URI without fragment"}
	case a.params["invitation"] != "" && a.params["organization"] == "":
		return invalidRequest("organization: an invitation needs one")
	}
	return nil
}

// isResource reports whether a text may be the parameter resource (RFC 8707
// section 2); "" is none.
func isResource(s string) bool {
	u, err := url.Parse(s)
	return s == "" || err == nil && u.IsAbs() && !strings.Contains(s, "#")
}

// needs names what a session lacks for a request, as prompt=none is answered
// (Core section 3.1.2.6); "" is nothing.
func (i *Issuer) needs(a *authorization, s *session) string {
	now := i.now()
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	maxAge, noMaxAge := strconv.ParseInt(a.params["max_age"], 10, 32)
	acrs := strings.Fields(a.params["acr_values"])
	switch {
	case s == nil, a.has("prompt", "login"), a.has("prompt", "select_account"), a.params["screen_hint"] == "signup",
		a.params["invitation"] != "",
		noMaxAge == nil && now.Sub(s.authTime) >= time.Duration(maxAge)*time.Second:
		return "login_required"
	case len(acrs) > 0 && !slices.Contains(acrs, s.acr):
		return "interaction_required"
	case a.has("prompt", "consent"), a.client.Consent && !i.books.consents[a.client.ID+" "+s.user.Sub]:
		return "consent_required"
	}
	return ""
}

// sessionOf is the session of a browser and its cookie; both are empty without one.
func (i *Issuer) sessionOf(r *http.Request) (cookie string, s *session) {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return "", nil
	}
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	if s = i.books.sessions[c.Value]; s == nil {
		return "", nil
	}
	return c.Value, s
}

// logIn begins a session, or renews the one that the same user has, and answers.
func (i *Issuer) logIn(w http.ResponseWriter, r *http.Request, a *authorization, cookie string, user *User) {
	i.count(&i.counters.Logins)
	now := i.now()
	i.books.mu.Lock()
	s := i.books.sessions[cookie]
	if s == nil || s.user.Sub != user.Sub {
		s = &session{sid: rand.Text(), user: user, clients: map[string]bool{}}
		delete(i.books.sessions, cookie)
		cookie = rand.Text()
		i.books.sessions[cookie] = s
	}
	s.user, s.authTime = user, now
	if acrs := strings.Fields(a.params["acr_values"]); len(acrs) > 0 {
		s.acr = acrs[0]
	}
	i.books.consents[a.client.ID+" "+user.Sub] = true
	i.books.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	i.grant(w, r, a, s)
}

// grant answers with a code.
func (i *Issuer) grant(w http.ResponseWriter, r *http.Request, a *authorization, s *session) {
	now := i.now()
	g, value := &grant{client: a.client, params: a.params, began: now}, rand.Text()
	i.books.mu.Lock()
	var member bool
	sub := s.user.Sub
	if g.organization, member = i.books.membership(a, s); member {
		g.user, g.sid, g.authTime, g.acr = s.user, s.sid, s.authTime, s.acr
		s.clients[a.client.ID] = true
		i.books.codes[value] = &code{grant: g, expires: now.Add(codeLifetime)}
	}
	i.books.mu.Unlock()
	if !member {
		i.fail(w, r, a, "access_denied", "user "+sub+" is not part of the "+a.params["organization"]+" organization")
		return
	}
	i.reply(w, r, a, url.Values{"code": {value}})
}

// membership finds the organization that was asked for, nil for none; it is
// false where the session's user is no member. An invitation makes the user one.
// The lock is held.
func (b *books) membership(a *authorization, s *session) (*Organization, bool) {
	name := a.params["organization"]
	if name == "" {
		return nil, true
	}
	if ticket := a.params["invitation"]; ticket != "" {
		invited, there := b.invitations[ticket]
		if delete(b.invitations, ticket); !there {
			return nil, false
		}
		joined := *s.user
		joined.Organizations = append(slices.Clone(joined.Organizations), invited)
		b.users[joined.Sub], s.user = &joined, &joined
	}
	for _, o := range s.user.Organizations {
		if o.ID == name || o.Name == name {
			return &o, true
		}
	}
	return nil, false
}
