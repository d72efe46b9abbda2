package shiptest_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hangGuard ends what hangs. Nothing that works comes near it, however busy the
// machine is.
const hangGuard = 5 * time.Minute

// largest is a bound for an image. A base image would go beyond it.
const largest = 48 << 20

// image is what docker inspect says of one.
type image struct {
	ID, Architecture, Os string
	Size                 int64
	Config               struct {
		User            string
		Entrypoint, Cmd []string
		Labels          map[string]string
		Healthcheck     struct{ Test []string }
	}
}

// docker runs the client, and returns what it prints.
func docker(t *testing.T, args ...string) []byte {
	t.Helper()
	client := os.Getenv("DOCKER")
	if client == "" {
		client = "docker"
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(client, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v\n%s%s", client, strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return bytes.TrimSpace(stdout.Bytes())
}

func inspect[T any](t *testing.T, name string) (one T) {
	t.Helper()
	var all []T
	if err := json.Unmarshal(docker(t, "inspect", name), &all); err != nil || len(all) != 1 {
		t.Fatalf("docker inspect %s: %d answers, %v", name, len(all), err)
	}
	return all[0]
}

// tags are those of the runner's images, by processor.
func tags(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, tag := range strings.Fields(given(t, "IMAGES", "image-check")) {
		all[tag[strings.LastIndexAny(tag, ":-")+1:]] = tag
	}
	return all
}

func TestImagesAreOfTheirProcessorAndSayWhatTheyAre(t *testing.T) {
	for arch, tag := range tags(t) {
		i := inspect[image](t, tag)
		if i.Os != "linux" || i.Architecture != arch || i.Config.User != "636:636" || i.Size > largest {
			t.Errorf("%s is for %s/%s, has the user %s and %d bytes", tag, i.Os, i.Architecture, i.Config.User, i.Size)
		}
		const ping = "CMD /go-runner ping --listen unix:/run/auth0-jwt/runner.sock"
		if got := strings.Join(i.Config.Healthcheck.Test, " "); got != ping {
			t.Errorf("%s: its health is %q", tag, got)
		}
		labels := map[string]string{
			"title": "apisix-auth0-jwt", "description": i.Config.Labels["org.opencontainers.image.description"], "licenses": "Apache-2.0",
			"source":  "https://github.com/apisix-auth0-jwt/apisix-auth0-jwt",
			"version": given(t, "VERSION", "image-check"), "revision": given(t, "COMMIT", "image-check"),
		}
		for name, want := range labels {
			if got := i.Config.Labels["org.opencontainers.image."+name]; got != want || got == "" {
				t.Errorf("%s: the label %s is %q, want %q", tag, name, got, want)
			}
		}
	}
}

// own are the paths that Docker adds to whatever it runs.
var own = regexp.MustCompile(`^(\.dockerenv|(dev|proc|sys)/.*|etc/(hosts|hostname|resolv\.conf|mtab)?)$`)

// TestImagesHoldTheBinaryAndADirectoryForItsSocket, and so no shell, no file of a
// certificate authority and nothing of the machine that built them.
func TestImagesHoldTheBinaryAndADirectoryForItsSocket(t *testing.T) {
	for arch, tag := range tags(t) {
		t.Run(arch, func(t *testing.T) {
			container := string(docker(t, "create", tag))
			t.Cleanup(func() { docker(t, "rm", container) })
			there, binary := map[string]string{}, []byte(nil)
			for archive := tar.NewReader(bytes.NewReader(docker(t, "export", container))); ; {
				h, err := archive.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if own.MatchString(h.Name) {
					continue
				}
				there[strings.TrimSuffix(h.Name, "/")] = fmt.Sprintf("%v %d:%d", h.FileInfo().Mode(), h.Uid, h.Gid)
				if h.Name == "go-runner" {
					if binary, err = io.ReadAll(archive); err != nil {
						t.Fatal(err)
					}
				}
			}
			want := map[string]string{"go-runner": "-rwxr-xr-x 0:0", "run": "drwxr-xr-x 636:636", "run/auth0-jwt": "drwx------ 636:636"}
			if diff := cmp.Diff(want, there); diff != "" {
				t.Errorf("the image (-expected +there):\n%s", diff)
			}
			checkBinary(t, binary, arch)
		})
	}
}

// here is the image for the processor of the Docker engine.
func here(t *testing.T) string {
	t.Helper()
	arch := string(docker(t, "version", "--format", "{{.Server.Arch}}"))
	tag, there := tags(t)[arch]
	if !there {
		t.Fatalf("there is no image for the engine's processor, %s", arch)
	}
	return tag
}

// container is what docker inspect says of one.
type container struct {
	State struct {
		ExitCode int
		Health   struct{ Status string }
	}
}

var documented = regexp.MustCompile(`(?m)^    docker (run -d --name go-runner (?:.*\\\n)*.*)$`)

// runs starts a container by the command of docs/install.md, with names of the
// test's own and without a network, which the checks do not need.
func runs(t *testing.T, volume, tag string, flags ...string) (name string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	command := documented.FindSubmatch(page)
	if command == nil {
		t.Fatal("docs/install.md does not start a container")
	}
	here := strings.NewReplacer("\\\n", "", "--name go-runner", "--network none", "auth0-jwt-socket:", volume+":", "apisix-auth0-jwt:local", tag)
	name = string(docker(t, append(strings.Fields(here.Replace(string(command[1]))), flags...)...))
	t.Cleanup(func() { docker(t, "rm", "-f", name) })
	return name
}

// untilHealthy waits until Docker's own check of a container passes.
func untilHealthy(t *testing.T, name string) {
	t.Helper()
	hangs := time.After(hangGuard)
	for {
		if inspect[container](t, name).State.Health.Status == "healthy" {
			return
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-hangs:
			t.Fatalf("%s is not healthy:\n%s", name, docker(t, "logs", name))
		}
	}
}

// TestAnImageServesConfinedAndIsReplaced by a second container on the same volume,
// as docs/install.md says.
func TestAnImageServesConfinedAndIsReplaced(t *testing.T) {
	tag := here(t)
	volume := string(docker(t, "volume", "create"))
	t.Cleanup(func() { docker(t, "volume", "rm", volume) })
	first := runs(t, volume, tag)
	untilHealthy(t, first)
	if users := strings.Fields(string(docker(t, "top", first, "-eo", "pid,uid,gid"))); len(users) != 6 || users[4] != "636" || users[5] != "636" {
		t.Errorf("it runs as %v", users)
	}
	second := runs(t, volume, tag, "--takeover")
	untilHealthy(t, second)
	docker(t, "stop", "--time", "60", first)
	if code := inspect[container](t, first).State.ExitCode; code != 0 {
		t.Errorf("the first ends with %d", code)
	}
	docker(t, "exec", second, "/go-runner", "ping", "--listen", "unix:/run/auth0-jwt/runner.sock")
}

// A health check that cannot fail would say nothing.
func TestAnImageWithoutARunnerIsNotHealthy(t *testing.T) {
	name := string(docker(t, "create", "--network", "none", here(t), "ping", "--listen", "unix:/run/auth0-jwt/runner.sock"))
	t.Cleanup(func() { docker(t, "rm", "-f", name) })
	docker(t, "start", name)
	if code := strings.TrimSpace(string(docker(t, "wait", name))); code != "3" {
		t.Errorf("ping ends with %s", code)
	}
}
