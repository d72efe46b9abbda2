package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// builtRunner is the real runner, built once for all tests.
var builtRunner = sync.OnceValues(func() (string, error) {
	binary, err := filepath.Abs(filepath.Join(buildDir, "go-runner"))
	if err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", binary, "../go-runner").CombinedOutput()
	return binary, explained(err, out)
})

// rig is everything that make run starts, with a client of the page.
type rig struct {
	*tour
	t *testing.T
}

func startRig(t *testing.T) *rig {
	t.Helper()
	binary, err := builtRunner()
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{&tour{binary: binary, pageAddr: "127.0.0.1:0", secrets: newSecrets()}, t}
	forget, err := r.secrets.remember()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.close(); err != nil {
			t.Error(err)
		}
		forget()
	})
	if err := r.start(t.Context(), t.TempDir(), io.Discard); err != nil {
		t.Fatal(err)
	}
	return r
}

// post calls the page's API with more headers, and decodes the answer.
func (r *rig) post(name string, body any, into any, headers ...[2]string) int {
	r.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.page.URL()+"api/"+name, bytes.NewReader(text))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-Playground-Token", r.page.Token())
	for _, h := range headers {
		req.Header.Add(h[0], h[1])
	}
	return r.do(req, into)
}

func (r *rig) get(name string, into any) int {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, r.page.URL()+"api/"+name, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.do(req, into)
}

func (r *rig) do(req *http.Request, into any) int {
	r.t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		r.t.Fatalf("%s: %v", req.URL.Path, err)
	}
	return resp.StatusCode
}

// example is one of the page's, as its API gives it.
type example struct {
	ID, Title, About, Config string
	Request                  json.RawMessage
	Caller                   map[string]any
}

type started struct {
	Gateway  string
	Examples []example
	Variants []struct{ ID, Title, About string }
	Schema   map[string]any
}

func (r *rig) begin() (s started) {
	r.t.Helper()
	if status := r.get("start", &s); status != http.StatusOK {
		r.t.Fatalf("start: %d", status)
	}
	return s
}

func (s started) example(t *testing.T, id string) example {
	t.Helper()
	for _, e := range s.Examples {
		if e.ID == id {
			return e
		}
	}
	t.Fatalf("there is no example %s", id)
	return example{}
}

type pair = [2]string

// tried is the answer to a try.
type tried struct {
	Error string
	Sent  struct{ Headers []pair }
	Shown *struct {
		Path    string
		Headers []pair
	}
	Runner *struct {
		Kind   string
		Status int
		Edits  []struct{ Op, Name, Value string }
	}
	Checks []struct {
		Number                int
		Name, Outcome, Reason string
		Details               []string
	}
	Notes, Session, Login []string
	Answer                struct {
		Status     int
		Reason     string
		Headers    []pair
		Body       string
		Location   string
		Challenges []struct {
			Scheme string
			Params []pair
		}
	}
	Upstream *struct {
		Path     string
		Headers  []struct{ Name, Value, Mark string }
		Stripped []struct{ Name, Value string }
	}
	Share struct{ Curl, Explain, Compose, Helm string }
}

func (r *rig) try(config string, request any, caller map[string]any, headers ...[2]string) (got tried) {
	r.t.Helper()
	status := r.post("try", map[string]any{"config": config, "request": request, "caller": caller}, &got, headers...)
	if status != http.StatusOK {
		r.t.Fatalf("try: %d %s", status, got.Error)
	}
	return got
}

func (r *rig) act(act, subject string) (said string) {
	r.t.Helper()
	var answer struct{ Said, Error string }
	if status := r.post("act", map[string]string{"act": act, "subject": subject}, &answer); status != http.StatusOK {
		r.t.Fatalf("%s: %d %s", act, status, answer.Error)
	}
	return answer.Said
}

// verdicts are the runner's own counts of its decisions, by reason.
func (r *rig) verdicts() map[string]string {
	r.t.Helper()
	metrics, err := r.bench.Metrics(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	counts := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(metrics)); lines.Scan(); {
		series, count, _ := strings.Cut(lines.Text(), " ")
		if strings.HasPrefix(series, "auth0_jwt_decisions_total{") {
			counts[series] = count
		}
	}
	return counts
}

// decided is the reason that the runner counted once more since.
func (r *rig) decided(before map[string]string) (reasons []string) {
	r.t.Helper()
	for series, count := range r.verdicts() {
		if before[series] != count {
			_, rest, _ := strings.Cut(series, `reason="`)
			reason, _, _ := strings.Cut(rest, `"`)
			reasons = append(reasons, reason)
		}
	}
	return reasons
}
