package main

import (
	"html/template"
	"io"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/cmd/playground/page"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// application is the demo's application: it knows who is there from the identity
// headers alone, and has no login code.
var application = template.Must(template.New("application").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The demo's application</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem}td{padding-right:1rem}</style></head>
<body>
{{- if .User}}
<h1>Hello, <span id="name">{{.Name}}</span></h1>
<p>You opened <code id="path">{{.Path}}</code>. The gateway told this application who you are:</p>
<table>
<tr><td><code>X-User-Id</code></td><td id="user">{{.User}}</td></tr>
<tr><td><code>X-User-Email</code></td><td>{{.Email}}</td></tr>
</table>
<p><a href="{{.DeepLink}}">A page further down</a>. Open it in a second tab after you logged out: the login brings you back to it.</p>
<p><a id="logout" href="{{.Logout}}">Log out</a></p>
{{- else}}
<h1>Nobody is logged in</h1>
<p>This page is open to everybody. <a id="login" href="{{.App}}">Open the page behind login</a></p>
{{- end}}
</body></html>
`))

// pages are the upstream's answers to browsers. What the steps of the tour ask
// for stays JSON.
var pages = upstream.Pages{appPath: writePage, goodbyePath: writePage, page.DonePath: writeDone}

func writePage(w io.Writer, e upstream.Echo) error {
	path := e.Path
	if e.Query != "" {
		path += "?" + e.Query
	}
	return application.Execute(w, map[string]string{
		"User": received(e, "X-User-Id"), "Name": received(e, "X-User-Name"), "Email": received(e, "X-User-Email"),
		"Path": path, "App": appPath, "DeepLink": deepLink, "Logout": logoutPath,
	})
}

// done is where a login that the playground's page began ends.
var done = template.Must(template.New("done").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Logged in</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:4rem auto;padding:0 1rem}</style></head>
<body>
<h1>You are logged in{{with .User}} as <span id="user">{{.}}</span>{{end}}</h1>
<p>This browser has a session of the route now. Close this tab, go back to the playground and send the request again.</p>
</body></html>
`))

func writeDone(w io.Writer, e upstream.Echo) error {
	return done.Execute(w, map[string]string{"User": received(e, "X-User-Id")})
}

// received is the first value of a header.
func received(e upstream.Echo, name string) string {
	if values := e.Headers[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}
