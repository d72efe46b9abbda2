package shiptest_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// content are the files of an archive, with their modes.
var content = map[string]os.FileMode{
	"": os.ModeDir | 0o755, "go-runner": 0o755, "LICENSE": 0o644, "README.md": 0o644, "CHANGELOG.md": 0o644,
	"systemd": os.ModeDir | 0o755, "systemd/auth0-jwt.conf": 0o644, "systemd/go-runner.yaml": 0o644, "systemd/go-runner@.service": 0o644,
}

func TestReleaseArchivesHoldWhatIsInstalled(t *testing.T) {
	dir, version := given(t, "RELEASE", "release-snapshot"), given(t, "VERSION", "release-snapshot")
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			name := fmt.Sprintf("go-runner-%s-linux-%s", version, arch)
			modes, files := unpack(t, filepath.Join(dir, name+".tar.gz"), name)
			if diff := cmp.Diff(content, modes); diff != "" {
				t.Errorf("the archive (-expected +there):\n%s", diff)
			}
			info := checkBinary(t, files["go-runner"], arch)
			modules := components(t, filepath.Join(dir, name+".sbom.json"))
			for _, dep := range info.Deps {
				if modules[dep.Path] != dep.Version {
					t.Errorf("the SBOM has %s %q, and the binary %s", dep.Path, modules[dep.Path], dep.Version)
				}
			}
			if arch == runtime.GOARCH {
				says(t, files["go-runner"], version)
			}
		})
	}
}

// unpack reads an archive whose files nobody of the build machine owns.
func unpack(t *testing.T, path, top string) (modes map[string]os.FileMode, files map[string][]byte) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if !z.ModTime.IsZero() || z.Name != "" {
		t.Errorf("gzip keeps a time or a name: %v %q", z.ModTime, z.Name)
	}
	modes, files = map[string]os.FileMode{}, map[string][]byte{}
	times := map[int64]bool{}
	for archive := tar.NewReader(z); ; {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname+h.Gname != "" {
			t.Errorf("%s is of %d:%d (%s:%s)", h.Name, h.Uid, h.Gid, h.Uname, h.Gname)
		}
		name := strings.Trim(strings.TrimPrefix(h.Name, top), "/")
		modes[name] = h.FileInfo().Mode()
		times[h.ModTime.Unix()] = true
		if files[name], err = io.ReadAll(archive); err != nil {
			t.Fatal(err)
		}
	}
	if len(times) != 1 {
		t.Errorf("%d times, and not that of the commit alone", len(times))
	}
	return modes, files
}

// components are the modules of an SBOM and their versions.
func components(t *testing.T, path string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var sbom struct {
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(data, &sbom); err != nil {
		t.Fatal(err)
	}
	modules := map[string]string{}
	for _, c := range sbom.Components {
		modules[c.Name] = c.Version
	}
	return modules
}

// says runs a binary, which tells its version.
func says(t *testing.T, binary []byte, version string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "go-runner")
	if err := os.WriteFile(path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "version").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte(version)) {
		t.Errorf("version: %v %s", err, out)
	}
}

func TestReleaseChecksumsAreThoseOfTheFiles(t *testing.T) {
	dir := given(t, "RELEASE", "release-snapshot")
	data, err := os.ReadFile(filepath.Join(dir, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(data))
	if len(lines) != 2*4 {
		t.Fatalf("not the sums of two archives and two SBOMs:\n%s", data)
	}
	for i := 0; i < len(lines); i += 2 {
		file, err := os.ReadFile(filepath.Join(dir, lines[i+1]))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != lines[i] {
			t.Errorf("%s has another sum", lines[i+1])
		}
	}
}
