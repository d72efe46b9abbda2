package archtest_test

import (
	"bytes"
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
	"cmd/go-runner":              {"internal/a6", "internal/config", "internal/gate", "internal/inspect", "internal/redis", "internal/refusal", "internal/resource", "internal/revocation", "internal/runner", "internal/secret", "internal/strictjson", "internal/telemetry", "plugins/auth0jwt", officialRunner},
	"cmd/playground":             {"cmd/playground/page", "internal/revocation", "internal/testkit/gateway", "internal/testkit/issuer", "internal/testkit/upstream"},
	"cmd/playground/page":        {"internal/a6", "internal/config", "internal/gate", "internal/inspect", "internal/revocation", "internal/strictjson", "internal/testkit/forge", "internal/testkit/gateway", "internal/testkit/issuer", "internal/testkit/upstream", "internal/token"},
	"plugins/auth0jwt/register":  {"plugins/auth0jwt", officialRunner},
	"plugins/engine":             {"internal/runner", officialRunner},
	"plugins/auth0jwt":           {"internal/config", "internal/fold", "internal/gate", "internal/identity", "internal/inplace", "internal/login", "internal/redis", "internal/refusal", "internal/replay", "internal/revocation", "internal/session/store", officialRunner},
	"ci/official":                {"plugins/auth0jwt", officialRunner},
	"internal/runner":            {"internal/a6", "internal/fold", "internal/inplace", officialRunner},
	"internal/inplace":           {officialRunner},
	"internal/inspect":           {"internal/claim", "internal/config", "internal/fetch", "internal/gate", "internal/identity", "internal/jwk", "internal/login", "internal/policy", "internal/refusal", "internal/secret", "internal/session", "internal/strictjson", "internal/token"},
	"internal/gate":              {"internal/config", "internal/dpop", "internal/fetch", "internal/fold", "internal/identity", "internal/jwks", "internal/latency", "internal/login", "internal/oidc", "internal/policy", "internal/refusal", "internal/replay", "internal/resource", "internal/revocation", "internal/secret", "internal/session", "internal/session/store", "internal/strictjson", "internal/token"},
	"internal/policy":            {"internal/claim", "internal/config", "internal/dpop", "internal/fold", "internal/identity", "internal/jwk", "internal/refusal", "internal/rule", "internal/strictjson", "internal/token"},
	"internal/config":            {"internal/claim", "internal/fold", "internal/identity", "internal/jwk", "internal/pattern", "internal/refusal", "internal/rule", "internal/secret", "internal/strictjson", "internal/token"},
	"internal/resource":          {"internal/config", "internal/jwk"},
	"internal/dpop":              {"internal/jwk", "internal/strictjson", "internal/token"},
	"internal/replay":            {"internal/dpop", "internal/redis"},
	"internal/redis":             {},
	"internal/revocation":        {"internal/redis", "internal/session"},
	"internal/pattern":           {},
	"internal/rule":              {"internal/pattern"},
	"internal/secret":            {},
	"internal/login":             {"internal/config", "internal/fold", "internal/refusal", "internal/session"},
	"internal/session":           {"internal/secret"},
	"internal/session/store":     {"internal/login", "internal/session"},
	"internal/identity":          {"internal/claim", "internal/fold", "internal/token"},
	"internal/jwk":               {},
	"internal/jwks":              {"internal/discovery", "internal/fetch", "internal/jwk", "internal/strictjson"},
	"internal/oidc":              {"internal/config", "internal/discovery", "internal/fetch", "internal/jwk", "internal/jwks", "internal/login", "internal/strictjson", "internal/token"},
	"internal/discovery":         {"internal/fetch", "internal/strictjson"},
	"internal/fetch":             {},
	"internal/token":             {"internal/fold", "internal/strictjson"},
	"internal/claim":             {"internal/pattern"},
	"internal/refusal":           {"internal/jwk"},
	"internal/fold":              {},
	"internal/strictjson":        {},
	"internal/latency":           {},
	"internal/telemetry":         {"internal/latency"},
	"internal/a6":                {},
	"internal/archtest":          {},
	"internal/browsertest":       {},
	"internal/testkit/certified": {"internal/testkit/npm"},
	"internal/testkit/forge":     {},
	"internal/testkit/gateway":   {"internal/a6"},
	"internal/testkit/issuer":    {"internal/testkit/forge"},
	"internal/testkit/npm":       {},
	"internal/testkit/upstream":  {},
	"apisix-conf":                {},
	"ci":                         {},
	"docs":                       {},
}

// pure are packages that read no clock, wait for nothing and remember nothing:
// what the standard library has for that they may not import.
var pure = map[string][]string{
	"internal/policy": {"context", "net", "net/http", "os", "sync", "sync/atomic", "runtime", "log", "log/slog", "math/rand", "math/rand/v2"},
}

const officialRunner = "github.com/apache/apisix-go-plugin-runner"

// goPackage is what go list says of a package.
type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestPackagesImportOnlyWhatTheyMayKnow(t *testing.T) {
	there := map[string]bool{}
	for _, pkg := range packages(t) {
		there[strings.TrimPrefix(pkg.ImportPath, module)] = true
		for _, broken := range broken(pkg) {
			t.Error(broken)
		}
	}
	for name := range layers {
		if !there[name] {
			t.Errorf("the table of layers has a line for %s, which is not there", name)
		}
	}
}

func packages(t *testing.T) (list []goPackage) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(out))
	for {
		var pkg goPackage
		if err := dec.Decode(&pkg); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, pkg)
	}
}

// broken lists the rules that pkg breaks. Tests may import more than what they
// test, but in internal no plugin and no command.
func broken(pkg goPackage) (list []string) {
	name := strings.TrimPrefix(pkg.ImportPath, module)
	allowed, known := layers[name]
	if !known {
		return []string{name + " has no line in the table of layers"}
	}
	for _, path := range pkg.Imports {
		if slices.Contains(pure[name], path) {
			list = append(list, name+" must not import "+path+": it is a pure function")
		}
		ours, isOurs := strings.CutPrefix(path, module)
		if path == officialRunner || strings.HasPrefix(path, officialRunner+"/") {
			ours, isOurs = officialRunner, true
		}
		if isOurs && !slices.Contains(allowed, ours) {
			list = append(list, name+" must not import "+path)
		}
	}
	for _, path := range slices.Concat(pkg.TestImports, pkg.XTestImports) {
		ours, isOurs := strings.CutPrefix(path, module)
		upwards := strings.HasPrefix(ours, "plugins/") || strings.HasPrefix(ours, "cmd/")
		if isOurs && upwards && strings.HasPrefix(name, "internal/") {
			list = append(list, "a test of "+name+" must not import "+path)
		}
	}
	return list
}

// What forges knows no more than how things are written, or a mistake of the
// product could stand on both sides of a test.
func TestForgeImportsOnlyTheStandardLibraryAndGolangJWT(t *testing.T) {
	for _, pkg := range packages(t) {
		if pkg.ImportPath != module+"internal/testkit/forge" {
			continue
		}
		for _, path := range pkg.Imports {
			host, _, _ := strings.Cut(path, "/")
			if strings.Contains(host, ".") && path != "github.com/golang-jwt/jwt/v5" {
				t.Errorf("forge must not import %s", path)
			}
		}
	}
}

// The table itself must not be widened by mistake.
func TestTheTableOfLayersKeepsTheRules(t *testing.T) {
	for name, allowed := range layers {
		inside := strings.HasPrefix(name, "internal/")
		testkit := func(s string) bool { return strings.HasPrefix(s, "internal/testkit/") }
		for _, path := range allowed {
			if inside && (strings.HasPrefix(path, "plugins/") || strings.HasPrefix(path, "cmd/")) {
				t.Errorf("%s may import %s: internal packages know no plugin and no command", name, path)
			}
			if playground := name == "cmd/playground" || strings.HasPrefix(name, "cmd/playground/"); testkit(path) && !testkit(name) && !playground {
				t.Errorf("%s may import %s: no product code does", name, path)
			}
			if path == officialRunner && inside && name != "internal/runner" && name != "internal/inplace" {
				t.Errorf("%s may import the official runner: only its plugin, the engine and commands do", name)
			}
		}
	}
}

func TestBrokenRulesAreFound(t *testing.T) {
	for _, c := range []struct {
		name string
		pkg  goPackage
		want bool
	}{
		{"downwards", goPackage{ImportPath: "internal/identity", Imports: []string{module + "internal/claim", "strings"}}, false},
		{"upwards", goPackage{ImportPath: "internal/claim", Imports: []string{module + "internal/identity"}}, true},
		{"sideways", goPackage{ImportPath: "internal/token", Imports: []string{module + "internal/jwks"}}, true},
		{"internal imports a plugin", goPackage{ImportPath: "internal/policy", Imports: []string{module + "plugins/auth0jwt"}}, true},
		{"internal's test imports a plugin", goPackage{ImportPath: "internal/policy", XTestImports: []string{module + "plugins/auth0jwt"}}, true},
		{"a test imports the test kit", goPackage{ImportPath: "internal/policy", XTestImports: []string{module + "internal/testkit/issuer"}}, false},
		{"a test imports the forge", goPackage{ImportPath: "internal/policy", XTestImports: []string{module + "internal/testkit/forge"}}, false},
		{"the product imports the forge", goPackage{ImportPath: "internal/policy", Imports: []string{module + "internal/testkit/forge"}}, true},
		{"the product imports the test kit", goPackage{ImportPath: "cmd/go-runner", Imports: []string{module + "internal/testkit/issuer"}}, true},
		{"the official runner where it is allowed", goPackage{ImportPath: "plugins/auth0jwt", Imports: []string{officialRunner + "/pkg/http"}}, false},
		{"the official runner where it is not", goPackage{ImportPath: "internal/policy", Imports: []string{officialRunner + "/pkg/http"}}, true},
		{"a pure package that waits", goPackage{ImportPath: "internal/policy", Imports: []string{"context"}}, true},
		{"a package nobody placed", goPackage{ImportPath: "internal/helper"}, true},
	} {
		c.pkg.ImportPath = module + c.pkg.ImportPath
		if got := broken(c.pkg); (len(got) > 0) != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}
