package config_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

func compiledSchema(t *testing.T) *rule.Schema {
	t.Helper()
	document, err := strictjson.Parse(config.Schema, strictjson.Options{})
	if err != nil {
		t.Fatal(err)
	}
	schema, err := rule.CompileSchema(document)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// takes reports whether the schema takes a document.
func takes(schema *rule.Schema, document string) bool {
	v, _ := strictjson.Parse([]byte(document), strictjson.Options{OnDuplicate: func(string) {}})
	members, _ := v.(map[string]any)
	return members != nil && schema.Fits(members)
}

// A key that only one of the schema, the reader and the reference page knows is
// a mistake.
func TestTheSchemaHasTheKeysOfTheReaderAndTheReference(t *testing.T) {
	var schema struct{ Properties map[string]any }
	if err := json.Unmarshal(config.Schema, &schema); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Sorted(slices.Values(config.Keys())), slices.Sorted(maps.Keys(schema.Properties))); diff != "" {
		t.Errorf("(-reader +schema):\n%s", diff)
	}
	reference, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range config.Keys() {
		if !strings.Contains(string(reference), "`"+key+"`") {
			t.Errorf("docs/reference.md does not name %s", key)
		}
	}
}

// [TestParseGood] holds that the schema takes what the reader takes.
func TestTheSchemaRefusesMostOfWhatTheReaderRefuses(t *testing.T) {
	schema := compiledSchema(t)
	documents, err := filepath.Glob("testdata/bad/*.json")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, path := range documents {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !takes(schema, string(data)) {
			refused++
		}
	}
	if refused < len(documents)/2 {
		t.Errorf("of %d bad documents the schema refuses only %d", len(documents), refused)
	}
}
