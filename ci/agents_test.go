package ci_test

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/npm"
)

//go:embed agents/package.json agents/package-lock.json
var agentFiles embed.FS

const (
	docResource = "https://api.example.com"
	docIssuer   = "https://tenant.eu.auth0.com/"
	docMetadata = "/.well-known/oauth-protected-resource"
)

// agentsPage is docs/agents.md with this stack's names in place of its own.
type agentsPage struct {
	conf   policy
	shown  []string // the exchanges
	client string
}

var fence = regexp.MustCompile("(?ms)^```(json|http|js)\n(.*?)^```$")

func readAgentsPage(t *testing.T, r route) (p agentsPage) {
	t.Helper()
	page, err := os.ReadFile("../docs/agents.md")
	if err != nil {
		t.Fatal(err)
	}
	local := strings.NewReplacer(
		docResource+docMetadata+"/mcp", under.gateway+docMetadata+r.prefix+"/mcp",
		docResource+"/mcp", under.gateway+r.prefix+"/mcp", docIssuer, under.issuer.url,
	)
	for _, m := range fence.FindAllStringSubmatch(string(page), -1) {
		text := local.Replace(m[2])
		switch m[1] {
		case "json":
			if err := json.Unmarshal([]byte(text), &p.conf); err != nil {
				t.Fatal(err)
			}
		case "http":
			p.shown = append(p.shown, text)
		case "js":
			p.client = m[2]
		}
	}
	if p.conf == nil || len(p.shown) != 2 || p.client == "" {
		t.Fatal("docs/agents.md does not have what is run here")
	}
	// The test issuer is no tenant of Auth0's, and keeps no https.
	p.conf = p.conf.with(policy{"domain": nil, "issuer": under.issuer.url})
	return p
}

// mcpServer is an MCP server with one tool, whoami, as far as one client needs it.
func mcpServer(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	var call struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params struct {
			ProtocolVersion string `json:"protocolVersion"`
		} `json:"params"`
	}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var result any
	switch call.Method {
	case "initialize":
		result = map[string]any{
			"protocolVersion": call.Params.ProtocolVersion, "capabilities": map[string]any{"tools": map[string]any{}},
			"serverInfo": map[string]any{"name": "orders", "version": "1.0.0"},
		}
	case "tools/call":
		text := fmt.Sprintf("%s, Authorization %q", r.Header.Get("X-User-Id"), r.Header.Get("Authorization"))
		result = map[string]any{"content": []any{map[string]any{"type": "text", "text": text}}}
	default:
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": call.ID, "result": result})
}

// TestAgents runs docs/agents.md: from the 401 to the token, with the client of
// the Model Context Protocol's own project.
func TestAgents(t *testing.T) {
	if under.counts == nil {
		t.Skip("not run: the agent must reach the issuer by the name that the runner knows (unset GATEWAY)")
	}
	server := httptest.NewServer(http.HandlerFunc(mcpServer))
	t.Cleanup(server.Close)
	r := freshRoute()
	page := readAgentsPage(t, r)
	block := map[string]any{"conf": []any{map[string]any{"name": "auth0-jwt", "value": page.conf.text()}}}
	r.admin(t, http.MethodPut, map[string]any{
		"uris":     []string{r.prefix + "/*", docMetadata + r.prefix + "/*"},
		"plugins":  map[string]any{"ext-plugin-pre-req": block},
		"upstream": map[string]any{"type": "roundrobin", "nodes": map[string]int{server.Listener.Addr().String(): 1}},
	})
	t.Cleanup(func() { r.admin(t, http.MethodDelete, nil) })
	r.await(t, wantStatus(401), request{path: "/mcp"})

	run(t, "the answers are those of the page", func(t *testing.T) {
		for _, shown := range page.shown {
			if diff := cmp.Diff(shown, exchangeLike(t, shown)); diff != "" {
				t.Errorf("(-page +answer):\n%s", diff)
			}
		}
	})
	run(t, "HEAD and a pre-flight of the metadata need no token either", func(t *testing.T) {
		for _, method := range []string{http.MethodHead, http.MethodOptions} {
			req, err := http.NewRequest(method, under.gateway+docMetadata+r.prefix+"/mcp", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Origin", "https://agent.example")
			req.Header.Set("Access-Control-Request-Method", "GET")
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != 200 || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s: %s %v", method, resp.Status, resp.Header)
			}
		}
	})
	run(t, "the agent gets a token and calls the tool", func(t *testing.T) {
		const id, redirect = "agent", "http://127.0.0.1:33418/callback"
		under.issuer.post(t, "/control/clients", map[string]any{"client_id": id, "redirect_uris": []string{redirect}}, nil)
		under.issuer.post(t, "/control/settings", map[string]any{"headless": map[string]any{"user": "auth0|alice"}}, nil)
		t.Cleanup(func() { under.issuer.post(t, "/control/settings", map[string]any{}, nil) })
		files := fstest.MapFS{"client.mjs": {Data: []byte(page.client), Mode: 0o600}}
		for _, name := range []string{"package.json", "package-lock.json"} {
			data, err := agentFiles.ReadFile("agents/" + name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = &fstest.MapFile{Data: data, Mode: 0o600}
		}
		cmd := exec.CommandContext(t.Context(), "node", "client.mjs", under.gateway+r.prefix+"/mcp", id, redirect)
		cmd.Dir = npm.Install(t, "mcp-client", files)
		said, err := cmd.CombinedOutput()
		if want := "auth0|alice, Authorization \"\"\n"; err != nil || string(said) != want {
			t.Errorf("the agent said %q (%v), want %q", said, err, want)
		}
		var asked []map[string]string
		if err := getJSON(under.issuer.control+"/control/authorizations", &asked); err != nil {
			t.Fatal(err)
		}
		last := asked[len(asked)-1]
		if last["resource"] != under.gateway+r.prefix+"/mcp" || last["scope"] != "read:orders" || last["code_challenge_method"] != "S256" {
			t.Errorf("the agent asked for %v", last)
		}
	})
}

// exchangeLike sends the request of an exchange that the page shows, and writes
// of the answer what the page shows.
func exchangeLike(t *testing.T, shown string) string {
	t.Helper()
	head, body, hasBody := strings.Cut(shown, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	method, url, _ := strings.Cut(lines[0], " ")
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-Host", "evil.example")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got := []string{lines[0], fmt.Sprint(resp.StatusCode)}
	for _, line := range lines[2:] {
		name, _, _ := strings.Cut(line, ":")
		got = append(got, name+": "+resp.Header.Get(name))
	}
	text := strings.Join(got, "\n") + "\n"
	if !hasBody {
		return text
	}
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return text + "\n" + string(answer) + body[len(strings.TrimRight(body, "\n")):]
}
