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
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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

const needs = "this test needs node (22, or 20) and npm, and npm's registry (Debian: apt-get install nodejs npm)"

// Start runs a provider with one client. Where Node.js, npm or the registry is
// missing the test is skipped, and with CI set in the environment it fails.
func Start(t testing.TB, c Client) *Provider {
	t.Helper()
	dir, err := install(t.Context())
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s: %v", needs, err)
		}
		t.Skipf("%s: %v", needs, err)
	}
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

// install makes a directory with the server and what package-lock.json pins, in
// the user's cache, once for each state of those files.
func install(ctx context.Context) (string, error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", err
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "apisix-auth0-jwt-tests")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	name, err := digest()
	if err != nil {
		return "", err
	}
	ready := filepath.Join(cache, "oidc-provider-"+name)
	if _, err := os.Stat(ready); err == nil {
		return ready, nil
	}
	making, err := os.MkdirTemp(cache, "installing-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(making) }()
	if err := unpack(making); err != nil {
		return "", err
	}
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	npm.Dir = making
	if said, err := npm.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w: %s", err, said)
	}
	// Another process may have been first; its directory is as good.
	if err := os.Rename(making, ready); err != nil {
		if _, there := os.Stat(ready); there != nil {
			return "", err
		}
	}
	return ready, nil
}

// eachFile visits the server's files in a fixed order.
func eachFile(visit func(name string, text []byte) error) error {
	entries, err := files.ReadDir("server")
	for _, entry := range entries {
		text, failed := files.ReadFile("server/" + entry.Name())
		if err = errors.Join(err, failed); err == nil {
			err = visit(entry.Name(), text)
		}
	}
	return err
}

func unpack(dir string) error {
	return eachFile(func(name string, text []byte) error {
		return os.WriteFile(filepath.Join(dir, name), text, 0o600)
	})
}

// digest names a state of the files.
func digest() (string, error) {
	sum := sha256.New()
	err := eachFile(func(name string, text []byte) error {
		_, err := fmt.Fprintf(sum, "%s %d\n%s", name, len(text), text)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)[:8]), err
}
