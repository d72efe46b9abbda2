package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
)

const adminTestToken = "0123456789abcdef0123456789abcdef"

// revoking is the handler with a feed of this process, and its audit log.
func revoking(t testing.TB, withToken bool) (*revocations, *strings.Builder) {
	t.Helper()
	log := &strings.Builder{}
	feed := revocation.Open(revocation.Options{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(feed.Close)
	h := &revocations{
		feed: func() *revocation.Feed { return feed }, log: slog.New(slog.NewTextHandler(log, nil)), now: time.Now,
	}
	if withToken {
		t.Setenv("ADMIN_TOKEN_OF_A_TEST", adminTestToken)
		token, err := secret.Open("$env://ADMIN_TOKEN_OF_A_TEST", secret.Options{Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		h.token.Store(token)
	}
	return h, log
}

// ask sends a request as it arrives at an address; headers are name and value.
func ask(h http.Handler, local, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	address, _ := net.ResolveTCPAddr("tcp", local)
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(address)))
	r.Host = local
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		} else {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const oneSubject = `{"issuer":"https://tenant.example/","sub":"auth0|alice"}`

func TestWhoMayRevoke(t *testing.T) {
	const here, there = "127.0.0.1:9100", "10.1.2.3:9100"
	for _, c := range []struct {
		name    string
		token   bool
		local   string
		headers []string
		want    int
	}{
		{"over loopback", false, here, nil, 201},
		{"over loopback of IPv6", false, "[::1]:9100", nil, 201},
		{"over another address", false, there, nil, 403},
		{"over another address that says it is loopback", false, there, []string{"Host", "127.0.0.1"}, 403},
		{"a page whose name was made to point here", false, here, []string{"Host", "evil.example"}, 403},
		{"a page in a browser on this machine", false, here, []string{"Origin", "https://evil.example"}, 403},
		{"a form", false, here, []string{"Content-Type", "text/plain"}, 415},
		{"with the token", true, there, []string{"Authorization", "Bearer " + adminTestToken}, 201},
		{"with the token, over loopback", true, here, []string{"Authorization", "bearer " + adminTestToken}, 201},
		{"without the token, over loopback", true, here, nil, 401},
		{"with a part of the token", true, here, []string{"Authorization", "Bearer " + adminTestToken[:31]}, 401},
		{"with another token", true, here, []string{"Authorization", "Bearer " + adminTestToken + "0"}, 401},
		{"with an empty token", true, here, []string{"Authorization", "Bearer "}, 401},
		{"with another scheme", true, here, []string{"Authorization", "Basic " + adminTestToken}, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, log := revoking(t, c.token)
			w := ask(h, c.local, "POST", "/revocations", oneSubject, c.headers...)
			if w.Code != c.want || (h.feed().Stats().Entries == 1) != (c.want == 201) {
				t.Errorf("%d, %d entries: %s", w.Code, h.feed().Stats().Entries, w.Body)
			}
			if got := ask(h, c.local, "GET", "/revocations", "", c.headers...).Code; c.want != 415 && (got == 200) != (c.want == 201) {
				t.Errorf("the list: %d", got)
			}
			if strings.Contains(log.String(), "alice") || strings.Contains(log.String(), adminTestToken) || (c.want == 201) != strings.Contains(log.String(), "kind=sub") {
				t.Errorf("the log: %s", log)
			}
		})
	}
}

func TestADocumentThatIsNoRevocationIsRefused(t *testing.T) {
	h, _ := revoking(t, false)
	for _, body := range []string{
		``, `null`, `[]`, `{}`, oneSubject + oneSubject, `{"issuer":"https://a/"}`, `{"sub":"hunter2"}`,
		`{"issuer":"https://a/","sub":"hunter2","sid":"b"}`, `{"issuer":"https://a/","sub":"hunter2","sub":"b"}`,
		`{"issuer":"https://a/","sub":"hunter2","unknown":1}`, `{"issuer":"https://a/","sub":""}`, `{"issuer":"https://a/","sub":7}`,
		`{"issuer":"https://a/","session":"hunter2"}`, `{"issuer":"https://a/","sub":"hunter2","before":"yesterday"}`,
		`{"issuer":"https://a/","sub":"hunter2","before":1e300}`, `{"issuer":"https://a/","sub":"hunter2","before":-1}`,
		`{"issuer":"https://a/","sub":"hunter2","before":"9999-01-01T00:00:00Z"}`, `{"issuer":"https://a/","jti":"hunter2","before":1}`,
		`{"issuer":"https://a/","sub":"` + strings.Repeat("a", 3000) + `"}`,
	} {
		w := ask(h, "127.0.0.1:9100", "POST", "/revocations", body)
		var answer map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 400 || answer["error_description"] == "" || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%.80s: %d %s", body, w.Code, w.Body)
		}
	}
	if w := ask(h, "127.0.0.1:9100", "POST", "/revocations", strings.Repeat(" ", 1<<20)); w.Code != 413 {
		t.Errorf("a long body: %d", w.Code)
	}
	if n := h.feed().Stats().Entries; n != 0 {
		t.Errorf("%d entries", n)
	}
}

func TestEntriesAreListedInPagesAndTakenBack(t *testing.T) {
	h, _ := revoking(t, false)
	const local = "127.0.0.1:9100"
	for _, body := range []string{
		oneSubject, `{"issuer":"https://tenant.example/","client":"app","before":1700000000}`,
		`{"issuer":"https://tenant.example/","sid":"s"}`, `{"issuer":"https://tenant.example/","jti":"j"}`,
	} {
		if w := ask(h, local, "POST", "/revocations", body); w.Code != 201 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	var page struct {
		Revocations []shown `json:"revocations"`
		Next        string  `json:"next"`
	}
	all := map[string]string{}
	for path := "/revocations?limit=3"; path != ""; {
		page.Revocations, page.Next = nil, ""
		if err := json.Unmarshal(ask(h, local, "GET", path, "").Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
		for _, s := range page.Revocations {
			all[s.Kind] = s.ID
		}
		if path = ""; page.Next != "" {
			path = "/revocations?limit=3&after=" + page.Next
		}
	}
	if len(all) != 4 {
		t.Fatalf("%v", all)
	}
	for _, c := range []struct {
		path, body string
		want       int
	}{
		{"/revocations/" + all["jti"], "", 200},
		{"/revocations/" + all["jti"], "", 404},
		{"/revocations/nonsense", "", 400},
		{"/revocations", oneSubject, 200},
		{"/revocations", oneSubject, 404},
		{"/revocations", "{}", 400},
	} {
		if w := ask(h, local, "DELETE", c.path, c.body); w.Code != c.want {
			t.Errorf("%s %s: %d %s", c.path, c.body, w.Code, w.Body)
		}
	}
	if n := h.feed().Stats().Entries; n != 2 {
		t.Errorf("%d entries", n)
	}
}

func FuzzParseRevocation(f *testing.F) {
	f.Add([]byte(oneSubject))
	f.Add([]byte(`{"issuer":"https://a/","client":"b","before":1.5}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := parseRevocation(body)
		if err == nil && (r.Issuer == "" || r.Value == "" || r.Kind == revocation.Session) {
			t.Errorf("%s: %+v", body, r)
		}
	})
}
