package discovery_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/discovery"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
)

type page struct {
	body  string
	asked []fetch.Request
}

func (p *page) Get(_ context.Context, r fetch.Request) (*fetch.Response, error) {
	p.asked = append(p.asked, r)
	if p.body == "" {
		return nil, &fetch.Error{Kind: fetch.FailedTimeout}
	}
	return &fetch.Response{Status: 200, Body: []byte(p.body)}, nil
}

func TestWhoseDocumentItIs(t *testing.T) {
	for body, want := range map[string]error{
		`{"issuer":"https://op.example/"}`:   nil,
		`{"issuer":"https://op.example"}`:    discovery.ErrIssuer,
		`{"issuer":["https://op.example/"]}`: discovery.ErrIssuer,
		`{}`:                                 discovery.ErrIssuer,
		`{"issuer":"https://op.example/","issuer":"https://op.example/"}`: discovery.ErrMalformed,
		`{"issuer":"https://op.example/"} {}`:                             discovery.ErrMalformed,
		`["issuer"]`:                                                      discovery.ErrMalformed,
		`null`:                                                            discovery.ErrMalformed,
		``:                                                                &fetch.Error{},
	} {
		p := &page{body: body}
		_, err := discovery.Read(t.Context(), p, discovery.Source{Issuer: "https://op.example/", URL: "https://op.example/d", Unverified: true})
		_, failed := errors.AsType[*fetch.Error](err)
		_, wantFailed := errors.AsType[*fetch.Error](want)
		if failed != wantFailed || !failed && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", body, err, want)
		}
		if diff := cmp.Diff([]fetch.Request{{URL: "https://op.example/d", Accept: "application/json", Unverified: true}}, p.asked); diff != "" {
			t.Error(diff)
		}
	}
}

func TestWhatADocumentMayName(t *testing.T) {
	const document = `{"issuer":"i","https":"https://a/b?c","capitals":"HTTPS://a/","http":"http://a/","user":"https://u@a/","host":"https:/a",
		"relative":"/a","script":"javascript:1","number":7,"true":true,"text":"true","list":["a",1,"b"],"none":[]}`
	for from, plain := range map[string]bool{"https://a/d": false, "http://a/d": true} {
		d, err := discovery.Read(t.Context(), &page{body: document}, discovery.Source{Issuer: "i", URL: from})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]bool{
			"https": true, "capitals": true, "http": plain, "user": false, "host": false, "relative": false, "script": false, "number": false, "absent": false,
		} {
			got, err := d.URL(name)
			if (err == nil) != want || want == (got == "") || err != nil && !errors.Is(err, discovery.ErrURL) {
				t.Errorf("%s, %s: %q, %v", from, name, got, err)
			}
		}
		if !d.True("true") || d.True("text") || d.True("absent") || !d.Has("none") || d.Has("absent") {
			t.Error("a member is taken for what it is not")
		}
		if diff := cmp.Diff([][]string{{"a", "b"}, {}, nil, nil}, [][]string{d.Strings("list"), d.Strings("none"), d.Strings("text"), d.Strings("absent")}); diff != "" {
			t.Error(diff)
		}
	}
}

func TestTheWellKnownPlace(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://a/": "https://a/.well-known/openid-configuration", "https://a": "https://a/.well-known/openid-configuration",
		"https://a/b": "https://a/b/.well-known/openid-configuration",
	} {
		if got := discovery.WellKnown(issuer); got != want {
			t.Errorf("%s: %s", issuer, got)
		}
	}
}
