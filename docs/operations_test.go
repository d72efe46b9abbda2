package docs_test

import (
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

var upgradeStep = regexp.MustCompile("(?m)^ *```upgrade\n *go-runner (.*)$")

// nextVersion is the version of the binary that upgrades install.
const nextVersion = "v99.0.0"

// builtNext is a binary of the next version.
func builtNext(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "go-runner")
	if out, err := exec.Command("go", "build", "-ldflags", "-X main.version="+nextVersion, "-o", binary, "../cmd/go-runner").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// busyClients are clients that send a good token until they are told to stop.
type busyClients struct {
	stop    chan struct{}
	all     sync.WaitGroup
	sent    atomic.Int64
	refused atomic.Int64 // those that did not get 200
}

func (s *site) busy(t *testing.T) *busyClients {
	t.Helper()
	token, err := s.issuer.Mint(issuer.MintRequest{Claims: stockClaims(s)})
	if err != nil {
		t.Fatal(err)
	}
	b := &busyClients{stop: make(chan struct{})}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: hangGuard}
	for range 4 {
		b.all.Go(func() {
			for {
				select {
				case <-b.stop:
					return
				default:
				}
				req, _ := http.NewRequest(http.MethodGet, s.gateway.URL()+"/judged/x", nil)
				req.Header.Set("Authorization", "Bearer "+token)
				resp, err := client.Do(req)
				if b.sent.Add(1); err != nil || resp.StatusCode != http.StatusOK {
					b.refused.Add(1)
				}
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			}
		})
	}
	t.Cleanup(b.finish)
	return b
}

// more waits for so many further requests.
func (b *busyClients) more(t *testing.T, requests int64) {
	t.Helper()
	from := b.sent.Load()
	eventually(t, "requests", func() bool { return b.sent.Load() >= from+requests })
}

func (b *busyClients) finish() {
	select {
	case <-b.stop:
	default:
		close(b.stop)
	}
	b.all.Wait()
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	hangs := time.After(hangGuard)
	for !is() {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-hangs:
			t.Fatalf("never: %s", what)
		}
	}
}

// showsNext waits until the metrics at an admin address are those of the next
// version, and decisions are counted there.
func showsNext(t *testing.T, admin string) {
	t.Helper()
	build := regexp.MustCompile(`(?m)^auth0_jwt_build_info\{.*version="` + regexp.QuoteMeta(nextVersion) + `".*\} 1$`)
	decided := regexp.MustCompile(`(?m)^auth0_jwt_decisions_total\{reason="forwarded",route="orders"\} [1-9]`)
	eventually(t, "the metrics of "+nextVersion, func() bool {
		resp, err := http.Get("http://" + admin + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return build.Match(text) && decided.Match(text)
	})
}

// started is a gateway of the site's own, with a route that is judged.
func (s *site) started(t *testing.T, opt gateway.Options) (policy string) {
	t.Helper()
	opt.AdminKey, opt.KillAfter, opt.Log = "key-of-the-test", hangGuard, io.Discard
	own, err := gateway.Start(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = own.Close() })
	s.gateway = own
	policy = `{"name":"orders","issuer":"` + s.issuer.URL() + `","audience":"https://api.example.com"}`
	s.putRoute(t, "/judged/*", policy)
	s.answers(t, "/judged/x")
	return policy
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// TestASideCarIsUpgradedWithoutLoss does what operations.md says, in its order, under
// load.
func TestASideCarIsUpgradedWithoutLoss(t *testing.T) {
	steps := upgradeStep.FindAllStringSubmatch(open(t, "operations.md").text, -1)
	if len(steps) != 2 {
		t.Fatalf("the page shows the steps %q", steps)
	}
	next, dir, admin := builtNext(t), t.TempDir(), freeAddress(t)
	socket := filepath.Join(dir, "runner.sock")
	here := strings.NewReplacer("orders.json", filepath.Join(dir, "orders.json"), "/etc/auth0-jwt/config.yaml", filepath.Join(dir, "config.yaml"))
	settings := "listen: unix:" + socket + "\nadmin-addr: " + admin + "\nallow-insecure: true\n"
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startSite(t)
	stopOld := serve(t, exec.Command(filepath.Join(bin, "go-runner"), "run", "--config", filepath.Join(dir, "config.yaml")))
	policy := s.started(t, gateway.Options{SocketPath: socket})
	if err := os.WriteFile(filepath.Join(dir, "orders.json"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	clients := s.busy(t)
	clients.more(t, 50)
	check := exec.Command(next, append(strings.Fields(here.Replace(steps[0][1])), "--allow-insecure")...)
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	serve(t, exec.Command(next, strings.Fields(here.Replace(steps[1][1]))...))
	clients.more(t, 50)
	stopOld()
	clients.more(t, 50)
	showsNext(t, admin)
	clients.finish()
	if n := clients.refused.Load(); n > 0 {
		t.Errorf("%d of %d requests were lost", n, clients.sent.Load())
	}
}

// TestARunnerOfAPISIXsOwnIsUpgradedByAReload: the binary is replaced, and APISIX
// reloaded. What APISIX itself cuts off at a reload is none of the runner's.
func TestARunnerOfAPISIXsOwnIsUpgradedByAReload(t *testing.T) {
	next, dir, admin := builtNext(t), t.TempDir(), freeAddress(t)
	binary := filepath.Join(dir, "go-runner")
	if err := os.Symlink(filepath.Join(bin, "go-runner"), binary); err != nil {
		t.Fatal(err)
	}
	s := startSite(t)
	atSocket := func() os.FileInfo {
		sockets, _ := filepath.Glob(filepath.Join(dir, "*.sock"))
		if len(sockets) == 0 {
			return nil
		}
		info, _ := os.Stat(sockets[0])
		return info
	}
	var before os.FileInfo
	s.started(t, gateway.Options{
		Cmd: []string{binary, "run", "--allow-insecure", "--admin-addr", admin}, SocketDir: dir,
		Overlap: func() {
			eventually(t, "the next runner has the socket", func() bool { now := atSocket(); return now != nil && !os.SameFile(now, before) })
		},
	})
	before = atSocket()
	counted := s.gateway.Counts()
	clients := s.busy(t)
	clients.more(t, 50)
	if err := os.Rename(next, binary); err != nil {
		t.Fatal(err)
	}
	if err := s.gateway.Reload(); err != nil {
		t.Fatal(err)
	}
	clients.more(t, 50)
	showsNext(t, admin)
	clients.finish()
	if c := s.gateway.Counts(); c.NoRunner != counted.NoRunner || c.Unanswered != counted.Unanswered || c.TooEarly != counted.TooEarly {
		t.Errorf("the runner lost requests: %+v, before %+v", c, counted)
	}
}

// measured are numbers under Capacity, and where they come from: a row of
// performance.md, or a default of the command line.
var measured = map[string]struct{ said, from, measured string }{
	"a known token":            {`A known token costs (\d+) us`, "performance.md", `\| known token, one identity header \|.* \| ([\d.]+) us \|`},
	"a new token":              {`a new one \(RS256\) about (\d+)\.`, "performance.md", `\| new token each time \(RS256\) \|.* \| ([\d.]+) us \|`},
	"requests a second":        {`serves over ([\d,]+) requests`, "performance.md", `\| known token, one identity header \| ([\d,]+) \|`},
	"a million revocations":    {`and (\d+) MiB for a million revocations`, "performance.md", `1,000,000, which take\s+(\d+) MiB`},
	"a runner with one route":  {`with one route takes (\d+) MiB`, "performance.md", `(?s)\| routes, each .*?\n\| 1 \|[^\n]* \| (\d+) \|\n`},
	"one with a thousand keys": {`with 1,000 issuers (\d+)\.`, "performance.md", `(?s)\| providers, each .*?\n\| 1,000 \|[^\n]* \| (\d+) \|\n`},
	"--cache-size":             {`(\d+) MiB for known tokens`, "--help", `--cache-size .*\(default (\d+)MiB\)`},
	"--max-confs-size":         {`at most (\d+) MiB for the text of\s+configurations`, "--help", `--max-confs-size .*\(default (\d+)MiB\)`},
	"--max-connections":        {`--max-connections` + "`" + `\s+\(([\d,]+)\)`, "--help", `--max-connections .*\(default (\d+)\)`},
}

// TestTheNumbersUnderCapacityAreMeasured, or the defaults that there are. They are
// rules of thumb: a fifth above or below what was measured is the same.
func TestTheNumbersUnderCapacityAreMeasured(t *testing.T) {
	_, capacity, _ := strings.Cut(open(t, "operations.md").text, "\n## Capacity\n")
	capacity, _, _ = strings.Cut(capacity, "\n## ")
	help, err := exec.Command(filepath.Join(bin, "go-runner"), "run", "--help").Output()
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{"performance.md": open(t, "performance.md").text, "--help": string(help)}
	number := func(name, pattern, text string) float64 {
		m := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%s: no %s", name, pattern)
		}
		n, err := strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, name := range slices.Sorted(maps.Keys(measured)) {
		m := measured[name]
		said, is := number(name, m.said, capacity), number(name, m.measured, sources[m.from])
		atLeast := name == "requests a second" // the page says "over"
		if m.from == "--help" && said != is || said < is/1.2 && !atLeast || said > is*1.2 || atLeast && said > is {
			t.Errorf("%s: the page says %v, and %s %v", name, said, m.from, is)
		}
	}
}
