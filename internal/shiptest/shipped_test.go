package shiptest_test

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// given is what the make target says in the environment.
func given(t *testing.T, name, target string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is not set; run make %s", name, target)
		}
		t.Skipf("%s is not set; run make %s", name, target)
	}
	return value
}

var authorities = regexp.MustCompile(`(?m)^\s*golang\.org/x/crypto/x509roots/fallback (\S+)`)

// pinnedAuthorities is the version of the certificate authorities in go.mod.
func pinnedAuthorities(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	m := authorities.FindSubmatch(data)
	if m == nil {
		t.Fatal("go.mod names no module with certificate authorities")
	}
	return string(m[1])
}

// checkBinary wants a static go-runner for linux on arch, which tells nothing of the
// machine that built it, and has the certificate authorities that go.mod pins.
func checkBinary(t *testing.T, binary []byte, arch string) *buildinfo.BuildInfo {
	t.Helper()
	info, err := buildinfo.Read(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	for name, want := range map[string]string{"GOOS": "linux", "GOARCH": arch, "CGO_ENABLED": "0", "-trimpath": "true"} {
		if settings[name] != want {
			t.Errorf("%s is %q, want %q", name, settings[name], want)
		}
	}
	version := ""
	for _, dep := range info.Deps {
		if dep.Path == "golang.org/x/crypto/x509roots/fallback" {
			version = dep.Version
		}
	}
	if want := pinnedAuthorities(t); version != want {
		t.Errorf("the certificate authorities are %q, want %s", version, want)
	}
	program, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the binary is not static: it names an interpreter")
		}
	}
	for _, path := range ownPaths(t) {
		if bytes.Contains(binary, []byte(path)) {
			t.Errorf("the binary has the path %s of the machine that built it", path)
		}
	}
	return info
}

// ownPaths are directories of this machine that the compiler reads.
func ownPaths(t *testing.T) (paths []string) {
	t.Helper()
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	return []string{repository + "/", filepath.Join(home, "go") + "/pkg/mod", home + "/.cache/go-build"}
}
