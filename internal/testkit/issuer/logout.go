package issuer

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	backChannelTimeout  = 10 * time.Second
	logoutTokenLifetime = 120 // seconds
	logoutEvent         = "http://schemas.openid.net/event/backchannel-logout"
)

// logout answers /oidc/logout (OpenID Connect RP-Initiated Logout 1.0). A person
// is asked first, unless id_token_hint or logout_hint names the session.
func (i *Issuer) logout(w http.ResponseWriter, r *http.Request) {
	p, failed := once(r.Form)
	if failed != nil {
		page(w, http.StatusBadRequest, failed.description)
		return
	}
	id, hinted := p["client_id"], p["logout_hint"]
	if hint := p["id_token_hint"]; hint != "" {
		client, sid, ok := i.hint(hint)
		if !ok || id != "" && id != client {
			page(w, http.StatusBadRequest, "The id_token_hint is not good")
			return
		}
		id, hinted = client, sid
	}
	to := p["post_logout_redirect_uri"]
	if !i.mayReturn(id, to) {
		page(w, http.StatusBadRequest, "The post_logout_redirect_uri is not in the list of the application's allowed logout URLs")
		return
	}
	cookie, s := i.sessionOf(r)
	sure := s == nil || hinted == s.sid || p["confirmed"] != "" || i.settings().Headless != nil
	if !sure {
		render(w, http.StatusOK, "logout", map[string]any{"Title": "Log out", "Lang": p["ui_locales"], "Params": p})
		return
	}
	i.endInBrowser(w, r, cookie)
	if to == "" {
		page(w, http.StatusOK, "You are logged out.")
		return
	}
	back := url.Values{}
	if p["state"] != "" {
		back.Set("state", p["state"])
	}
	sendBack(w, r, to, back)
}

// logoutV2 answers Auth0's older /v2/logout.
func (i *Issuer) logoutV2(w http.ResponseWriter, r *http.Request) {
	p, failed := once(r.Form)
	if failed != nil {
		page(w, http.StatusBadRequest, failed.description)
		return
	}
	to := p["returnTo"]
	if !i.mayReturn(p["client_id"], to) {
		page(w, http.StatusBadRequest, "The returnTo is not in the list of the application's allowed logout URLs")
		return
	}
	cookie, _ := i.sessionOf(r)
	i.endInBrowser(w, r, cookie)
	if to == "" {
		page(w, http.StatusOK, "OK")
		return
	}
	sendBack(w, r, to, nil)
}

// mayReturn reports whether a client registered a URI to go to after a logout;
// nowhere is always allowed.
func (i *Issuer) mayReturn(id, to string) bool {
	c := i.client(id)
	return to == "" || c != nil && slices.Contains(c.LogoutURIs, to)
}

// hint reads an ID token of the issuer's own, which may have expired.
func (i *Issuer) hint(token string) (client, sid string, ok bool) {
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(jwt.WithoutClaimsValidation(), jwt.WithValidMethods([]string{"RS256"}))
	_, err := parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		for _, key := range i.SigningKeys() {
			if key.Kid == t.Header["kid"] {
				return key.Private.Public(), nil
			}
		}
		return nil, errors.New("no key of that name")
	})
	client, _ = claims["aud"].(string)
	sid, _ = claims["sid"].(string)
	return client, sid, err == nil && claims["iss"] == i.url
}

func (i *Issuer) endInBrowser(w http.ResponseWriter, r *http.Request, cookie string) {
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	i.endSessions(r.Context(), func(at string, _ *session) bool { return at == cookie })
}

// Delivery is a logout token that was sent to an application.
type Delivery struct {
	ClientID string `json:"client_id"`
	Token    string `json:"logout_token"`
	Status   int    `json:"status"` // 0 where there was no answer
	Body     string `json:"body"`   // the first 64 KiB
}

// EndSessions ends the sessions that match, as an administrator does, and tells
// every application that got tokens of them (OpenID Connect Back-Channel Logout
// 1.0): the one with sid, or where that is "" those of a user.
func (i *Issuer) EndSessions(ctx context.Context, sid, sub string) []Delivery {
	return i.endSessions(ctx, func(_ string, s *session) bool {
		return sid != "" && s.sid == sid || sid == "" && s.user.Sub == sub
	})
}

func (i *Issuer) endSessions(ctx context.Context, which func(cookie string, s *session) bool) []Delivery {
	type notice struct {
		client Client
		sub    string
		sid    string
	}
	var notices []notice
	i.books.mu.Lock()
	for cookie, s := range i.books.sessions {
		if !which(cookie, s) {
			continue
		}
		delete(i.books.sessions, cookie)
		for id := range s.clients {
			if c := i.books.clients[id]; c != nil && c.BackchannelLogoutURI != "" {
				notices = append(notices, notice{*c, s.user.Sub, s.sid})
			}
		}
	}
	i.books.mu.Unlock()
	deliveries := []Delivery{}
	for _, n := range notices {
		token, err := i.spoilt("logout_token", spoiling{request: logoutToken(n.client.ID, n.sub, n.sid), client: &n.client})
		if err != nil {
			panic(err) // the request is of the issuer's own making
		}
		deliveries = append(deliveries, i.deliver(ctx, n.client, token))
	}
	return deliveries
}

// logoutToken is in Auth0's shape (Back-Channel Logout 1.0 section 2.4).
func logoutToken(client, sub, sid string) MintRequest {
	claims := map[string]any{"aud": client, "jti": rand.Text(), "events": map[string]any{logoutEvent: map[string]any{}}}
	omit := []string{"azp"}
	for name, value := range map[string]string{"sub": sub, "sid": sid} {
		if value == "" {
			omit = append(omit, name)
			continue
		}
		claims[name] = value
	}
	return MintRequest{Claims: claims, Omit: omit, Header: map[string]any{"typ": "logout+jwt"}, ExpiresIn: logoutTokenLifetime}
}

// LogoutToken asks for a logout token that nobody is sent; what it mints is a
// good one but for what is laid over it.
type LogoutToken struct {
	ClientID string `json:"client_id"`
	Sub      string `json:"sub"` // "" is none
	SID      string `json:"sid"` // "" is none
	MintRequest
}

// MintLogoutToken makes a logout token for tests that send it themselves.
func (i *Issuer) MintLogoutToken(l LogoutToken) (string, error) {
	request := logoutToken(l.ClientID, l.Sub, l.SID)
	maps.Copy(request.Header, l.Header)
	maps.Copy(request.Claims, l.Claims)
	request.Omit = append(request.Omit, l.Omit...)
	request.Alg, request.Key, request.Secret = l.Alg, l.Key, l.Secret
	if l.ExpiresIn != 0 {
		request.ExpiresIn = l.ExpiresIn
	}
	return i.Mint(request)
}

// backChannel follows no redirect and keeps no connection.
func backChannel() *http.Client {
	return &http.Client{
		Timeout:       backChannelTimeout,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (i *Issuer) deliver(ctx context.Context, c Client, token string) Delivery {
	i.count(&i.counters.LogoutTokens)
	d := Delivery{ClientID: c.ID, Token: token}
	form := url.Values{"logout_token": {token}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.BackchannelLogoutURI, strings.NewReader(form))
	if err != nil {
		return d
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := i.out.Do(req)
	if err != nil {
		return d
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	d.Status, d.Body = resp.StatusCode, string(body)
	return d
}
