package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

var update = flag.Bool("update", false, "write the golden error lists anew")

// TestParseBad reads testdata/bad/*.json; the errors of each stand beside it
// in *.golden. No document holds the word hunter2 but as a secret.
func TestParseBad(t *testing.T) {
	documents, err := filepath.Glob("testdata/bad/*.json")
	if err != nil || len(documents) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	t.Setenv("LOGIN_TEST_SECRET", strings.Repeat("s", 32))
	t.Setenv("LOGIN_TEST_SHORT", strings.Repeat("s", 31))
	for _, path := range documents {
		t.Run(filepath.Base(path), func(t *testing.T) {
			document, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got, err := config.Parse(document, config.Options{})
			bad, ok := errors.AsType[*config.Error](err)
			if !ok || got != nil {
				t.Fatalf("Parse = %v, %v; want no configuration and a *config.Error", got, err)
			}
			for _, p := range bad.Problems {
				if !strings.HasPrefix(p.Path, "$") || p.Given == "" || p.Want == "" {
					t.Errorf("a problem that does not say where, what and what else: %+v", p)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret in %v", err)
			}
			compareGolden(t, strings.TrimSuffix(path, ".json")+".golden", err.Error()+"\n")
		})
	}
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestParseRefusesWhatIsTooLarge(t *testing.T) {
	document := `{"domain":"t.example.com","audience":"api"}` + strings.Repeat(" ", config.MaxDocument)
	if _, err := config.Parse([]byte(document), config.Options{}); err == nil {
		t.Error("a document over 1 MiB was taken")
	}
}

func TestErrorStaysShortForALongDocument(t *testing.T) {
	document := `{"domain":"t.example.com","audience":[` + strings.Repeat("0,", 20_000) + `0]}`
	_, err := config.Parse([]byte(document), config.Options{})
	if err == nil || len(err.Error()) > 1<<16 || !strings.Contains(err.Error(), "more problems") {
		t.Errorf("want a short list that says there is more, got %d bytes", len(err.Error()))
	}
}
