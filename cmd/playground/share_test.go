package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// shell runs what somebody copied from the page, in a directory of its own.
func shell(t *testing.T, command string, environment ...string) (out string, dir string) {
	t.Helper()
	binary, err := builtRunner()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-eu", "-c", command)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), append(environment, "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s\n%s", err, command, stdout.String(), stderr.String())
	}
	return stdout.String(), cmd.Dir
}

func needsCurl(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("not run: curl is missing (Debian: apt-get install curl)")
	}
}

func TestWhatIsCopiedOutDoesTheSameAgain(t *testing.T) {
	needsCurl(t)
	r := startRig(t)
	for _, e := range r.begin().Examples {
		t.Run(e.ID, func(t *testing.T) {
			got := r.try(e.Config, e.Request, e.Caller)
			// The route is put away, so that curl has to bring it back.
			if err := r.bench.PutRoute(t.Context(), "try", []byte(`{"uri":"/elsewhere","upstream":{"type":"roundrobin","nodes":{"127.0.0.1:1":1}}}`)); err != nil {
				t.Fatal(err)
			}
			out, _ := shell(t, got.Share.Curl, "ADMIN_KEY=any")
			if !strings.Contains(out, `"/try/*"`) {
				t.Errorf("curl says %s", out)
			}
			if again := r.try(e.Config, e.Request, e.Caller); again.Answer.Status != got.Answer.Status || again.Answer.Reason != got.Answer.Reason {
				t.Errorf("after curl: %d %s, and before %d %s", again.Answer.Status, again.Answer.Reason, got.Answer.Status, got.Answer.Reason)
			}
			token, proof := "", ""
			for _, h := range got.Sent.Headers {
				switch _, value, _ := strings.Cut(h[1], " "); h[0] {
				case "Authorization":
					token = value
				case "DPoP":
					proof = h[1]
				}
			}
			for _, text := range []string{got.Share.Curl, got.Share.Explain, got.Share.Compose, got.Share.Helm} {
				for _, secret := range []string{token, proof, r.secrets.app, r.secrets.session, r.bench.launch.token} {
					if secret != "" && strings.Contains(text, secret) {
						t.Errorf("it holds a secret: %s", text)
					}
				}
			}
			walk, _ := shell(t, got.Share.Explain, "TOKEN="+token, "PROOF="+proof)
			switch {
			case e.ID == "revoked": // which the command does not know
			case got.Answer.Reason == "forwarded" && !strings.Contains(walk, "forwarded, with these edits"),
				got.Answer.Reason == "login_redirect" && !strings.Contains(walk, "to the login page"),
				got.Answer.Status >= 400 && !strings.Contains(walk, "FAILED "+got.Answer.Reason):
				t.Errorf("%s:\n%s\n%s", got.Answer.Reason, got.Share.Explain, walk)
			}
		})
	}
}

func TestNothingThatIsPastedRunsInTheShellOfWhoCopiesIt(t *testing.T) {
	needsCurl(t)
	r := startRig(t)
	config := `{"issuer":"` + r.issuer.URL() + `","audience":"a","name":"'; touch pwned; '$(touch pwned)` + "`touch pwned`" + `"}`
	if !json.Valid([]byte(config)) {
		t.Fatal("no JSON")
	}
	request := map[string]any{"method": "GET", "path": "/try/'$(touch%20pwned)'", "headers": []pair{{"X-A", `'"; touch pwned; $(touch pwned)`}}}
	got := r.try(config, request, map[string]any{"kind": "pasted", "token": "a'$(touch pwned)'.b.c"})
	for _, command := range []string{got.Share.Curl, got.Share.Explain} {
		if _, dir := shell(t, command, "ADMIN_KEY=any", "TOKEN=a.b.c"); exists(filepath.Join(dir, "pwned")) {
			t.Errorf("it ran: %s", command)
		}
	}
	if strings.Contains(got.Share.Compose+got.Share.Helm, "pwned") {
		t.Error("what was pasted is in the snippets")
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestTheSnippetsAreThoseOfTheRepository(t *testing.T) {
	r := startRig(t)
	e := r.begin().example(t, "login")
	got := r.try(e.Config, e.Request, e.Caller)
	for file, snippet := range map[string]string{
		"../../docker-compose.yml": got.Share.Compose, "../../apisix-conf/kubernetes/values.yaml": got.Share.Helm,
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var whole, part any
		if err := yaml.Unmarshal(text, &whole); err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal([]byte(snippet), &part); err != nil {
			t.Fatalf("%v\n%s", err, snippet)
		}
		within(t, file, part, whole)
		for _, name := range []string{appSecretName, sessionSecretName} {
			if !strings.Contains(snippet, name) {
				t.Errorf("%s: the variable %s is not in:\n%s", file, name, snippet)
			}
		}
	}
}

// within holds that a document says nothing else than the whole, apart from the
// secrets of the configuration.
func within(t *testing.T, at string, part, whole any) {
	t.Helper()
	switch part := part.(type) {
	case map[string]any:
		of, _ := whole.(map[string]any)
		for name, value := range part {
			if name == appSecretName || name == sessionSecretName {
				continue
			}
			within(t, at+"."+name, value, of[name])
		}
	case []any:
		of, _ := whole.([]any)
		for n, value := range part {
			if m, ok := value.(map[string]any); ok && (m["name"] == appSecretName || m["name"] == sessionSecretName) {
				continue
			}
			found := false
			for _, other := range of {
				found = found || same(value, other)
			}
			if !found {
				t.Errorf("%s[%d]: %v is not in %v", at, n, value, whole)
			}
		}
	default:
		if part != whole {
			t.Errorf("%s is %v, and in the repository %v", at, part, whole)
		}
	}
}

// same reports whether a value is, or is a part of, another.
func same(part, whole any) bool {
	a, isMap := part.(map[string]any)
	b, _ := whole.(map[string]any)
	if !isMap {
		return part == whole
	}
	for name, value := range a {
		if list, ok := value.([]any); ok {
			others, _ := b[name].([]any)
			for _, one := range list {
				if m, ok := one.(map[string]any); ok && (m["name"] == appSecretName || m["name"] == sessionSecretName) {
					continue
				}
				found := false
				for _, other := range others {
					found = found || same(one, other)
				}
				if !found {
					return false
				}
			}
			continue
		}
		if !same(value, b[name]) {
			return false
		}
	}
	return true
}
