package docs_test

import (
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var (
	// exact is an image of others: a version of three numbers, which names one
	// state of it, and maybe the digest that nobody can move.
	exact = regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+\.\d+[a-z0-9.-]*(@sha256:[0-9a-f]{64})?$`)
	// stage is a stage of the Dockerfile, its base and its instructions.
	stage = regexp.MustCompile(`(?ms)^FROM (\S+) AS (\S+)\n(.*?)(?:^FROM |\z)`)
)

// stages are those of the Dockerfile, by name.
func stages(t *testing.T) (all map[string]string, bases []string) {
	t.Helper()
	all = map[string]string{}
	for rest := open(t, "../Dockerfile").text; ; {
		m := stage.FindStringSubmatchIndex(rest)
		if m == nil {
			return all, bases
		}
		bases = append(bases, rest[m[2]:m[3]])
		all[rest[m[4]:m[5]]] = rest[m[6]:m[7]]
		rest = rest[m[7]:]
	}
}

func TestImagesOfOthersHaveAnExactVersion(t *testing.T) {
	_, images := stages(t)
	var compose struct {
		Services map[string]struct{ Image string }
	}
	if err := yaml.Unmarshal([]byte(open(t, "../docker-compose.yml").text), &compose); err != nil {
		t.Fatal(err)
	}
	for _, s := range compose.Services {
		images = append(images, s.Image)
	}
	others := 0
	for _, image := range images {
		switch {
		case image == "scratch", strings.HasPrefix(image, "apisix-auth0-jwt") && strings.HasSuffix(image, ":local"):
		case !exact.MatchString(image):
			t.Errorf("%s may be another image tomorrow", image)
		default:
			others++
		}
	}
	if others < 5 {
		t.Errorf("only %d images of others in %v", others, images)
	}
}

func TestTheDockerfileMakesConfinedImagesFromNothing(t *testing.T) {
	all, _ := stages(t)
	for _, name := range []string{"runner", "testkit"} {
		if !regexp.MustCompile(`(?m)^USER [1-9]\d*:[1-9]\d*$`).MatchString(all[name]) {
			t.Errorf("%s runs as root, or as a user whom Kubernetes' runAsNonRoot cannot tell from it", name)
		}
		if !strings.Contains(open(t, "../Dockerfile").text, "FROM scratch AS "+name+"\n") {
			t.Errorf("%s is not from scratch", name)
		}
	}
	for _, label := range []string{"title", "description", "source", "licenses", "version", "revision"} {
		if !strings.Contains(all["runner"], "org.opencontainers.image."+label+"=") {
			t.Errorf("the runner's image has no label %s", label)
		}
	}
	if !strings.Contains(all["runner"], "\nHEALTHCHECK ") {
		t.Error("the runner's image has no HEALTHCHECK")
	}
	for name, text := range all {
		if regexp.MustCompile(`(?m)^(ADD|RUN) `).MatchString(text) {
			t.Errorf("%s: ADD and RUN bring in what nobody pinned", name)
		}
	}
}

// The foreign images' digests are written down when a release is built: they cannot
// be had without the registries, and nobody has to believe a digest that was
// typed.
func TestAReleaseWritesTheDigestsOfImagesOfOthers(t *testing.T) {
	release, makefile := open(t, "../.github/workflows/release.yml").text, open(t, "../Makefile").text
	digests, signed := strings.Index(release, "make image-digests"), strings.Index(release, "cosign sign-blob")
	if digests < 0 || signed < digests || !strings.Contains(release[digests:signed], "checksums.txt") {
		t.Error("the digests are not among what is signed")
	}
	const inspect = "docker buildx imagetools inspect"
	if !strings.Contains(open(t, "install.md").text, inspect) || !strings.Contains(makefile, "buildx imagetools inspect") {
		t.Errorf("install.md and the Makefile do not both use %s", inspect)
	}
}
