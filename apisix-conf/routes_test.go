package apisixconf_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

type block struct {
	Conf []struct{ Name, Value string }
}

func TestEveryRouteHoldsAValidConfiguration(t *testing.T) {
	files, err := filepath.Glob("routes/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no routes: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			body, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var route struct {
				URI     string
				Plugins map[string]json.RawMessage
			}
			if err := json.Unmarshal(body, &route); err != nil {
				t.Fatal(err)
			}
			var b block
			if err := json.Unmarshal(route.Plugins["ext-plugin-pre-req"], &b); err != nil {
				t.Fatal(err)
			}
			if route.URI == "" || len(b.Conf) != 1 || b.Conf[0].Name != "auth0-jwt" {
				t.Fatalf("the route has uri %q and %d plugins", route.URI, len(b.Conf))
			}
			if _, err := config.Parse([]byte(b.Conf[0].Value), config.Options{AllowInsecure: true}); err != nil {
				t.Error(err)
			}
		})
	}
}
