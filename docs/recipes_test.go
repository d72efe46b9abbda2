package docs_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// The end-to-end suite runs the recipes. Here go-runner check reads every body: it
// says what the page shows, and of a body of which the page shows nothing that it
// is fine.
func TestCheckSaysOfEveryRecipeWhatThePageShows(t *testing.T) {
	p := open(t, "recipes.md")
	said := map[string]string{}
	for _, session := range shownSession.FindAllStringSubmatch(p.text, -1) {
		for shown := range strings.SplitSeq(session[1], "$ ") {
			if check, found := strings.CutPrefix(shown, "go-runner check "); found {
				name, output, _ := strings.Cut(check, "\n")
				said[name] = output
			}
		}
	}
	if len(said) == 0 {
		t.Fatal("the page shows no check")
	}
	dir := t.TempDir()
	for _, m := range shownFile.FindAllStringSubmatch(p.text, -1) {
		name := m[1]
		if err := os.WriteFile(filepath.Join(dir, name), []byte(m[2]), 0o600); err != nil {
			t.Fatal(err)
		}
		want, shown := said[name]
		if !shown {
			want = name + ": ok\n"
		}
		got := shell(t, dir, environment(), []string{"go-runner check " + name}, strings.NewReplacer())[0]
		if got != want {
			t.Errorf("check says\n%s\nand the page\n%s", got, want)
		}
	}
}

// lines is a log that several may write.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// shownIn is the only block of a language that the page shows.
func (p page) shownIn(t *testing.T, language string) string {
	t.Helper()
	blocks := regexp.MustCompile("(?ms)^```"+language+"\\n(.*?)^```$").FindAllStringSubmatch(p.text, -1)
	if len(blocks) != 1 {
		t.Fatalf("%s shows %d blocks of %s", p.path, len(blocks), language)
	}
	return blocks[0][1]
}

// The double writes the access log: a real APISIX has it in a file.
func TestTheAccessLogNamesTheUserAsTheRecipesShow(t *testing.T) {
	p := open(t, "recipes.md")
	var config struct {
		Nginx struct {
			HTTP struct {
				Format string `yaml:"access_log_format"`
			} `yaml:"http"`
		} `yaml:"nginx_config"`
	}
	if err := yaml.Unmarshal([]byte(p.shownIn(t, "yaml")), &config); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "runner.sock")
	serve(t, exec.Command(filepath.Join(bin, "go-runner"), "run", "--allow-insecure", "--listen", "unix:"+socket))
	issuing, err := issuer.Start(issuer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = issuing.Close() })
	echo, err := upstream.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = echo.Close() })
	log := &lines{}
	g, err := gateway.Start(gateway.Options{SocketPath: socket, AccessLog: log, AccessLogFormat: config.Nginx.HTTP.Format})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	body := strings.NewReplacer(
		`\"domain\":\"tenant.eu.auth0.com\"`, `\"issuer\":\"`+issuing.URL()+`\"`, "127.0.0.1:8080", echo.Node(),
	).Replace(p.file(t, "per-user.json"))
	ask(t, http.MethodPut, g.AdminURL()+"/apisix/admin/routes/1", "", body)
	var minted struct {
		Token string `json:"access_token"`
	}
	answer := ask(t, http.MethodPost, issuing.URL()+"mint", "", `{"claims":{"sub":"auth0|alice","aud":"https://api.example.com"}}`)
	if err := json.Unmarshal(answer, &minted); err != nil {
		t.Fatal(err)
	}
	ask(t, http.MethodGet, g.URL()+"/orders/1", minted.Token, "")
	ask(t, http.MethodGet, g.URL()+"/orders/2", "", "")
	if err := g.Close(); err != nil { // what is under way is logged by then
		t.Fatal(err)
	}
	want := strings.ReplaceAll(p.shownIn(t, "text"), "127.0.0.1:8080", echo.Node())
	if got := log.String(); got != want {
		t.Errorf("the log:\n%s\nthe page:\n%s", got, want)
	}
}

// ask sends a request under another's name.
func ask(t *testing.T, method, url, token, body string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-User-Id", "auth0|bob")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return answer.Bytes()
}
