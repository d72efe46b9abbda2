package convert_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/convert"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

var update = flag.Bool("update", false, "write the golden files anew")

// hush is in every secret of the archives.
const hush = "hush"

// archive is one case: KIND/ID.json are objects, options.json are the options
// where there are any, and want.txt is what comes out.
type archive struct {
	path    string
	txt     *txtar.Archive
	objects []convert.Object
	options convert.Options
}

func openArchive(t *testing.T, path string) archive {
	t.Helper()
	txt, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := archive{path: path, txt: txt}
	for _, f := range txt.Files {
		kind, name, isObject := strings.Cut(f.Name, "/")
		switch {
		case isObject:
			a.objects = append(a.objects, convert.Object{Kind: kind, ID: strings.TrimSuffix(name, ".json"), JSON: f.Data})
		case f.Name == "options.json":
			d := json.NewDecoder(bytes.NewReader(f.Data))
			d.DisallowUnknownFields()
			if err := d.Decode(&a.options); err != nil {
				t.Fatal(err)
			}
		}
	}
	return a
}

// is compares want.txt with what comes out.
func (a archive) is(t *testing.T, happens string) {
	t.Helper()
	i := slices.IndexFunc(a.txt.Files, func(f txtar.File) bool { return f.Name == "want.txt" })
	if *update {
		if i < 0 {
			i = len(a.txt.Files)
			a.txt.Files = append(a.txt.Files, txtar.File{Name: "want.txt"})
		}
		a.txt.Files[i].Data = []byte(happens)
		if err := os.WriteFile(a.path, txtar.Format(a.txt), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if i < 0 {
		t.Fatal("there is no want.txt; -update writes it")
	}
	if diff := cmp.Diff(strings.Split(string(a.txt.Files[i].Data), "\n"), strings.Split(happens, "\n")); diff != "" {
		t.Errorf("rewritten by -update (-want +got):\n%s", diff)
	}
}

// TestRoutesAsPeopleWriteThem converts every archive. Whatever comes out is a
// configuration that the runner takes, has no secret in it, and is not converted
// again.
func TestRoutesAsPeopleWriteThem(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) < 15 {
		t.Fatalf("%d archives: %v", len(archives), err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a := openArchive(t, path)
			var out strings.Builder
			var converted []convert.Object
			for _, r := range convert.Objects(a.objects, a.options) {
				if err := r.WriteText(&out); err != nil {
					t.Fatal(err)
				}
				for _, s := range r.Secrets {
					out.WriteString("    moves " + strings.Join(s.Path, ".") + " of " + s.Object.Name() + " to " + s.Reference + "\n")
				}
				if r.Body == nil {
					continue
				}
				out.Write(r.Body)
				out.WriteString("\n")
				mustBeTaken(t, r, a.options)
				converted = append(converted, convert.Object{Kind: r.Kind, ID: r.ID, JSON: r.Body})
			}
			if strings.Contains(out.String(), hush) {
				t.Error("a secret is in what comes out")
			}
			if again := convert.Objects(converted, a.options); len(again) > 0 {
				t.Errorf("%s is converted twice", again[0].Name())
			}
			a.is(t, out.String())
		})
	}
}

// TestNothingOfAnObjectMovesTheCursor: whoever reads the notes may not be who
// wrote the route.
func TestNothingOfAnObjectMovesTheCursor(t *testing.T) {
	const moves = "a\x1b[2J\u009b1A\nroute b, openid-connect: converted\r"
	conf, err := json.Marshal(map[string]any{"plugins": map[string]any{"openid-connect": map[string]any{
		moves: 1, "client_id": moves, "bearer_only": true, "use_jwks": true, "discovery": moves,
		"claim_validator": map[string]any{"issuer": map[string]any{"valid_issuers": []string{moves}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	results := convert.Objects([]convert.Object{{Kind: "routes", ID: moves, JSON: conf}}, convert.Options{Audience: []string{"a"}, Accept: convert.Risks})
	if len(results) != 1 {
		t.Fatalf("%d results", len(results))
	}
	for _, r := range results {
		var out strings.Builder
		if err := r.WriteText(&out); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(out.String(), "\x1b\u009b\r") || strings.Contains(out.String(), "\nroute b") {
			t.Errorf("%q", out.String())
		}
	}
}

// mustBeTaken reads a configuration as a runner does that has its secrets.
func mustBeTaken(t *testing.T, r convert.Result, opt convert.Options) {
	t.Helper()
	var body struct {
		Plugins map[string]json.RawMessage `json:"plugins"`
	}
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Plugins[r.Plugin] != nil || body.Plugins["ext-plugin-pre-req"] == nil {
		t.Errorf("%s: the plugins are not replaced", r.Name())
	}
	for _, at := range bytes.Split(r.Configuration, []byte(`"$env://`))[1:] {
		name, _, _ := strings.Cut(string(at), `"`)
		value := strings.Repeat("s", 64)
		if strings.Contains(name, "KEY") {
			value = privatePEM(t)
		}
		t.Setenv(name, value)
	}
	opt.Config.Redis = true
	if _, err := config.Parse(r.Configuration, opt.Config); err != nil && opt.Config.SecretsDir == "" {
		t.Errorf("%s: %v\n%s", r.Name(), err, r.Configuration)
	}
}

func privatePEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(forge.P256())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}
