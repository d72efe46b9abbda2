package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
)

// server answers each request.
type server func(*http.Request) (*http.Response, error)

func (s server) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func answers(status int, header http.Header, body io.Reader) server {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(body), Request: r}, nil
	}
}

func fails(err error) server {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

func TestAnswersThatCount(t *testing.T) {
	known := fetch.Validators{ETag: `"v1"`}
	elsewhere := http.Header{"Location": {"https://elsewhere.example/"}}
	for _, tt := range []struct {
		name   string
		server server
		known  fetch.Validators
		want   string // the error, or the body after the status
	}{
		{"200", answers(200, nil, strings.NewReader("a page")), fetch.Validators{}, "200 a page"},
		{"200 to a conditional request", answers(200, nil, strings.NewReader("a page")), known, "200 a page"},
		{"304 to a conditional request", answers(304, nil, strings.NewReader("")), known, "304 "},
		{"304 unasked", answers(304, nil, strings.NewReader("")), fetch.Validators{}, "redirect 304"},
		{"a redirect", answers(302, elsewhere, strings.NewReader("")), fetch.Validators{}, "redirect 302"},
		{"a redirect of a conditional request", answers(308, elsewhere, strings.NewReader("")), known, "redirect 308"},
		{"404", answers(404, nil, strings.NewReader("top secret")), fetch.Validators{}, "status 404"},
		{"204", answers(204, nil, strings.NewReader("")), fetch.Validators{}, "status 204"},
		{"503", answers(503, nil, strings.NewReader("")), fetch.Validators{}, "status 503"},
		{"1 MiB", answers(200, nil, strings.NewReader(strings.Repeat("x", 1<<20))), fetch.Validators{}, "200 " + strings.Repeat("x", 1<<20)},
		{"a byte more", answers(200, nil, strings.NewReader(strings.Repeat("x", 1<<20+1))), fetch.Validators{}, "too large"},
		{"a name that does not resolve", fails(&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true, Name: "top secret"}}), fetch.Validators{}, "dns"},
		{"a name server that does not answer", fails(&net.OpError{Op: "dial", Err: &net.DNSError{IsTimeout: true}}), fetch.Validators{}, "dns"},
		{"a connection that takes too long", fails(&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}), fetch.Validators{}, "timeout"},
		{"an error that quotes the URL", fails(errors.New("top secret")), fetch.Validators{}, "connection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			requests := 0
			c := fetch.New(fetch.Options{Transport: server(func(r *http.Request) (*http.Response, error) {
				requests++
				return tt.server(r)
			})})
			resp, err := c.Get(t.Context(), fetch.Request{URL: "https://issuer.example/", Known: tt.known})
			got := fmt.Sprint(err)
			if err == nil {
				got = fmt.Sprintf("%d %s", resp.Status, resp.Body)
			}
			if got != tt.want || requests != 1 {
				t.Errorf("%d requests: %.80s, want %.80s", requests, got, tt.want)
			}
		})
	}
}

func TestARequestSaysWhatIsKnown(t *testing.T) {
	var sent http.Header
	c := fetch.New(fetch.Options{Transport: server(func(r *http.Request) (*http.Response, error) {
		sent = r.Header.Clone()
		return answers(200, http.Header{"Etag": {`"v2"`}, "Last-Modified": {"Tue, 01 Jan 2030 00:00:00 GMT"}}, strings.NewReader(""))(r)
	})})
	resp, err := c.Get(t.Context(), fetch.Request{
		URL: "https://issuer.example/", Accept: "application/json",
		Known: fetch.Validators{ETag: `"v1"`, LastModified: "Mon, 01 Jan 2029 00:00:00 GMT"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := http.Header{
		"Accept": {"application/json"}, "If-None-Match": {`"v1"`}, "If-Modified-Since": {"Mon, 01 Jan 2029 00:00:00 GMT"},
	}
	if diff := cmp.Diff(want, sent); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(fetch.Validators{ETag: `"v2"`, LastModified: "Tue, 01 Jan 2030 00:00:00 GMT"}, resp.Validators()); diff != "" {
		t.Error(diff)
	}
}

// trickle gives a byte a second until its request ends.
type trickle struct{ ctx context.Context }

func (b trickle) Read(p []byte) (int, error) {
	select {
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	}
}

func TestASlowAnswerIsGivenUpAfterFiveSeconds(t *testing.T) {
	for name, slow := range map[string]server{
		"no answer": func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		},
		"a body that never ends": func(r *http.Request) (*http.Response, error) {
			return answers(200, nil, trickle{r.Context()})(r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, failed := get(t, fetch.New(fetch.Options{Transport: slow}), fetch.Request{URL: "https://issuer.example/"})
				if failed != fetch.FailedTimeout || time.Since(start) != fetch.RequestAtMost {
					t.Errorf("failed with %q after %v", failed, time.Since(start))
				}
			})
		})
	}
}
