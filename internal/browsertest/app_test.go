package browsertest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// app is an application behind the gateway, with a login of its own.
type app struct {
	name   string
	origin string // https://NAME.test
	client issuer.Client
	login  map[string]any // the key login of its routes
}

// newApp puts the route /* of https://NAME.test, where everything needs a login,
// and /open/*, where nothing does. more is laid over the key login.
func newApp(t *testing.T, name string, more map[string]any) *app {
	t.Helper()
	a := &app{name: name, origin: "https://" + name + ".test"}
	a.client = issuer.Client{
		ID: name, Secret: site.secrets["APP_SECRET"], RedirectURIs: []string{a.origin + "/callback"},
		LogoutURIs: []string{a.origin + "/open/goodbye"}, Leeway: 60,
	}
	a.register(t)
	a.login = map[string]any{
		"client_id": name, "client_secret": "$env://APP_SECRET", "redirect_uri": a.origin + "/callback",
		"subject_token": "id_token", "post_logout_redirect_uri": a.origin + "/open/goodbye",
		"session": map[string]any{"secret": "$env://SESSION_SECRET"},
	}
	overlay(a.login, more)
	a.route(t, "all", "/*", a.host(), nil)
	put(t, name+"-open", map[string]any{"uri": "/open/*", "host": a.host(), "priority": 1, "upstream": upstreamOf()})
	return a
}

func (a *app) host() string { return a.name + ".test" }

// register tells the issuer of the application as it is now.
func (a *app) register(t *testing.T) {
	t.Helper()
	if err := site.issuer.Register(a.client); err != nil {
		t.Fatal(err)
	}
}

// route puts a route of the application, with the one login and more policy.
func (a *app) route(t *testing.T, id, uri, host string, policy map[string]any) {
	t.Helper()
	conf := map[string]any{
		"issuer": site.issuer.URL(), "login": a.login, "claim_headers": map[string]any{"X-User-Id": "sub"},
	}
	if a.login["subject_token"] == "access_token" {
		conf["audience"] = issuer.DefaultAudience
	}
	maps.Copy(conf, policy)
	value, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	put(t, a.name+"-"+id, map[string]any{
		"uri": uri, "host": host, "upstream": upstreamOf(),
		"plugins": map[string]any{"ext-plugin-pre-req": map[string]any{
			"conf": []any{map[string]string{"name": "auth0-jwt", "value": string(value)}},
		}},
	})
}

func upstreamOf() map[string]any {
	return map[string]any{"type": "roundrobin", "nodes": map[string]int{site.witness.node(): 1}}
}

func put(t *testing.T, id string, route map[string]any) {
	t.Helper()
	body, err := json.Marshal(route)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, site.gateway.AdminURL()+"/apisix/admin/routes/"+id, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		answer, _ := io.ReadAll(resp.Body)
		t.Fatalf("the Admin API answered %s to %s: %s", resp.Status, body, answer)
	}
}

// overlay lays members over an object, and objects over objects.
func overlay(object, members map[string]any) {
	for name, value := range members {
		below, isObject := value.(map[string]any)
		if there, both := object[name].(map[string]any); both && isObject {
			overlay(there, below)
			continue
		}
		object[name] = value
	}
}
