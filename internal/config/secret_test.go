package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// TestTheLongestHashSaysHowLongASecretMustBe: RFC 7518 section 3.2.
func TestTheLongestHashSaysHowLongASecretMustBe(t *testing.T) {
	for _, tt := range []struct {
		algorithms string
		length     int
		want       string // in the error; "" is none
	}{
		{`["HS256"]`, 32, ""},
		{`["HS256"]`, 31, "at least 32 bytes for HS256"},
		{`["HS384"]`, 48, ""},
		{`["HS384"]`, 47, "at least 48 bytes for HS384"},
		{`["HS512"]`, 64, ""},
		{`["HS512"]`, 63, "at least 64 bytes for HS512"},
		{`["HS512","HS256"]`, 63, "at least 64 bytes for HS512"},
		{`["HS256","HS384"]`, 47, "at least 48 bytes for HS384"},
	} {
		t.Setenv("OF_THIS_LENGTH", strings.Repeat("s", tt.length))
		for _, document := range []string{
			`{"domain":"t.eu.auth0.com","audience":"api","algorithms":%s,"client_secret":["$env://OF_THIS_LENGTH"]}`,
			`{"issuers":[{"domain":"t.eu.auth0.com","algorithms":%s,"client_secret":"$env://OF_THIS_LENGTH"}],"audience":"api"}`,
		} {
			_, err := config.Parse(fmt.Appendf(nil, document, tt.algorithms), config.Options{})
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s with %d bytes: %v", tt.algorithms, tt.length, err)
			}
		}
	}
}

func TestTheOperatorLimitsTheFilesOfSecrets(t *testing.T) {
	base := t.TempDir()
	for _, name := range []string{"secrets/api", "elsewhere/api"} {
		path := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Repeat("s", 32)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parse := func(path, dir string) string {
		_, err := config.Parse(fmt.Appendf(nil,
			`{"domain":"t.eu.auth0.com","audience":"api","algorithms":["HS256"],"client_secret":"$file://%s"}`, path), config.Options{SecretsDir: dir})
		return fmt.Sprint(err)
	}
	if got := parse(base+"/secrets/api", base+"/secrets"); got != "<nil>" {
		t.Errorf("below the directory: %s", got)
	}
	if got := parse(base+"/elsewhere/api", ""); got != "<nil>" {
		t.Errorf("without a directory: %s", got)
	}
	there, missing := parse(base+"/elsewhere/api", base+"/secrets"), parse(base+"/elsewhere/nothing", base+"/secrets")
	if there != missing || !strings.Contains(there, "--secrets-dir") || strings.Contains(there, base) {
		t.Errorf("outside of the directory:\n%s\n%s", there, missing)
	}
}

// TestAListOfSecretsIsShort: each may be a file that has to be read.
func TestAListOfSecretsIsShort(t *testing.T) {
	t.Setenv("ONE_OF_MANY", strings.Repeat("s", 32))
	for n, good := range map[int]bool{16: true, 17: false, 20_000: false} {
		secrets := "[" + list(n, `"$env://ONE_OF_MANY"`) + "]"
		for _, document := range []string{
			`{"domain":"t.eu.auth0.com","audience":"api","algorithms":["HS256"],"client_secret":` + secrets + `}`,
			`{"domain":"t.eu.auth0.com","audience":"api","login":{"client_id":"c","redirect_uri":"https://a/cb","session":{"secret":` + secrets + `}}}`,
		} {
			_, err := config.Parse([]byte(document), config.Options{})
			if (err == nil) != good || err != nil && !strings.Contains(err.Error(), "at most 16 references") {
				t.Errorf("%d: %v", n, err)
			}
		}
	}
}
