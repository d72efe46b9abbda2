package apisixconf_test

import (
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// makes runs make with the repository's Makefile in dir under a umask that
// hides everything from everybody else.
func makes(t *testing.T, dir string, env []string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil {
		const needs = "this test needs make (Debian: apt-get install make)"
		if os.Getenv("CI") != "" {
			t.Fatal(needs)
		}
		t.Skip(needs)
	}
	makefile, err := filepath.Abs("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", append([]string{"-c", `umask 077; exec make -f "$@"`, "sh", makefile}, args...)...)
	cmd.Dir = dir
	// The flags of a make around this test are not for the one inside.
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "MFLAGS=") ||
			slices.ContainsFunc(madeNames, func(name string) bool { return strings.HasPrefix(v, name+"=") })
	}), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make %v: %v\n%s", args, err, out)
	}
}

func TestWhatTheImagesCopyIsLinuxAndReadableByAnyUserInThem(t *testing.T) {
	context := filepath.Join(t.TempDir(), "image")
	arch, machine := foreign()
	// GOOS stands for a machine that is no linux.
	makes(t, "..", []string{"GOOS=darwin"}, "image-context", "CONTEXT="+context, "IMAGE_ARCHS="+arch)
	modes := map[string]fs.FileMode{}
	err := filepath.WalkDir(context, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(context, path)
		modes[name] = info.Mode().Perm()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		".": 0o755, "linux": 0o755, "linux/" + arch: 0o755,
		"linux/" + arch + "/go-runner": 0o755, "linux/" + arch + "/playground": 0o755,
		"run": 0o755, "run/auth0-jwt": 0o700, // the socket's directory is its owner's alone
	} {
		got, there := modes[name]
		if !there || got != want {
			t.Errorf("%s: mode %o, want %o", name, got, want)
		}
		delete(modes, name)
	}
	if len(modes) > 0 {
		t.Errorf("not expected in the image: %v", modes)
	}
	for _, source := range copied(t) {
		if _, err := os.Stat(filepath.Join(context, strings.ReplaceAll(source, "$TARGETARCH", arch))); err != nil {
			t.Errorf("the Dockerfile copies what is not there: %v", err)
		}
	}
	for _, name := range []string{"go-runner", "playground"} {
		binary, err := elf.Open(filepath.Join(context, "linux", arch, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if binary.Section(".interp") != nil {
			t.Errorf("%s: it needs a dynamic linker, and the image has none", name)
		}
		if binary.Machine != machine {
			t.Errorf("%s for %s is for %s", name, arch, binary.Machine)
		}
		binary.Close()
	}
}

// foreign is the processor of the two that is not this machine's: what is built
// for that one has looked at nothing here. make image-check builds for both.
func foreign() (arch string, machine elf.Machine) {
	if runtime.GOARCH == "arm64" {
		return "amd64", elf.EM_X86_64
	}
	return "arm64", elf.EM_AARCH64
}

var copies = regexp.MustCompile(`(?m)^COPY (?:--\S+ )*dist/image/(\S+) `)

// copied are what the Dockerfile copies, below dist/image.
func copied(t *testing.T) (sources []string) {
	t.Helper()
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range copies.FindAllStringSubmatch(string(text), -1) {
		sources = append(sources, m[1])
	}
	if len(sources) == 0 {
		t.Error("the Dockerfile copies nothing")
	}
	return sources
}

// A key of digits alone, or one like 1e5, would be a number to APISIX, and true
// a boolean: no X-API-KEY equals those.
var madeValue = regexp.MustCompile(`^[a-z]+-[0-9a-f]{64}$`)

// madeNames are what make up makes a random value for.
var madeNames = []string{"ADMIN_KEY", "AUTH0_APP_SECRET", "SESSION_SECRET"}

func TestTheAdminKeyAndTheSecretsAreMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, ".env")
	if err := os.WriteFile(file, []byte("OTHER=1\nADMIN_KEY=\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	read := func() string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	makes(t, dir, nil, "demo-secrets")
	first := read()
	lines := strings.Split(strings.TrimSuffix(first, "\n"), "\n")
	if len(lines) != 2+len(madeNames) || lines[0] != "OTHER=1" {
		t.Fatalf("got %q", first)
	}
	values := map[string]bool{}
	for at, name := range madeNames {
		made, value, _ := strings.Cut(lines[2+at], "=")
		if made != name || !madeValue.MatchString(value) || values[value] {
			t.Errorf("got %q, want a value of its own for %s", lines[2+at], name)
		}
		values[value] = true
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	makes(t, dir, nil, "demo-secrets")
	if again := read(); again != first {
		t.Errorf("the key did not stay: %q, then %q", first, again)
	}
	other := t.TempDir()
	makes(t, other, nil, "demo-secrets")
	if text, err := os.ReadFile(filepath.Join(other, ".env")); err != nil || strings.Contains(first, string(text)) {
		t.Errorf("a second clone has the same key: %q, %v", text, err)
	}
	none := t.TempDir()
	makes(t, none, []string{"ADMIN_KEY=mine", "AUTH0_APP_SECRET=mine", "SESSION_SECRET=mine"}, "demo-secrets")
	if _, err := os.Stat(filepath.Join(none, ".env")); !os.IsNotExist(err) {
		t.Errorf("a value was made beside the environment's: %v", err)
	}
}

func TestEveryServiceRunsConfined(t *testing.T) {
	text, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			CapDrop     []string `yaml:"cap_drop"`
			SecurityOpt []string `yaml:"security_opt"`
			ReadOnly    bool     `yaml:"read_only"`
			Ports       []string
		}
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	if len(compose.Services) == 0 {
		t.Fatal("no services")
	}
	for name, s := range compose.Services {
		if !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: cap_drop %v, security_opt %v", name, s.CapDrop, s.SecurityOpt)
		}
		// APISIX writes below its own directory.
		if isAPISIX := strings.HasPrefix(name, "apisix"); s.ReadOnly == isAPISIX {
			t.Errorf("%s: read_only %v", name, s.ReadOnly)
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: port %s is not on loopback only", name, port)
			}
		}
	}
}
