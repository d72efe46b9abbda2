package ci_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// request is one request to a route.
type request struct {
	method  string // "" is GET
	host    string // the Host header of a request that is written by hand; "" is the gateway's
	path    string // below the route's prefix; "" is /x
	query   string
	token   string // into Authorization as a bearer token; "" is none
	headers [][2]string
	body    string
}

// answer is what the client got.
type answer struct {
	status int
	header http.Header
	body   []byte
	echo   *echo // nil when the upstream did not answer
}

// echo is what the upstream was sent.
type echo struct {
	Method     string              `json:"method"`
	Host       string              `json:"host"`
	Path       string              `json:"path"`
	Query      string              `json:"query"`
	Headers    map[string][]string `json:"headers"`
	Body       string              `json:"body"`
	BodyLength int                 `json:"body_length"`
}

// values are those of every header that some upstream would take for name:
// letter case does not count, and "_" is "-".
func (e *echo) values(name string) []string {
	fold := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }
	var all []string
	for n, values := range e.Headers {
		if fold(n) == fold(name) {
			all = append(all, values...)
		}
	}
	slices.Sort(all)
	return all
}

// client makes a connection for each request, so that every worker gets some.
var client = newClient(true)

func newClient(fresh bool) *http.Client {
	return &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: fresh, DisableCompression: true, MaxIdleConnsPerHost: 16,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (r route) send(t testing.TB, req request) answer {
	t.Helper()
	a, err := r.try(req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (r route) try(req request) (answer, error) { return r.tryWith(client, req) }

func (r route) tryWith(c *http.Client, req request) (answer, error) {
	out, err := http.NewRequest(req.methodOr(), r.on.gateway+r.target(req), strings.NewReader(req.body))
	if err != nil {
		return answer{}, err
	}
	out.Host = cmp.Or(r.host, out.Host)
	for _, h := range req.allHeaders() {
		// Not Add: the suite means the letter case that it writes.
		out.Header[h[0]] = append(out.Header[h[0]], h[1])
	}
	resp, err := c.Do(out)
	if err != nil {
		return answer{}, err
	}
	return read(resp)
}

func (req request) methodOr() string {
	if req.method == "" {
		return http.MethodGet
	}
	return req.method
}

func (req request) allHeaders() [][2]string {
	if req.token == "" {
		return req.headers
	}
	return append([][2]string{{"Authorization", "Bearer " + req.token}}, req.headers...)
}

func (r route) target(req request) string {
	path := req.path
	if path == "" {
		path = "/x"
	}
	if req.query != "" {
		path += "?" + req.query
	}
	return r.prefix + path
}

// sendRaw writes the request by hand: header order, repeats and odd names
// arrive as the case has them. extra are whole header lines without an end.
func (r route) sendRaw(t testing.TB, req request, extra ...string) answer {
	t.Helper()
	a, err := r.tryRaw(req, extra...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (r route) tryRaw(req request, extra ...string) (answer, error) {
	u, err := url.Parse(r.on.gateway)
	if err != nil {
		return answer{}, err
	}
	conn, err := net.DialTimeout("tcp", u.Host, 5*time.Second)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(hangGuard)); err != nil {
		return answer{}, err
	}
	lines := []string{req.methodOr() + " " + r.target(req) + " HTTP/1.1", "Host: " + cmp.Or(req.host, r.host, u.Host), "Connection: close"}
	for _, h := range req.allHeaders() {
		lines = append(lines, h[0]+": "+h[1])
	}
	lines = append(lines, extra...)
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"+req.body); err != nil {
		return answer{}, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: req.methodOr()})
	if err != nil {
		return answer{}, fmt.Errorf("no answer from the gateway: %w", err)
	}
	return read(resp)
}

func read(resp *http.Response) (answer, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header, body: body}
	var e echo
	if resp.StatusCode == http.StatusOK && json.Unmarshal(body, &e) == nil && e.Method != "" {
		a.echo = &e
	}
	return a, nil
}

// String is for failures.
func (a answer) String() string {
	return fmt.Sprintf("%d %q %s", a.status, a.header.Get("WWW-Authenticate"), a.body[:min(len(a.body), 300)])
}
