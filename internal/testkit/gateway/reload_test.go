package gateway_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
)

// What a fake runner is like. Each takes the socket over as a runner should,
// and ends at SIGTERM without touching the path, but for what its name says.
const (
	polite      = "polite"
	deletes     = "deletes the path at its end"
	stubborn    = "ignores SIGTERM"
	secondExits = "the second one exits"
	secondWaits = "the second one waits for a file"
)

// fakeRunner is one that tells its process, its number among those started with
// dir, the token it was sent and how many it gave out.
func fakeRunner(kind, dir string) {
	number := 1
	for os.Mkdir(filepath.Join(dir, strconv.Itoa(number)), 0o700) != nil {
		number++
	}
	switch {
	case kind == secondExits && number == 2:
		os.Exit(3)
	case kind == secondWaits && number == 2:
		for _, err := os.Stat(released(dir)); err != nil; _, err = os.Stat(released(dir)) {
			time.Sleep(time.Millisecond)
		}
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	path := strings.TrimPrefix(os.Getenv("APISIX_LISTEN_ADDRESS"), "unix:")
	beside := filepath.Join(dir, strconv.Itoa(number), "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: beside})
	if err == nil {
		err = os.Rename(beside, path)
	}
	if err != nil {
		os.Exit(4)
	}
	listener.SetUnlinkOnClose(false)
	if os.WriteFile(serves(dir, number), nil, 0o600) != nil {
		os.Exit(4)
	}
	r := &runner{listener: listener, first: uint32(100 * number)}
	r.answer = func(req a6.Request, _ func(a6.Question) []byte) (a6.Answer, bool) {
		prepared, _ := r.counts()
		return a6.Answer{Stop: &a6.Stop{Body: fmt.Appendf(nil, "runner %d token %d prepared %d", number, req.ConfToken, prepared)}}, true
	}
	go r.serve()
	for <-terminated; kind == stubborn; <-terminated {
	}
	if kind == deletes {
		_ = os.Remove(path)
	}
	os.Exit(0)
}

func released(dir string) string { return filepath.Join(dir, "released") }

// serves is a file that is there as soon as a runner's socket is in its place.
func serves(dir string, number int) string {
	return filepath.Join(dir, strconv.Itoa(number), "serves")
}

// hangGuard is long enough for the slowest machine.
const hangGuard = time.Minute

// startCommand starts a double that starts fake runners of this kind. Its
// overlap lasts until the successor's socket is in its place.
func startCommand(t *testing.T, kind string, opt gateway.Options) (g *gateway.Gateway, dir string) {
	t.Helper()
	dir = t.TempDir()
	opt.Cmd, opt.SocketDir = []string{os.Args[0], "fake-runner", kind, dir}, dir
	opt.RespawnDelay = time.Millisecond
	if kind != stubborn {
		opt.KillAfter = hangGuard
	}
	if opt.Overlap == nil {
		started := 1
		opt.Overlap = func() {
			started++
			awaitFile(t, serves(dir, started))
		}
	}
	g, err := gateway.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	admin(t, g, "PUT", "/apisix/admin/routes/1", "", `{"uri":"/","plugins":{"ext-plugin-pre-req":{"conf":[{"name":"p","value":""}]}}}`)
	return g, dir
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	for hangs := time.Now().Add(hangGuard); time.Now().Before(hangs); {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
	t.Error("no successor took the socket over")
}

func reload(t *testing.T, g *gateway.Gateway) {
	t.Helper()
	if status, text := admin(t, g, "POST", "/double/reload", "", ""); status != 200 || text != fmt.Sprintf("{\"pid\":%d}\n", g.RunnerPID()) {
		t.Errorf("POST /double/reload: %d %s", status, text)
	}
}

// keptClient is a connection that a client keeps.
type keptClient struct {
	net.Conn
	r *bufio.Reader
}

func keep(t *testing.T, g *gateway.Gateway) *keptClient {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(hangGuard))
	return &keptClient{conn, bufio.NewReader(conn)}
}

func (k *keptClient) ask(t *testing.T) {
	t.Helper()
	if _, err := io.WriteString(k, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

func (k *keptClient) answer(t *testing.T) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(k.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp
}

func TestAtAReloadTheSuccessorTakesOverBeforeThePredecessorIsTold(t *testing.T) {
	g, _ := startCommand(t, polite, gateway.Options{Workers: 1})
	if got, want := until200(t, g), "runner 1 token 100 prepared 1"; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
	waiting := keep(t, g)
	waiting.ask(t)
	waiting.answer(t)
	before, first := g.Counts(), g.RunnerPID()
	reload(t, g)
	if err := syscall.Kill(first, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the old runner: %v", err)
	}
	if _, err := waiting.r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("a client's idle connection: %v", err)
	}
	// Shared memory outlives the reload: the new worker has the old token from
	// there, and prepares nothing.
	resp, body := send(t, g, "GET /")
	if want := "runner 2 token 100 prepared 0"; resp.StatusCode != 200 || body != want {
		t.Errorf("%d %q, want %q", resp.StatusCode, body, want)
	}
	want := before
	want.Reloads, want.CutClientConnections, want.CutRunnerConnections = 1, 1, 2
	if diff := cmp.Diff(want, g.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if status, text := admin(t, g, "GET", "/double/counts", "", ""); status != 200 || !strings.Contains(text, `"cut_client_connections":1`) {
		t.Errorf("GET /double/counts: %d %s", status, text)
	}
}

func TestARequestInFlightAtAReloadIsAnswered(t *testing.T) {
	b := newBed(t, 1)
	asked, release := make(chan struct{}), make(chan struct{})
	b.runner.answer = func(r a6.Request, _ func(a6.Question) []byte) (a6.Answer, bool) {
		asked <- struct{}{}
		<-release
		return a6.Answer{ID: r.ID}, true
	}
	busy := keep(t, b.Gateway)
	busy.ask(t)
	<-asked
	if err := b.Reload(); err != nil {
		t.Fatal(err)
	}
	close(release)
	if resp := busy.answer(t); resp.StatusCode != 200 || !resp.Close {
		t.Errorf("%d, close %v", resp.StatusCode, resp.Close)
	}
	// The connection that PrepareConf had was idle.
	if diff := cmp.Diff(gateway.Counts{Reloads: 1, CutRunnerConnections: 1}, b.Counts()); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestASuccessorThatExitsIsStartedAgain(t *testing.T) {
	g, _ := startCommand(t, secondExits, gateway.Options{Overlap: func() {}})
	until200(t, g)
	reload(t, g)
	if got := until200(t, g); !strings.HasPrefix(got, "runner 3 ") {
		t.Errorf("answered by %q", got)
	}
	if c := g.Counts(); c.RunnerExits != 1 || c.NoRunner+c.Unanswered != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestAPredecessorThatDeletesTheSocketLeavesItsSuccessorUnreachable(t *testing.T) {
	g, _ := startCommand(t, deletes, gateway.Options{})
	until200(t, g)
	before := g.Counts()
	reload(t, g)
	for range 3 {
		if resp, _ := send(t, g, "GET /"); resp.StatusCode != 503 {
			t.Errorf("got %d", resp.StatusCode)
		}
	}
	if c := g.Counts(); c.NoRunner-before.NoRunner != 3 || c.TooEarly != before.TooEarly || c.RunnerExits != 0 || g.RunnerPID() == 0 {
		t.Errorf("runner %d, counts %+v", g.RunnerPID(), c)
	}
}

func TestARunnerThatSIGTERMDoesNotEndIsKilled(t *testing.T) {
	g, _ := startCommand(t, stubborn, gateway.Options{})
	until200(t, g)
	first := g.RunnerPID()
	reload(t, g)
	if err := syscall.Kill(first, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the old runner: %v", err)
	}
	if c := g.Counts(); c.RunnerKills != 1 || c.RunnerExits != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestNobodyWaitsForASuccessorThatIsLate(t *testing.T) {
	g, dir := startCommand(t, secondWaits, gateway.Options{Overlap: func() {}})
	until200(t, g)
	before := g.Counts()
	reload(t, g)
	if resp, _ := send(t, g, "GET /"); resp.StatusCode != 503 {
		t.Errorf("with no runner there: %d", resp.StatusCode)
	}
	if err := os.WriteFile(released(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := until200(t, g); !strings.HasPrefix(got, "runner 2 ") {
		t.Errorf("answered by %q", got)
	}
	if c := g.Counts(); c.LateSuccessors != 1 || c.TooEarly <= before.TooEarly || c.NoRunner+c.Unanswered+c.RunnerExits != 0 {
		t.Errorf("counts %+v", c)
	}
}
