package gateway_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// asksForBody lets the runner ask for the body n times; what it was told stands
// in the result.
func (b *bed) asksForBody(n int) *[]string {
	told := &[]string{}
	b.runner.answer = func(r a6.Request, ask func(a6.Question) []byte) (a6.Answer, bool) {
		for range n {
			*told = append(*told, string(ask(a6.Question{Body: true})))
		}
		return a6.Answer{ID: r.ID}, true
	}
	return told
}

func TestABodyArrivesInOneRoundTripAndTheUpstreamStillGetsIt(t *testing.T) {
	const form = "logout_token=a.b.c&x=%20"
	head := func(more string) string {
		return "POST /backchannel HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n" + more + "\r\n"
	}
	large := strings.Repeat("x", 300<<10)
	for name, tt := range map[string]struct{ raw, body string }{
		"a form":           {head(fmt.Sprintf("Content-Length: %d\r\n", len(form))) + form, form},
		"a chunked form":   {head("Transfer-Encoding: chunked\r\n") + fmt.Sprintf("5\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n", form[:5], len(form)-5, form[5:]), form},
		"more than a page": {head(fmt.Sprintf("Content-Length: %d\r\n", len(large))) + large, large},
		"an empty one":     {head("Content-Length: 0\r\n"), ""},
		"none":             {"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, 1)
			told := b.asksForBody(1)
			status, body := sendBytes(t, b, tt.raw)
			if status != 200 || len(*told) != 1 || (*told)[0] != tt.body {
				t.Errorf("%d, %d answers", status, len(*told))
			}
			if !strings.HasSuffix(body, tt.body) || strings.Contains(body, "Transfer-Encoding") {
				t.Errorf("the upstream got %.200s", body)
			}
		})
	}
}

func TestABodyThatIsAskedForAgainIsTheSame(t *testing.T) {
	b := newBed(t, 1)
	told := b.asksForBody(2)
	if _, body := sendBytes(t, b, "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 3\r\n\r\na=b"); !strings.HasSuffix(body, "a=b") {
		t.Errorf("the upstream got %s", body)
	}
	if want := []string{"a=b", "a=b"}; !slices.Equal(*told, want) {
		t.Errorf("the runner got %q", *told)
	}
}

func TestWhatARewriteCannotSendTheClient(t *testing.T) {
	b := newBed(t, 1)
	var sent []a6.Entry
	for _, name := range []string{
		"WWW-Authenticate", "Content-Type", "Location", "Content-Length", "Server",
		"Connection", "Transfer-Encoding", "Content-Encoding", "Content-Location", "Content-Language",
	} {
		sent = append(sent, a6.Entry{Name: name, Value: "7", HasValue: true})
	}
	sent = append(sent, a6.Entry{Name: "X-Kept", Value: "7", HasValue: true})
	b.runner.answer = func(a6.Request, func(a6.Question) []byte) (a6.Answer, bool) {
		return a6.Answer{Rewrite: &a6.Rewrite{RespHeaders: sent}}, true
	}
	resp, _ := send(t, b.Gateway, "GET /")
	var arrived []string
	for _, entry := range sent {
		if resp.Header.Get(entry.Name) == "7" {
			arrived = append(arrived, entry.Name)
		}
	}
	if diff := cmp.Diff([]string{"X-Kept"}, arrived); diff != "" || resp.StatusCode != 200 {
		t.Errorf("%d %s", resp.StatusCode, diff)
	}
}

// The answer of a plugin behind one that set a header, and the Set-Cookie of the
// one before it.
func TestAStopReplacesWhatARewriteBeforeItSet(t *testing.T) {
	b := newBed(t, 1)
	b.put(t, "1", `"ext-plugin-pre-req":{"conf":[{"name":"p","value":"{}"}]},"ext-plugin-post-req":{"conf":[{"name":"p","value":"{}"}]}`)
	b.runner.answer = func(a6.Request, func(a6.Question) []byte) (a6.Answer, bool) {
		cookie := func(value string) []a6.Entry {
			return []a6.Entry{{Name: "Set-Cookie", Value: value, HasValue: true}, {Name: "X-" + value, Value: value, HasValue: true}}
		}
		if len(b.runner.seen) == 1 {
			return a6.Answer{Rewrite: &a6.Rewrite{RespHeaders: cookie("first")}}, true
		}
		return a6.Answer{Stop: &a6.Stop{Status: 403, Headers: cookie("second"), Body: []byte("no")}}, true
	}
	resp, body := send(t, b.Gateway, "GET /")
	if got := resp.Header.Values("Set-Cookie"); !slices.Equal(got, []string{"second"}) || body != "no" {
		t.Errorf("%q %s", got, body)
	}
	if resp.Header.Get("X-First") != "first" {
		t.Error("another name's header of the plugin before is gone")
	}
}

func TestACookieLineOverNginxsBufferIsRefusedBeforeAnyPlugin(t *testing.T) {
	b := newBed(t, 1)
	line := func(length int) string { return "Cookie: " + strings.Repeat("c", length-len("Cookie: ")) }
	for _, tt := range []struct {
		name          string
		headers       []string
		status, calls int
	}{
		{"8,038 bytes", []string{line(8038)}, 200, 1},
		{"9,043 bytes", []string{line(9043)}, 400, 1},
		{"8 KiB with its end of line", []string{line(8190)}, 200, 2},
		{"one byte more", []string{line(8191)}, 400, 2},
		{"three lines of 8,038 bytes", []string{line(8038), line(8038), line(8038)}, 200, 3},
	} {
		resp, body := send(t, b.Gateway, "GET /", tt.headers...)
		if _, calls := b.runner.counts(); resp.StatusCode != tt.status || calls != tt.calls {
			t.Errorf("%s: %d after %d calls", tt.name, resp.StatusCode, calls)
		}
		if tt.status == 400 && !strings.HasPrefix(body, "<html>") {
			t.Errorf("%s: %s", tt.name, body)
		}
	}
}

// Whoever redirects to what he was shown, or to the raw target, redirects off
// the site.
func TestTheRawTargetIsShownToWhoeverAsksForIt(t *testing.T) {
	for _, target := range []string{"//evil/", "/%2f%2fevil", `/\evil`, "/%09/evil", "/a//b?x=//y", "/%C3%A9?q=%20"} {
		b := newBed(t, 1)
		asked := b.asks("real_request_uri")
		if resp, _ := send(t, b.Gateway, "GET "+target); resp.StatusCode != 200 || (*asked)[0] != target {
			t.Errorf("%s: %d, shown %q", target, resp.StatusCode, *asked)
		}
	}
}
