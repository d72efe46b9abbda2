package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// FuzzParse holds that a document is either refused with its problems or
// gives a configuration that names an issuer and an audience.
func FuzzParse(f *testing.F) {
	bad, err := filepath.Glob("testdata/bad/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range bad {
		document, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(document, false)
	}
	f.Fuzz(func(t *testing.T, document []byte, insecure bool) {
		c, err := config.Parse(document, config.Options{AllowInsecure: insecure})
		if err != nil {
			bad, ok := errors.AsType[*config.Error](err)
			if !ok || len(bad.Problems) == 0 || c != nil {
				t.Fatalf("Parse = %v, %v", c, err)
			}
			return
		}
		if len(c.Issuers) == 0 || len(c.TokenFrom) == 0 || c.Realm == "" || c.Leeway < 0 {
			t.Fatalf("incomplete: %+v", c)
		}
		for _, i := range c.Issuers {
			sources := 0
			for _, there := range []bool{i.DiscoveryURL != "", i.JWKSURI != "", i.JWKS != nil} {
				if there {
					sources++
				}
			}
			if i.Issuer == "" || len(i.Algorithms) == 0 || sources != 1 || i.AnyAudience == (len(i.Audience) > 0) {
				t.Fatalf("incomplete: %+v", i)
			}
		}
	})
}
