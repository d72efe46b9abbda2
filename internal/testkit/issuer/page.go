package issuer

import (
	"crypto/rand"
	"html/template"
	"net/http"
)

// pages work without script.
var pages = template.Must(template.New("").Parse(`{{define "head"}}<!doctype html>
<html lang="{{or .Lang "en"}}"><head><meta charset="utf-8"><title>{{.Title}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:24rem;margin:4rem auto;padding:0 1rem}
button{display:block;width:100%;margin:.5rem 0;padding:.6rem;font:inherit;cursor:pointer}</style></head>
<body><h1>{{.Title}}</h1>{{end}}
{{define "note"}}{{template "head" .}}<p id="note">{{.Note}}</p></body></html>{{end}}
{{define "login"}}{{template "head" .}}
<p>The application <b>{{.Client}}</b> asks who you are{{if .Scope}}, for <code>{{.Scope}}</code>{{end}}.
{{if .Organization}}You log in to <b>{{.Organization}}</b>.{{end}}
{{if .Factor}}It asks for a second factor, which the buttons give too.{{end}}</p>
<form method="post" action="/u/login"><input type="hidden" name="form" value="{{.Form}}">
{{range .Users}}<button name="user" value="{{.}}">Continue as {{.}}</button>
{{end}}<button name="deny" value="yes">Deny</button></form></body></html>{{end}}
{{define "logout"}}{{template "head" .}}<p>Do you want to log out?</p>
<form method="post" action="/oidc/logout">{{range $name, $value := .Params}}<input type="hidden" name="{{$name}}" value="{{$value}}">{{end}}
<button name="confirmed" value="yes">Log out</button></form></body></html>{{end}}`))

func render(w http.ResponseWriter, status int, name string, values map[string]any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = pages.ExecuteTemplate(w, name, values) // an error is the client gone
}

// page tells a person something.
func page(w http.ResponseWriter, status int, note string) {
	title := "Issuer"
	if status >= 400 {
		title = "Oops!, something went wrong"
	}
	render(w, status, "note", map[string]any{"Title": title, "Note": note})
}

// showForm lets a person choose a user, or deny. The one that login_hint or the
// session names comes first.
func (i *Issuer) showForm(w http.ResponseWriter, a *authorization, s *session) {
	title := "Log in"
	if a.params["screen_hint"] == "signup" {
		title = "Sign up"
	}
	users := i.books.subs()
	first := i.books.user(a.params["login_hint"])
	id := rand.Text()
	i.books.mu.Lock()
	if first == nil && s != nil {
		first = s.user
	}
	if first != nil {
		users = append([]string{first.Sub}, without(users, first.Sub)...)
	}
	i.books.forms[id] = a
	i.books.mu.Unlock()
	render(w, http.StatusOK, "login", map[string]any{
		"Title": title, "Lang": a.params["ui_locales"], "Client": a.client.ID, "Scope": a.params["scope"],
		"Organization": a.params["organization"], "Factor": a.params["acr_values"] != "", "Form": id, "Users": users,
	})
}

func without(list []string, one string) (rest []string) {
	for _, name := range list {
		if name != one {
			rest = append(rest, name)
		}
	}
	return rest
}

// submit answers POST /u/login, the form of showForm. It works once.
func (i *Issuer) submit(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue("form")
	i.books.mu.Lock()
	a := i.books.forms[id]
	delete(i.books.forms, id)
	i.books.mu.Unlock()
	user := i.books.user(r.PostFormValue("user"))
	switch {
	case a == nil:
		page(w, http.StatusBadRequest, "This form was used already. Go back to the application and start again.")
	case r.PostFormValue("deny") != "":
		i.fail(w, r, a, "access_denied", "User denied the request")
	case user == nil:
		i.showForm(w, a, nil)
	default:
		cookie, _ := i.sessionOf(r)
		i.logIn(w, r, a, cookie, user)
	}
}
