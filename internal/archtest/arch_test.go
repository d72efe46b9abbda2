package archtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/apisix-auth0-jwt/apisix-auth0-jwt/"

// layers are the product's packages from the top down; each may import only
// what its own line names, and the official runner only where it says so.
var layers = map[string][]string{
	"cmd/go-runner":             {"plugins/auth0jwt", "internal/a6", "internal/jwks", "internal/runner", "internal/telemetry", officialRunner},
	"cmd/playground":            {"internal/testkit/gateway", "internal/testkit/issuer", "internal/testkit/upstream"},
	"plugins/auth0jwt/register": {"plugins/auth0jwt", officialRunner},
	"plugins/auth0jwt":          {"internal/config", "internal/identity", "internal/jwks", "internal/policy", "internal/refusal", officialRunner},
	"ci/official":               {"plugins/auth0jwt", officialRunner},
	"internal/runner":           {"internal/a6", officialRunner},
	"internal/policy":           {"internal/claim", "internal/config", "internal/identity", "internal/jwks", "internal/refusal", "internal/token"},
	"internal/config":           {"internal/strictjson"},
	"internal/identity":         {"internal/claim", "internal/token"},
	"internal/jwks":             {"internal/strictjson"},
	"internal/token":            {"internal/strictjson"},
	"internal/claim":            {},
	"internal/refusal":          {},
	"internal/strictjson":       {},
	"internal/telemetry":        {},
	"internal/a6":               {},
	"internal/archtest":         {},
	"internal/testkit/gateway":  {"internal/a6"},
	"internal/testkit/issuer":   {},
	"internal/testkit/upstream": {},
	"apisix-conf":               {},
	"ci":                        {},
}

const officialRunner = "github.com/apache/apisix-go-plugin-runner"

func TestPackagesImportOnlyWhatTheyMayKnow(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(pkg.ImportPath, module)
		allowed, known := layers[name]
		if !known {
			t.Errorf("%s has no line in the table of layers", name)
			continue
		}
		for _, path := range pkg.Imports {
			ours, isOurs := strings.CutPrefix(path, module)
			if strings.HasPrefix(path, officialRunner) {
				ours, isOurs = officialRunner, true
			}
			if isOurs && !slices.Contains(allowed, ours) {
				t.Errorf("%s must not import %s", name, path)
			}
		}
	}
}
