package ci_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// leaks are what no log and no metric may hold.
var leaks recorded

type recorded struct {
	mu   sync.Mutex
	seen map[string]string // to what it is
}

// see notes what an answer holds of codes, states and cookies.
func (l *recorded) see(a answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		l.seen = map[string]string{}
	}
	note := func(what, value string) {
		if len(value) >= 16 {
			l.seen[value] = what
		}
	}
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		note("the cookie "+c.Name, c.Value)
	}
	if _, query, there := strings.Cut(a.header.Get("Location"), "?"); there {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		for _, name := range []string{"code", "state", "nonce", "code_challenge", "request_uri"} {
			note(name, values.Get(name))
		}
	}
	if a.echo != nil {
		for _, v := range a.echo.values("Authorization") {
			note("a token", strings.TrimPrefix(v, "Bearer "))
		}
	}
}

func (l *recorded) add(what, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[value] = what
}

// tokenLike are texts that look like a JWT, or like a refresh token of the test
// issuer.
var tokenLike = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.|v1\.[A-Z2-7]{20,}|code_verifier=|client_secret=`)

// in wants that a text holds nothing of what was seen, and no secret.
func (l *recorded) in(t *testing.T, text string) {
	t.Helper()
	for _, found := range tokenLike.FindAllString(text, 5) {
		t.Errorf("it holds what looks like a token or a secret's name: %.12s…", found)
	}
	for name, value := range under.secrets.values {
		for line := range strings.Lines(value) {
			if line = strings.TrimSpace(line); len(line) >= 16 && !strings.HasPrefix(line, "-----") && strings.Contains(text, line) {
				t.Errorf("it holds %s", name)
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for value, what := range l.seen {
		if strings.Contains(text, value) {
			t.Errorf("it holds %s", what)
		}
	}
	if len(l.seen) < 20 {
		t.Errorf("only %d texts were seen", len(l.seen))
	}
}
