package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// step is one request of the tour and what is expected of it.
type step struct {
	title   string
	path    string
	headers [][2]string
	status  int
	seen    map[string]string // identity headers at the upstream; "" is none
}

func (s *site) steps(ctx context.Context) ([]step, error) {
	var failed error
	bearer := func(r issuer.MintRequest) [2]string {
		token, err := s.mint(ctx, r)
		failed = errors.Join(failed, err)
		return [2]string{"Authorization", "Bearer " + token}
	}
	user := map[string]any{"email": "ann@example.com", "email_verified": true}
	forged := [2]string{"X-User-Id", "admin"}
	steps := []step{
		{title: "no token", path: "/api/me", status: 401},
		{
			title: "a good token: the upstream sees who calls", path: "/api/me", status: 200,
			headers: [][2]string{bearer(issuer.MintRequest{Claims: user})},
			seen:    map[string]string{"X-User-Id": "auth0|user-1", "X-User-Email": "ann@example.com"},
		},
		{
			title: "the client's own X-User-Id does not get through", path: "/api/me", status: 200,
			headers: [][2]string{bearer(issuer.MintRequest{Claims: user}), forged, {"X_User_Id", "admin"}},
			seen:    map[string]string{"X-User-Id": "auth0|user-1", "X_user_id": ""},
		},
		{
			title: "an e-mail address that is not verified", path: "/api/me", status: 403,
			headers: [][2]string{bearer(issuer.MintRequest{Claims: map[string]any{"email_verified": false}})},
		},
		{
			title: "an expired token", path: "/api/me", status: 401,
			headers: [][2]string{bearer(issuer.MintRequest{Claims: user, ExpiresIn: -3600})},
		},
		{
			title: "a forged signature", path: "/api/me", status: 401,
			headers: [][2]string{bearer(issuer.MintRequest{Claims: user, Key: "rogue"})},
		},
		{
			title: "a token without the scope", path: "/orders/1", status: 403,
			headers: [][2]string{bearer(issuer.MintRequest{})},
		},
		{
			title: "a token with the scope", path: "/orders/1", status: 200,
			headers: [][2]string{bearer(issuer.MintRequest{Claims: map[string]any{"scope": "read:orders"}})},
		},
		{
			title: "a public route without a token: no identity, even a forged one", path: "/public/news", status: 200,
			headers: [][2]string{forged}, seen: map[string]string{"X-User-Id": ""},
		},
	}
	return steps, failed
}

func (s step) curl(gateway string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "curl -i %s%s", gateway, s.path)
	for _, h := range s.headers {
		fmt.Fprintf(&b, " \\\n  -H '%s: %s'", h[0], h[1])
	}
	return b.String()
}

func (s step) expected() string {
	text := fmt.Sprint(s.status)
	for _, name := range slices.Sorted(maps.Keys(s.seen)) {
		value := s.seen[name]
		if value == "" {
			value = "(none)"
		}
		text += fmt.Sprintf(", upstream sees %s: %s", name, value)
	}
	return text
}

// sent are the request's headers in one line; a token is not worth reading.
func (s step) sent() string {
	var text string
	for _, h := range s.headers {
		if h[0] == "Authorization" {
			text += ", with a token"
			continue
		}
		text += ", " + h[0] + ": " + h[1]
	}
	return text
}

// show prints every request as a command to try, with the answer to expect.
func (s *site) show(ctx context.Context, out io.Writer) error {
	steps, err := s.steps(ctx)
	if err != nil {
		return err
	}
	for _, step := range steps {
		fmt.Fprintf(out, "# %s\n%s\n# expect: %s\n\n", step.title, step.curl(s.gateway), step.expected())
	}
	if !s.withoutLogin {
		s.showLogin(out)
	}
	return nil
}

// check sends every request and compares the answers.
func (s *site) check(ctx context.Context, out io.Writer) error {
	list, err := s.outcomes(ctx)
	if err != nil {
		return err
	}
	return report(out, list)
}

// outcomes are the answers beside the expected ones.
func (s *site) outcomes(ctx context.Context) (list []outcome, err error) {
	steps, err := s.steps(ctx)
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		got, err := step.send(ctx, s.gateway)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			got = "no answer: " + err.Error()
		}
		list = append(list, outcome{step.title, "GET " + step.path + step.sent(), got, step.expected()})
	}
	if s.withoutLogin {
		return list, nil
	}
	walked, err := s.walk(ctx)
	return append(list, walked...), err
}

// report writes what differs, and what does not. Its error counts.
func report(out io.Writer, list []outcome) error {
	failed := 0
	for _, o := range list {
		if o.got == o.want {
			fmt.Fprintf(out, "PASS  %s\n      %s -> %s\n", o.title, o.did, o.got)
			continue
		}
		failed++
		fmt.Fprintf(out, "FAIL  %s\n      %s -> %s\n      expected %s\n", o.title, o.did, o.got, o.want)
	}
	fmt.Fprintf(out, "\n%d passed, %d failed\n", len(list)-failed, failed)
	if failed > 0 {
		return fmt.Errorf("%d of %d answers differ", failed, len(list))
	}
	return nil
}

// send describes the answer as expected does.
func (s step) send(ctx context.Context, gateway string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway+s.path, nil)
	if err != nil {
		return "", err
	}
	for _, h := range s.headers {
		req.Header[h[0]] = append(req.Header[h[0]], h[1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	got := step{status: resp.StatusCode, seen: map[string]string{}}
	if resp.StatusCode == http.StatusOK {
		var echo upstream.Echo
		if err := json.NewDecoder(resp.Body).Decode(&echo); err != nil {
			return "200, but not by the upstream", nil
		}
		for name := range s.seen {
			got.seen[name] = strings.Join(echo.Headers[name], " and ")
		}
	}
	return got.expected(), nil
}
