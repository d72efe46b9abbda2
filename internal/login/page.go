package login

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// page is an answer that a person reads: HTML where the request's Accept names
// it, and else the JSON of every other refusal, so that a script can read it.
type page struct {
	status int
	reason string
	code   string // the JSON's error
	title  string // HTML only
	text   string // for the person, and the JSON's error_description
	said   string // what the issuer said; escaped, and left out where it is ""
	way    way    // where the person may continue
	cause  string
}

// way is a link of a page; the zero way is none.
type way struct{ text, href string }

var noWay way

const retryAfter = "5" // seconds, with every 503

const style = `body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto 0;padding:0 1.5rem;color:#222;background:#fafafa}` +
	`h1{font-size:1.5rem}a{display:inline-block;margin-top:1rem;padding:.5rem 1.2rem;border-radius:.4rem;background:#235;color:#fff;text-decoration:none}` +
	`blockquote{margin:0;padding-left:1rem;border-left:.25rem solid #ccc;color:#555}`

var document = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<style>` + style + `</style>
</head>
<body>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
{{- if .Said}}
<blockquote>{{.Said}}</blockquote>
{{- end}}
{{- if .Link}}
<p><a href="{{.Href}}" rel="nofollow">{{.Link}}</a></p>
{{- end}}
</body>
</html>
`))

// policyOfPages lets a page show its one style and nothing else: no script, no
// form, no frame around it. A form's target is not allowed either, because
// browsers hold the redirect that follows a form to form-action too, and would
// stop at the issuer: pages ask for a click on a link.
var policyOfPages = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
}()

func html(p page) []byte {
	var b bytes.Buffer
	err := document.Execute(&b, struct{ Title, Text, Said, Link, Href string }{p.title, p.text, p.said, p.way.text, p.way.href})
	if err != nil { // strings only: it cannot
		return []byte("<!doctype html><title>Error</title>")
	}
	return b.Bytes()
}

// answer writes a page in the form that the request takes.
func (f *Flow) answer(req Request, p page) Answer {
	a := Answer{Answer: refusal.Answer{Status: p.status, Headers: []refusal.Header{{Name: "Cache-Control", Value: "no-store"}}}, Reason: p.reason, Cause: p.cause}
	if p.status == http.StatusServiceUnavailable {
		a.Headers = append(a.Headers, refusal.Header{Name: "Retry-After", Value: retryAfter})
	}
	if AcceptsHTML(req) {
		a.Headers, a.Body = append(a.Headers, pageHeaders()...), html(p)
		return a
	}
	a.Headers = append(a.Headers, refusal.Header{Name: "Content-Type", Value: "application/json"}, refusal.Header{Name: "X-Content-Type-Options", Value: "nosniff"})
	description := p.text
	if p.said != "" {
		description += " The issuer says: " + p.said
	}
	a.Body = jsonError(p.code, description)
	return a
}

func jsonError(code, description string) []byte {
	body, err := json.Marshal(struct { // of strings: it cannot fail
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, description})
	if err != nil {
		return []byte(`{"error":"server_error"}`)
	}
	return body
}

func pageHeaders() []refusal.Header {
	return []refusal.Header{
		{Name: "Content-Type", Value: "text/html; charset=utf-8"},
		{Name: "Content-Security-Policy", Value: policyOfPages},
		{Name: "X-Content-Type-Options", Value: "nosniff"},
		{Name: "Referrer-Policy", Value: "no-referrer"},
	}
}

// AsPage is a refusal as a page for a person: the same status and headers, with
// HTML in place of the body. It is for a navigation whose session's token is
// good and not allowed. text must not hold a value of the token.
func AsPage(a refusal.Answer, title, text string) refusal.Answer {
	b := refusal.Answer{Status: a.Status, Body: html(page{title: title, text: text})}
	for _, h := range a.Headers {
		if !strings.EqualFold(h.Name, "Content-Type") {
			b.Headers = append(b.Headers, h)
		}
	}
	b.Headers = append(b.Headers, pageHeaders()...)
	return b
}

// redirect sends the browser on. Its body says so, because APISIX puts a page
// of its own in place of an empty one.
func redirect(status int, location, reason string) Answer {
	return Answer{Answer: refusal.Answer{
		Status: status,
		Headers: []refusal.Header{
			{Name: "Location", Value: location},
			{Name: "Cache-Control", Value: "no-store"},
			{Name: "Content-Type", Value: "text/plain; charset=utf-8"},
			{Name: "X-Content-Type-Options", Value: "nosniff"},
			{Name: "Referrer-Policy", Value: "no-referrer"},
		},
		Body: []byte("Your browser should have taken you to another page.\n"),
	}, Reason: reason}
}

// failed is a login that came to nothing, in the words of its status.
func (f *Flow) failed(req Request, status int, cause string, again way) Answer {
	p := page{status: status, reason: ReasonFailed, cause: cause, way: again}
	switch status {
	case http.StatusForbidden:
		p.code, p.title, p.text = "access_denied", "You could not be logged in", "The login did not end with what this application asks for."
	case http.StatusBadGateway:
		p.code, p.title, p.text = "server_error", "The login could not be finished", "The login service gave an answer that cannot be used. This is not your mistake."
	case http.StatusInternalServerError:
		p.code, p.title, p.text = "server_error", "The login could not be finished", "Something went wrong here. This is not your mistake."
	case http.StatusMethodNotAllowed:
		p.code, p.title, p.text = "invalid_request", "This address does not take such a request", "Open the application itself and continue there."
	default:
		p.code, p.title, p.text = "invalid_request", "This login cannot be continued", "It was started too long ago, was already used, or was started in another browser. Cookies must be allowed for this site."
	}
	return f.answer(req, p)
}

// unavailable is a 503: whoever comes again a moment later may be served.
func (f *Flow) unavailable(req Request, cause string, again way) Answer {
	return f.answer(req, page{
		status: http.StatusServiceUnavailable, reason: ReasonUnavailable, code: "temporarily_unavailable", cause: cause, way: again,
		title: "Please try again in a moment",
		text:  "Logins and sessions are not available just now. This is not your mistake.",
	})
}

// again is the link that starts the login anew.
func (f *Flow) again(returnPath string) way {
	return way{"Log in again", f.o.Login.LoginPath + "?" + url.Values{"return_to": {returnPath}}.Encode()}
}
