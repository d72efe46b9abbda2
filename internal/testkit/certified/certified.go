// Package certified runs npm's oidc-provider, an OpenID provider that is
// certified and that nobody here wrote, so that a login is not only tested
// against the test issuer's idea of one. It must not know who logs in there.
//
// One user is there for every login_hint ("" is alice), nobody clicks, and the
// login_hint "deny" is an answer of access_denied. Access tokens are JWTs for
// [Audience]; refresh tokens rotate, and one that comes again ends the grant.
package certified

import (
	"bufio"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/npm"
)

// Audience is the aud of every access token.
const Audience = "https://api.example.com"

// Client is the one application, in the words of OpenID Connect Dynamic Client
// Registration 1.0. One without a secret is public where TokenEndpointAuthMethod
// is none.
type Client struct {
	ID                      string          `json:"client_id"`
	Secret                  string          `json:"client_secret,omitempty"`
	RedirectURIs            []string        `json:"redirect_uris"`
	PostLogoutRedirectURIs  []string        `json:"post_logout_redirect_uris,omitempty"`
	BackchannelLogoutURI    string          `json:"backchannel_logout_uri,omitempty"`
	TokenEndpointAuthMethod string          `json:"token_endpoint_auth_method,omitempty"` // "" is client_secret_basic
	JWKS                    json.RawMessage `json:"jwks,omitempty"`                       // for private_key_jwt
}

// Provider is one that runs until the test ends.
type Provider struct {
	URL string // its issuer identifier, without a slash at the end
}

//go:embed server/package.json server/package-lock.json server/server.mjs
var files embed.FS

// Start runs a provider with one client. Where Node.js, npm or the registry is
// missing the test is skipped, and with CI set in the environment it fails.
func Start(t testing.TB, c Client) *Provider {
	t.Helper()
	server, err := fs.Sub(files, "server")
	if err != nil {
		t.Fatal(err)
	}
	dir := npm.Install(t, "oidc-provider", server)
	metadata, err := json.Marshal(struct {
		Client
		GrantTypes    []string `json:"grant_types"`
		ResponseTypes []string `json:"response_types"`
		SIDRequired   bool     `json:"backchannel_logout_session_required,omitempty"`
	}{c, []string{"authorization_code", "refresh_token"}, []string{"code"}, c.BackchannelLogoutURI != ""})
	if err != nil {
		t.Fatal(err)
	}
	url, stop, err := run(dir, string(metadata))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if complaints := stop(); t.Failed() {
			t.Logf("oidc-provider said: %s", complaints)
		}
	})
	return &Provider{URL: url}
}

// run starts the server and waits for its first line. stop ends it and gives
// what it wrote to its standard error.
func run(dir, metadata string) (url string, stop func() string, err error) {
	cmd := exec.Command("node", "server.mjs", metadata)
	cmd.Dir = dir
	var complaints strings.Builder
	cmd.Stderr = &complaints
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr); err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() string {
		_ = in.Close() // it ends by itself then
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		return complaints.String()
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", nil, fmt.Errorf("oidc-provider did not start: %s", stop())
	}
	return strings.TrimSpace(line), stop, nil
}
