package secret_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
)

// inDir makes a directory of secrets and one beside it, as an attacker would
// like them.
func inDir(t *testing.T) (base, dir string) {
	t.Helper()
	base = t.TempDir()
	dir = filepath.Join(base, "secrets")
	for _, d := range []string{dir, dir + "/sub", dir + "/..2026_03_04", dir + "-of-others", base + "/outside"} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	inside, outside := strings.Repeat("i", 40), strings.Repeat("o", 40)
	write(t, dir+"/plain", inside)
	write(t, dir+"/sub/deep", inside)
	write(t, dir+"/short", "short")
	write(t, dir+"/..2026_03_04/mounted", inside)
	write(t, base+"/outside/secret", outside)
	write(t, base+"/outside/short", "short")
	write(t, dir+"-of-others/secret", outside)
	// As Kubernetes mounts a secret.
	link(t, "..2026_03_04", dir+"/..data")
	link(t, "..data/mounted", dir+"/mounted")
	link(t, "../plain", dir+"/sub/up-and-still-inside")
	link(t, "../outside/secret", dir+"/out")
	link(t, "../../outside/secret", dir+"/sub/out")
	link(t, base+"/outside/secret", dir+"/out-absolute")
	link(t, "../outside", dir+"/out-directory")
	link(t, "../outside/nothing", dir+"/out-to-nothing")
	link(t, "out", dir+"/out-by-two-links")
	link(t, "loop", dir+"/loop")
	link(t, "secrets", base+"/alias")
	return base, dir
}

// TestOnlyFilesBelowTheDirectoryAreSecrets: no path and no link leads out of
// it, and no answer tells what there is outside.
func TestOnlyFilesBelowTheDirectoryAreSecrets(t *testing.T) {
	base, dir := inDir(t)
	for _, tt := range []struct {
		path string
		want error
	}{
		{dir + "/plain", nil},
		{dir + "//plain", nil},
		{dir + "/./plain", nil},
		{dir + "/sub/deep", nil},
		{dir + "/sub/../plain", nil},
		{dir + "/sub/up-and-still-inside", nil},
		{dir + "/mounted", nil},
		{dir + "/..data/mounted", nil},
		{base + "/outside/../secrets/plain", nil},
		{dir + "/short", secret.ErrTooShort},

		{dir + "/nothing", secret.ErrNotBelow},
		{dir, secret.ErrNotBelow},
		{dir + "/sub", secret.ErrNotBelow},
		{dir + "/out", secret.ErrNotBelow},
		{dir + "/sub/out", secret.ErrNotBelow},
		{dir + "/out-absolute", secret.ErrNotBelow},
		{dir + "/out-directory/secret", secret.ErrNotBelow},
		{dir + "/out-directory/short", secret.ErrNotBelow},
		{dir + "/out-directory/nothing", secret.ErrNotBelow},
		{dir + "/out-to-nothing", secret.ErrNotBelow},
		{dir + "/out-by-two-links", secret.ErrNotBelow},
		{dir + "/loop", secret.ErrNotBelow},

		{base + "/outside/secret", secret.ErrOutside},
		{base + "/outside/short", secret.ErrOutside},
		{base + "/outside/nothing", secret.ErrOutside},
		{base + "/alias/plain", secret.ErrOutside},
		{dir + "-of-others/secret", secret.ErrOutside},
		{dir + "/../outside/secret", secret.ErrOutside},
		{dir + "/sub/../../outside/secret", secret.ErrOutside},
		{dir + "/../../../../../../etc/hostname", secret.ErrOutside},
		{"/etc/hostname", secret.ErrOutside},
		{"/dev/zero", secret.ErrOutside},
		{"/", secret.ErrOutside},
	} {
		for _, limit := range []string{dir, dir + "/"} {
			s, err := secret.Open("$file://"+tt.path, secret.Options{Dir: limit, Now: start, Logger: quiet})
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("%s: %v, want %v", tt.path, err, tt.want)
			}
			if err == nil && s.Value(start)[0] != 'i' {
				t.Errorf("%s: a secret from outside", tt.path)
			}
			if err != nil && (strings.Contains(err.Error(), base) || tt.want != secret.ErrTooShort && !strings.Contains(err.Error(), "--secrets-dir")) {
				t.Errorf("%s: the refusal does not say why, or where: %v", tt.path, err)
			}
		}
	}
}

func TestADirectoryThatIsNoneTakesNoFile(t *testing.T) {
	base, dir := inDir(t)
	t.Chdir(base)
	for _, limit := range []string{"secrets", "./secrets", ".", dir + "/plain", dir + "/nothing"} {
		if _, err := secret.Open("$file://"+dir+"/plain", secret.Options{Dir: limit, Now: start, Logger: quiet}); err == nil {
			t.Errorf("%s: taken", limit)
		}
	}
}

func TestTheDirectoryDoesNotLimitTheEnvironment(t *testing.T) {
	t.Setenv("OF_THE_RUNNER", strings.Repeat("e", 32))
	if _, err := secret.Open("$env://OF_THE_RUNNER", secret.Options{Dir: t.TempDir(), Now: start, Logger: quiet}); err != nil {
		t.Error(err)
	}
}

// TestAFileIsReadAgainBelowTheDirectory: as Kubernetes changes a secret, and as
// somebody who may write there would try to get out.
func TestAFileIsReadAgainBelowTheDirectory(t *testing.T) {
	base, dir := inDir(t)
	s, err := secret.Open("$file://"+dir+"/mounted", secret.Options{Dir: dir, Now: start, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	replace := func(target, path string) func() {
		return func() {
			link(t, target, path+".new")
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, step := range []struct {
		name   string
		change func()
		want   string
	}{
		{"a new version is mounted", func() {
			if err := os.Mkdir(dir+"/..2026_03_05", 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, dir+"/..2026_03_05/mounted", strings.Repeat("2", 40))
			replace("..2026_03_05", dir+"/..data")()
		}, "2"},
		{"the file becomes a link that leads out", replace("../outside/secret", dir+"/mounted"), "2"},
		{"a directory on the way becomes one", func() {
			replace("..data/mounted", dir+"/mounted")()
			replace(base+"/outside", dir+"/..data")()
		}, "2"},
		{"the first version is mounted again", replace("..2026_03_04", dir+"/..data"), "i"},
		{"the whole directory is replaced", func() {
			if err := errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700)); err != nil {
				t.Fatal(err)
			}
			write(t, dir+"/mounted", strings.Repeat("3", 40))
		}, "3"},
	} {
		step.change()
		if got := s.Value(start.Add(time.Duration(i+1) * time.Minute)); string(got[:1]) != step.want {
			t.Errorf("%s: %.1s…", step.name, got)
		}
	}
}
