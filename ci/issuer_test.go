package ci_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// issuer is the test issuer: it has Auth0's shape, and a control API.
type issuer struct {
	url     string // as in iss and as the runner reaches it
	pages   string // as browsers reach it, with a slash at the end
	control string // as the suite reaches it, no slash at the end
}

// minting is what POST /mint takes.
type minting struct {
	Claims    map[string]any `json:"claims,omitempty"`
	Omit      []string       `json:"omit,omitempty"`
	Header    map[string]any `json:"header,omitempty"`
	Alg       string         `json:"alg,omitempty"`
	Key       string         `json:"key,omitempty"`
	ExpiresIn int            `json:"expires_in,omitempty"`
}

func (i *issuer) mint(t testing.TB, m minting) string {
	t.Helper()
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	i.post(t, "/mint", m, &answer)
	if answer.AccessToken == "" {
		t.Fatal("the issuer minted no token")
	}
	return answer.AccessToken
}

func (i *issuer) rotate(t testing.TB) { i.post(t, "/control/rotate", struct{}{}, nil) }

// fault makes jwks or discovery fail, or "none" heals it.
func (i *issuer) fault(t testing.TB, path, fault string) {
	i.post(t, "/control/fault", map[string]string{"path": path, "fault": fault}, nil)
}

// published are the kids of the key set as it is now.
func (i *issuer) published(t testing.TB) map[string]bool {
	t.Helper()
	var set struct {
		Keys []struct {
			Kid string `json:"kid"`
		} `json:"keys"`
	}
	if err := getJSON(i.jwksAt(i.control+"/"), &set); err != nil {
		t.Fatal(err)
	}
	kids := map[string]bool{}
	for _, k := range set.Keys {
		kids[k.Kid] = true
	}
	return kids
}

func (i *issuer) jwksURI() string { return i.jwksAt(i.url) }

func (*issuer) jwksAt(base string) string { return base + ".well-known/jwks.json" }

func (i *issuer) post(t testing.TB, path string, body, into any) {
	t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Post(i.control+path, "application/json", bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode/100 != 2 {
		t.Fatalf("the issuer's %s: %s: %s", path, resp.Status, answer)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer, into); err != nil {
		t.Fatalf("the issuer's %s: %v", path, err)
	}
}

// upstream is the echo upstream.
type upstream struct {
	control string // as the suite reaches it, no slash at the end
	node    string // host:port as the gateway reaches it
}

// requests is how many requests reached the upstream so far.
func (u *upstream) requests(t testing.TB) int64 {
	t.Helper()
	var counters struct {
		Requests int64 `json:"requests"`
	}
	if err := getJSON(u.control+"/control/counters", &counters); err != nil {
		t.Fatal(fmt.Errorf("the upstream's counters: %w", err))
	}
	return counters.Requests
}
