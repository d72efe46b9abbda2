package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// step is one request of the tour and what is expected of it.
type step struct {
	title   string
	path    string
	token   *issuer.MintRequest // nil is none
	headers [][2]string         // with the token's last
	status  int
	seen    map[string]string // identity headers at the upstream; "" is none
}

// tourSteps are the requests, without their tokens.
func tourSteps() []step {
	user := map[string]any{"email": "ann@example.com", "email_verified": true}
	forged := [2]string{"X-User-Id", "admin"}
	return []step{
		{title: "no token", path: "/api/me", status: 401},
		{
			title: "a good token: the upstream sees who calls", path: "/api/me", status: 200,
			token: &issuer.MintRequest{Claims: user},
			seen:  map[string]string{"X-User-Id": "auth0|user-1", "X-User-Email": "ann@example.com"},
		},
		{
			title: "the client's own X-User-Id does not get through", path: "/api/me", status: 200,
			token: &issuer.MintRequest{Claims: user}, headers: [][2]string{forged, {"X_User_Id", "admin"}},
			seen: map[string]string{"X-User-Id": "auth0|user-1", "X_user_id": ""},
		},
		{
			title: "an e-mail address that is not verified", path: "/api/me", status: 403,
			token: &issuer.MintRequest{Claims: map[string]any{"email_verified": false}},
		},
		{
			title: "an expired token", path: "/api/me", status: 401,
			token: &issuer.MintRequest{Claims: user, ExpiresIn: -3600},
		},
		{
			title: "a forged signature", path: "/api/me", status: 401,
			token: &issuer.MintRequest{Claims: user, Key: "rogue"},
		},
		{title: "a token without the scope", path: "/orders/1", status: 403, token: &issuer.MintRequest{}},
		{
			title: "a token with the scope", path: "/orders/1", status: 200,
			token: &issuer.MintRequest{Claims: map[string]any{"scope": "read:orders"}},
		},
		{
			title: "a public route without a token: no identity, even a forged one", path: "/public/news", status: 200,
			headers: [][2]string{forged}, seen: map[string]string{"X-User-Id": ""},
		},
	}
}

// steps are the requests with their tokens.
func (s *site) steps(ctx context.Context) ([]step, error) {
	steps := tourSteps()
	for n := range steps {
		if steps[n].token == nil {
			continue
		}
		token, err := s.mint(ctx, *steps[n].token)
		if err != nil {
			return nil, err
		}
		steps[n].headers = append(steps[n].headers, [2]string{"Authorization", "Bearer " + token})
	}
	return steps, nil
}

// mintFunction is a shell's function that asks the issuer for a token: tokens fill
// the screen, and nobody reads them.
func mintFunction(issuer string) string {
	return `mint() { curl -s ` + issuer + `/mint -d "$1" | sed 's/.*"access_token":"\([^"]*\)".*/\1/'; }`
}

func (s step) curl(gateway string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "curl -i %s%s", gateway, s.path)
	for _, h := range s.headers {
		fmt.Fprintf(&b, " \\\n  -H '%s: %s'", h[0], h[1])
	}
	if s.token == nil {
		return b.String(), nil
	}
	asked := map[string]any{}
	for name, value := range map[string]any{"claims": s.token.Claims, "key": s.token.Key, "expires_in": s.token.ExpiresIn} {
		if !reflect.ValueOf(value).IsZero() {
			asked[name] = value
		}
	}
	text, err := json.Marshal(asked)
	fmt.Fprintf(&b, " \\\n  -H \"Authorization: Bearer $(mint '%s')\"", text)
	return b.String(), err
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
func (s *site) show(out io.Writer) error {
	fmt.Fprintf(out, "# mint asks the local issuer for a token\n%s\n\n", mintFunction(s.mintAt))
	for _, step := range tourSteps() {
		command, err := step.curl(s.gateway)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "# %s\n%s\n# expect: %s\n\n", step.title, command, step.expected())
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
