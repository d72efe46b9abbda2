package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// answerWithin bounds every request of the playground's own.
const answerWithin = 10 * time.Second

// site is a gateway with the demo's issuer and upstream, wherever they run: in
// this process, or in containers.
type site struct {
	gateway  string // base URL, no slash at the end
	admin    string // the Admin API's, likewise
	adminKey string // "" where the Admin API asks for none
	issuer   string // its name in iss, which is where the runner reaches it
	mintAt   string // the issuer, as it is reached from here; no slash at the end
	node     string // host and port of the upstream, as the gateway reaches it
	mint     func(context.Context, issuer.MintRequest) (string, error)
	// withoutLogin is for a runner that has no secrets: the page behind login is
	// left out.
	withoutLogin bool
	appSecret    string // of the application that people log in to
	register     func(context.Context, issuer.Client) error
}

// remoteIssuer is an issuer of this project in another process; its value is
// the base URL at which it is reached from here, no slash at the end.
type remoteIssuer string

// name asks the issuer what it calls itself in iss.
func (i remoteIssuer) name(ctx context.Context) (string, error) {
	var health struct{ Kind, URL string }
	if err := i.ask(ctx, http.MethodGet, "/healthz", nil, &health); err != nil {
		return "", err
	}
	if health.Kind != "issuer" {
		return "", fmt.Errorf("%s is not the demo's issuer", i)
	}
	return health.URL, nil
}

// mint makes a token. It may be called by many at once.
func (i remoteIssuer) mint(ctx context.Context, r issuer.MintRequest) (string, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	var minted struct {
		Token string `json:"access_token"`
	}
	err = i.ask(ctx, http.MethodPost, "/mint", body, &minted)
	return minted.Token, err
}

// registerClient makes an application known.
func (i remoteIssuer) registerClient(ctx context.Context, c issuer.Client) error {
	body, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return i.ask(ctx, http.MethodPost, "/control/clients", body, &struct{}{})
}

func (i remoteIssuer) ask(ctx context.Context, method, path string, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, string(i)+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the issuer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the issuer answered %d to %s %s", resp.StatusCode, method, path)
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("the issuer answered %s %s with something else than JSON: %w", method, path, err)
	}
	return nil
}

// base is a URL without the slash at its end.
func base(url string) string { return strings.TrimSuffix(url, "/") }
