package apisixconf_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

type block struct {
	Conf []struct{ Name, Value string }
}

// readRoute is the plugin's configuration of a route file, and its uri.
func readRoute(t *testing.T, file string) (uri, value string) {
	t.Helper()
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
	if len(b.Conf) != 1 || b.Conf[0].Name != "auth0-jwt" {
		t.Fatalf("the route has %d plugins", len(b.Conf))
	}
	return route.URI, b.Conf[0].Value
}

func TestEveryRouteHoldsAValidConfiguration(t *testing.T) {
	for _, name := range madeNames {
		t.Setenv(name, strings.Repeat("x", 32))
	}
	files, err := filepath.Glob("routes/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no routes: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			uri, value := readRoute(t, file)
			if uri == "" {
				t.Error("the route has no uri")
			}
			if _, err := config.Parse([]byte(value), config.Options{AllowInsecure: true}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheTutorialShowsTheConfigurationOfItsRoute(t *testing.T) {
	text, err := os.ReadFile("../docs/login.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "```json\n")
	shown, _, found := strings.Cut(after, "```")
	if !found {
		t.Fatal("docs/login.md shows no JSON")
	}
	_, value := readRoute(t, "routes/web-app.json")
	if diff := cmp.Diff(object(t, value), object(t, shown)); diff != "" {
		t.Errorf("web-app.json (-) and docs/login.md (+) differ:\n%s", diff)
	}
}

func object(t *testing.T, text string) (o map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return o
}
