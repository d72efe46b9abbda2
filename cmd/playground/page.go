package main

import (
	"html/template"
	"io"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// page is the demo's application: it knows who is there from the identity
// headers alone, and has no login code.
var page = template.Must(template.New("page").Parse(`<!doctype html>
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
var pages = upstream.Pages{appPath: writePage, goodbyePath: writePage}

func writePage(w io.Writer, e upstream.Echo) error {
	header := func(name string) string {
		if values := e.Headers[name]; len(values) > 0 {
			return values[0]
		}
		return ""
	}
	path := e.Path
	if e.Query != "" {
		path += "?" + e.Query
	}
	return page.Execute(w, map[string]string{
		"User": header("X-User-Id"), "Name": header("X-User-Name"), "Email": header("X-User-Email"),
		"Path": path, "App": appPath, "DeepLink": deepLink, "Logout": logoutPath,
	})
}
