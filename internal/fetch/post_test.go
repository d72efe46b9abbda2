package fetch_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
)

func TestAnswersToAForm(t *testing.T) {
	elsewhere := http.Header{"Location": {"https://elsewhere.example/"}}
	body := func() io.Reader { return strings.NewReader("an answer") }
	for _, tt := range []struct {
		name   string
		url    string
		server server
		want   string // the error, or the body after the status
	}{
		{"200", "", answers(200, nil, body()), "200 an answer"},
		{"201", "", answers(201, nil, body()), "201 an answer"},
		{"400 is read", "", answers(400, nil, body()), "400 an answer"},
		{"401 is read", "", answers(401, nil, body()), "401 an answer"},
		{"307 is not followed", "", answers(307, elsewhere, body()), "redirect 307"},
		{"308 is not followed", "", answers(308, elsewhere, body()), "redirect 308"},
		{"304", "", answers(304, nil, body()), "redirect 304"},
		{"500 is not read", "", answers(500, nil, strings.NewReader(strings.Repeat("x", 1<<20+1))), "status 500"},
		{"a byte over 1 MiB", "", answers(200, nil, strings.NewReader(strings.Repeat("x", 1<<20+1))), "too large"},
		{"a byte over 1 MiB of a refusal", "", answers(400, nil, strings.NewReader(strings.Repeat("x", 1<<20+1))), "too large"},
		{"an error that quotes the form", "", fails(errors.New("top secret")), "connection"},
		{"http", "http://issuer.example/", answers(200, nil, body()), "bad url"},
		{"a user in the URL", "https://a:b@issuer.example/", answers(200, nil, body()), "bad url"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			requests := 0
			c := fetch.New(fetch.Options{Transport: server(func(r *http.Request) (*http.Response, error) {
				requests++
				return tt.server(r)
			})})
			to, wantRequests := "https://issuer.example/", 1
			if tt.url != "" {
				to, wantRequests = tt.url, 0
			}
			resp, err := c.Post(t.Context(), fetch.Form{URL: to})
			got := fmt.Sprint(err)
			if err == nil {
				got = fmt.Sprintf("%d %s", resp.Status, resp.Body)
			}
			if got != tt.want || requests != wantRequests {
				t.Errorf("%d requests: %.80s, want %.80s", requests, got, tt.want)
			}
		})
	}
}

func TestAFormIsSentAsItIs(t *testing.T) {
	var sent, method, body string
	var header http.Header
	server := serve(t, httptest.NewTLSServer, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		whole, _ := io.ReadAll(r.Body)
		sent, method, body, header = r.URL.String(), r.Method, string(whole), r.Header
	}))
	c := fetch.New(fetch.Options{AllowInsecure: true})
	t.Cleanup(c.Close)
	if _, err := c.Post(t.Context(), fetch.Form{
		URL: server.URL + "/token?a=b", Accept: "application/json", Authorization: "Basic Og==", Unverified: true,
		Values: url.Values{"code": {"a b&c"}, "client_id": {"id"}},
	}); err != nil {
		t.Fatal(err)
	}
	got := []string{method, sent, body, header.Get("Accept"), header.Get("Authorization"), header.Get("Content-Type")}
	want := []string{
		"POST", "/token?a=b", "client_id=id&code=a+b%26c", "application/json", "Basic Og==", "application/x-www-form-urlencoded",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAFormIsGivenUpAfterFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := fetch.New(fetch.Options{Transport: server(func(r *http.Request) (*http.Response, error) {
			return answers(400, nil, trickle{r.Context()})(r)
		})})
		start := time.Now()
		_, err := c.Post(t.Context(), fetch.Form{URL: "https://issuer.example/"})
		failed, ok := errors.AsType[*fetch.Error](err)
		if !ok || failed.Kind != fetch.FailedTimeout || time.Since(start) != fetch.RequestAtMost {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}
