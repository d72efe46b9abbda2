package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/convert"
)

// gatewayToConvert is an Admin API that keeps what is written to it.
type gatewayToConvert struct {
	url string

	mu      sync.Mutex
	objects map[string]string // by KIND/ID
	order   []string
	puts    []string
	// before is called with every request for one object; nil does nothing.
	before func(g *gatewayToConvert, method, path string)
	fails  string // KIND/ID whose PUT is answered with 500
	spoils string // KIND/ID whose PUT is stored without its plugins
	// opens are members that are stored in the block in place of those of a PUT.
	opens map[string]any
}

const keyToConvert = "the-admin-key-of-the-conversion"

func startGatewayToConvert(t *testing.T, objects ...[2]string) *gatewayToConvert {
	t.Helper()
	t.Setenv("APISIX_ADMIN_KEY", keyToConvert)
	g := &gatewayToConvert{objects: map[string]string{}}
	for _, o := range objects {
		g.objects[o[0]] = o[1]
		g.order = append(g.order, o[0])
	}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}

func (g *gatewayToConvert) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/apisix/admin/")
	if r.Header.Get("X-API-KEY") != keyToConvert {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if strings.Contains(path, "/") && g.before != nil {
		g.before(g, r.Method, path)
	}
	switch object, there := g.objects[path]; {
	case r.Method == http.MethodPut:
		g.put(w, r, path)
	case there:
		fmt.Fprintf(w, `{"key":"/apisix/%s","value":%s,"modifiedIndex":7}`, path, object)
	case strings.Contains(path, "/"):
		w.WriteHeader(http.StatusNotFound)
	default:
		var list []string
		for _, name := range g.order {
			if strings.HasPrefix(name, path+"/") {
				list = append(list, fmt.Sprintf(`{"key":"/apisix/%s","value":%s,"modifiedIndex":7}`, name, g.objects[name]))
			}
		}
		fmt.Fprintf(w, `{"total":%d,"list":[%s]}`, len(list), strings.Join(list, ","))
	}
}

func (g *gatewayToConvert) put(w http.ResponseWriter, r *http.Request, path string) {
	body, err := io.ReadAll(r.Body)
	if err != nil || path == g.fails || !json.Valid(body) {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	g.puts = append(g.puts, path)
	var stored map[string]any
	if err := json.Unmarshal(body, &stored); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	stored["update_time"] = 1700000009
	stored["status"] = 1 // a default
	if path == g.spoils {
		delete(stored, "plugins")
	}
	if plugins, ok := stored["plugins"].(map[string]any); ok {
		block, _ := plugins["ext-plugin-pre-req"].(map[string]any)
		block["allow_degradation"] = false // a default
		maps.Copy(block, g.opens)
	}
	text, err := json.Marshal(stored)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	g.objects[path] = string(text)
}

// bearerRoute is a route with openid-connect, with a secret.
func bearerRoute(id string) [2]string {
	return [2]string{"routes/" + id, `{"id":"` + id + `","create_time":1700000000,"update_time":1700000001,"uri":"/` + id + `/*","plugins":{"openid-connect":{
		"client_id":"` + id + `","client_secret":"hush-hush","discovery":"https://tenant.eu.auth0.com/.well-known/openid-configuration","bearer_only":true,"use_jwks":true}},"upstream_id":"1"}`}
}

func (g *gatewayToConvert) converts(t *testing.T, more ...string) (out, log string, code int) {
	t.Helper()
	out, log, code = ran(slices.Concat([]string{"convert", "--admin", g.url, "--audience", "orders"}, more)...)
	if strings.Contains(out+log, "hush") || strings.Contains(out+log, keyToConvert) {
		t.Errorf("a secret is in what is written:\n%s%s", out, log)
	}
	return out, log, code
}

func TestConvertWritesNothingUnlessItIsTold(t *testing.T) {
	g := startGatewayToConvert(t, bearerRoute("a"), bearerRoute("b"), [2]string{"routes/open", `{"id":"open","uri":"/open"}`})
	for _, more := range [][]string{nil, {"--dry-run"}, {"--format", "json"}} {
		out, log, code := g.converts(t, more...)
		if code != 0 || len(g.puts) > 0 || strings.Count(out, "ext-plugin-pre-req") != 2 {
			t.Errorf("exit %d, written %v\n%s%s", code, g.puts, out, log)
		}
	}
}

// TestApplyWritesOneAfterTheOther, keeps the old bodies where nobody else can read
// them, and does nothing when it is done once more.
func TestApplyWritesOneAfterTheOther(t *testing.T) {
	a, b := bearerRoute("a"), bearerRoute("b")
	g := startGatewayToConvert(t, a, b, [2]string{"services/s", `{"id":"s","plugins":{"openid-connect":` + confOf(t, a[1]) + `}}`})
	keep := filepath.Join(t.TempDir(), "old")
	out, log, code := g.converts(t, "--apply", "--keep", keep)
	if code != 0 || !slices.Equal(g.puts, []string{"routes/a", "routes/b", "services/s"}) {
		t.Fatalf("exit %d, written %v\n%s%s", code, g.puts, out, log)
	}
	for name, text := range g.objects {
		if strings.Contains(text, "openid-connect") || !strings.Contains(text, "auth0-jwt") || strings.Contains(text, "hush") {
			t.Errorf("%s: %s", name, text)
		}
	}
	kept, err := filepath.Glob(keep + "/*.json")
	if err != nil || len(kept) != 3 || strings.Count(out, ": written; the old one is in "+keep) != 3 {
		t.Fatalf("%v %v\n%s", kept, err, out)
	}
	for _, path := range append(kept, keep) {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
	old, err := os.ReadFile(kept[0])
	if err != nil || !sameJSON(old, json.RawMessage(a[1])) {
		t.Errorf("%v\n%s", err, old)
	}
	if want := `route a: to put the old one back: curl -fsS -X PUT -H "X-API-KEY: $APISIX_ADMIN_KEY" --data-binary @` + kept[0] + " " + g.url + "/apisix/admin/routes/a\n"; !strings.Contains(log, want) {
		t.Errorf("no %s in\n%s", want, log)
	}
	out, log, code = g.converts(t, "--apply", "--keep", keep)
	if code != 0 || len(g.puts) != 3 || !strings.Contains(log, "nothing to convert") {
		t.Errorf("again: exit %d, written %v\n%s%s", code, g.puts, out, log)
	}
}

func confOf(t *testing.T, route string) string {
	t.Helper()
	var r struct {
		Plugins map[string]json.RawMessage `json:"plugins"`
	}
	if err := json.Unmarshal([]byte(route), &r); err != nil {
		t.Fatal(err)
	}
	return string(r.Plugins["openid-connect"])
}

// TestApplyStopsAtTheFirstThatItCannotWrite is about what may happen between
// reading and writing, and at it.
func TestApplyStopsAtTheFirstThatItCannotWrite(t *testing.T) {
	changed := func(g *gatewayToConvert, _, path string) {
		if path == "routes/b" {
			g.objects[path] = strings.Replace(g.objects[path], "/b/*", "/changed/*", 1)
		}
	}
	gone := func(g *gatewayToConvert, _, path string) {
		if path == "routes/b" {
			delete(g.objects, path)
		}
	}
	opaque := [2]string{"routes/opaque", strings.Replace(bearerRoute("opaque")[1], `"use_jwks":true`, `"use_jwks":false`, 1)}
	outside := [2]string{"routes/..", strings.Replace(bearerRoute("x")[1], `"id":"x"`, `"id":".."`, 1)}
	for _, tt := range []struct {
		name    string
		second  [2]string
		change  func(*gatewayToConvert)
		flags   []string
		written []string
		kept    int
		code    int
		says    string
	}{
		{"it was changed meanwhile", bearerRoute("b"), func(g *gatewayToConvert) { g.before = changed }, nil, []string{"routes/a"}, 1, exitCannotRun, "route b: it was changed since it was read: convert it again; 1 of 3 are written"},
		{"it is gone meanwhile", bearerRoute("b"), func(g *gatewayToConvert) { g.before = gone }, nil, []string{"routes/a"}, 1, exitCannotRun, "route b: the gateway has no such object any more; 1 of 3 are written"},
		{"the gateway refuses it", bearerRoute("b"), func(g *gatewayToConvert) { g.fails = "routes/b" }, nil, []string{"routes/a"}, 2, exitCannotRun, "500 Internal Server Error; 1 of 3 are written"},
		{"the gateway stores something else", bearerRoute("b"), func(g *gatewayToConvert) { g.spoils = "routes/b" }, nil, []string{"routes/a", "routes/b"}, 2, exitCannotRun, "the gateway has another body now than was written; 1 of 3 are written"},
		{"its id leads elsewhere", outside, nil, nil, []string{"routes/a"}, 1, exitCannotRun, "it has no id that the Admin API takes; 1 of 3 are written"},
		{"one cannot be converted", opaque, nil, nil, nil, 0, exitBadInput, "1 of 3 are not converted, and nothing was written"},
		{"those that can are named", opaque, nil, []string{"--route", "a,c"}, []string{"routes/a", "routes/c"}, 2, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := startGatewayToConvert(t, bearerRoute("a"), tt.second, bearerRoute("c"))
			if tt.change != nil {
				tt.change(g)
			}
			keep := filepath.Join(t.TempDir(), "old")
			out, log, code := g.converts(t, slices.Concat([]string{"--apply", "--keep", keep}, tt.flags)...)
			if code != tt.code || !slices.Equal(g.puts, tt.written) || !strings.Contains(log, tt.says) {
				t.Errorf("exit %d, written %v\n%s%s", code, g.puts, out, log)
			}
			if kept, _ := filepath.Glob(keep + "/*"); len(kept) != tt.kept {
				t.Errorf("kept: %v", kept)
			}
		})
	}
}

// TestApplyReadsTheWholeBlockBack: one that is switched off, or that lets requests
// pass while the runner is away, is not what was written.
func TestApplyReadsTheWholeBlockBack(t *testing.T) {
	for name, opens := range map[string]map[string]any{
		"off":                {"_meta": map[string]any{"priority": 2599, "disable": true}},
		"for some":           {"_meta": map[string]any{"priority": 2599, "filter": [][]string{{"arg_a", "==", "b"}}}},
		"later":              {"_meta": map[string]any{}},
		"degraded":           {"allow_degradation": true},
		"behind a like name": {"Conf": []any{}, "conf": nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGatewayToConvert(t, bearerRoute("a"))
			g.opens = opens
			_, log, code := g.converts(t, "--apply", "--keep", t.TempDir())
			if code != exitCannotRun || !strings.Contains(log, "the gateway has another body now than was written") {
				t.Errorf("exit %d\n%s", code, log)
			}
		})
	}
}

// TestTheAdminKeyIsNoPartOfAURL, which is written in notes, errors and commands.
func TestTheAdminKeyIsNoPartOfAURL(t *testing.T) {
	for _, admin := range []string{"http://127.0.0.1:1/apisix/admin?api_key=hush", "http://u:hush@127.0.0.1:1", "http://127.0.0.1:1/#hush", "http://127.0.0.1:1/apisix/%zzhush"} {
		out, log, code := ran("convert", "--admin", admin)
		if code == 0 || !strings.Contains(log, "--admin: want a URL") || strings.Contains(out+log, "hush") {
			t.Errorf("%s: exit %d\n%s%s", admin, code, out, log)
		}
	}
}

// TestTheDocumentsCommandConvertsAGateway runs the command that docs/coming-from.md
// shows for a gateway.
func TestTheDocumentsCommandConvertsAGateway(t *testing.T) {
	_, command, found := strings.Cut(openPage(t, "coming-from.md").text, "\n    go-runner convert --admin http://127.0.0.1:9180 ")
	if !found {
		t.Fatal("the document shows no such command")
	}
	command, _, _ = strings.Cut(command, "\n")
	g := startGatewayToConvert(t, bearerRoute("a"))
	t.Chdir(t.TempDir())
	out, log, code := ran(append([]string{"convert", "--admin", g.url}, strings.Fields(command)...)...)
	kept, _ := filepath.Glob("old-routes/routes-a-*.json")
	if code != 0 || len(g.puts) != 1 || len(kept) != 1 {
		t.Errorf("exit %d, written %v, kept %v\n%s%s", code, g.puts, kept, out, log)
	}
}

func TestAKeptBodyIsNeverOverwritten(t *testing.T) {
	c := converting{keep: t.TempDir()}
	r := convert.Result{Object: convert.Object{Kind: "routes", ID: "1", JSON: json.RawMessage(`{}`)}}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	path, err := c.keepOld(r, at)
	if err != nil || filepath.Base(path) != "routes-1-20260301T120000.000Z.json" {
		t.Fatal(path, err)
	}
	r.JSON = json.RawMessage(`{"another":1}`)
	if _, err := c.keepOld(r, at); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v, want that it is there", err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "{}\n" {
		t.Errorf("%q %v", data, err)
	}
}

func TestWordsOfTheShellAreQuoted(t *testing.T) {
	for word, want := range map[string]string{
		"routes/a.json": "routes/a.json", "a b": "'a b'", "$(x)": "'$(x)'", "it's": `'it'\''s'`, "": "''",
	} {
		if got := shellQuoted(word); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
}
