package page

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// caller is who sends a request.
type caller struct {
	Kind    string         `json:"kind"` // none, minted, pasted or session
	Variant string         `json:"variant,omitempty"`
	Claims  map[string]any `json:"claims,omitempty"`
	Token   string         `json:"token,omitempty"`
}

// maxToken is more than any token that a gateway takes.
const maxToken = 32 << 10

// present adds what the caller proves itself with, where the configuration looks
// for it; conf is nil where the text has errors.
func (s *Server) present(r *request, c caller, conf *config.Config, page *http.Request) (notes []string, err error) {
	notes = []string{}
	switch c.Kind {
	case "none":
		return notes, nil
	case "minted":
		m, err := s.minted(conf, c.Variant, c.Claims, keptToken)
		if err != nil {
			return nil, err
		}
		if m.variant.bound != boundWithProof {
			r.carry(conf, m.token)
			return notes, nil
		}
		r.Headers = append(r.Headers, [2]string{"Authorization", "DPoP " + m.token}, [2]string{"DPoP", s.proofFor(*r, m.token)})
		return notes, nil
	case "pasted":
		raw, note := inspect.Pasted(c.Token)
		if note != "" {
			notes = append(notes, note)
		}
		if len(raw) > maxToken || !validValue(raw) {
			return nil, badCall("That is no token: it has line breaks or control characters, or is larger than %d KiB.", maxToken>>10)
		}
		if raw != "" {
			r.carry(conf, raw)
		}
		return notes, nil
	case "session":
		if conf == nil || conf.Login == nil {
			return nil, badCall("A session is of a configuration with login, and this has none or has errors.")
		}
		cookie := sessionCookies(page, conf.Login)
		if cookie == "" {
			return append(notes, "this browser has no session of the route: log in first"), nil
		}
		r.Headers = append(r.Headers, [2]string{"Cookie", cookie})
		return notes, nil
	}
	return nil, badCall("The caller is one of none, minted, pasted and session.")
}

// sessionCookies is the line of the session's own cookies that the browser sends
// to the page: those of 127.0.0.1 are the same on every port. No other goes out.
func sessionCookies(r *http.Request, l *config.Login) string {
	var line []string
	names := l.SessionCookies()
	for _, c := range r.Cookies() {
		if slices.Contains(names[:], c.Name) {
			line = append(line, c.Name+"="+c.Value)
		}
	}
	return strings.Join(line, "; ")
}

// carry puts a token where the configuration looks first.
func (r *request) carry(conf *config.Config, raw string) {
	from := token.Source{Kind: token.Header, Name: "Authorization", Scheme: "Bearer"}
	if conf != nil {
		from = conf.TokenFrom[0]
	}
	switch from.Kind {
	case token.Header:
		if from.Scheme != "" {
			raw = from.Scheme + " " + raw
		}
		name := from.Name
		if strings.EqualFold(name, "authorization") {
			name = "Authorization"
		}
		r.Headers = append(r.Headers, [2]string{name, raw})
	case token.Cookie:
		r.Headers = append(r.Headers, [2]string{"Cookie", from.Name + "=" + raw})
	case token.Query:
		sep := "?"
		if strings.Contains(r.Path, "?") {
			sep = "&"
		}
		r.Path += sep + url.QueryEscape(from.Name) + "=" + url.QueryEscape(raw)
	}
}

// pairs are entries in their order.
func pairs(entries []a6.Entry) [][2]string {
	list := [][2]string{}
	for _, e := range entries {
		list = append(list, [2]string{e.Name, e.Value})
	}
	return list
}

// sortedPairs are entries that come in no order.
func sortedPairs(entries []a6.Entry) [][2]string {
	list := pairs(entries)
	slices.SortStableFunc(list, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return list
}
