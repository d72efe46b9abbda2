package auth0jwt_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/log"
	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
	official "github.com/apache/apisix-go-plugin-runner/pkg/runner"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inplace"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

const (
	serveEnv = "TEST_SERVE" // "engine", "goroutines" or "official": this process is that runner
	cacheEnv = "TEST_CACHE" // its cache, in bytes
)

// TestMain is one of both runners when asked to be, for tests beside other plugins and for the benchmarks.
func TestMain(m *testing.M) {
	if os.Getenv(pacedEnv) != "" {
		servePacedClient()
		return
	}
	cache, _ := strconv.ParseInt(os.Getenv(cacheEnv), 10, 64)
	plugins := []plugin.Plugin{&nothing{}, &script{}, auth0jwt.New(auth0jwt.Options{CacheSize: cache, AllowInsecure: true, Logger: slog.New(slog.DiscardHandler)})}
	defer runtime.KeepAlive(auth0jwt.Ballast())
	switch os.Getenv(serveEnv) {
	case "engine":
		serveEngine(plugins, 1)
	case "goroutines":
		serveEngine(plugins, 0)
	case "official":
		serveOfficial(plugins)
	default:
		goleak.VerifyTestMain(m)
	}
}

// nothing is a plugin that does nothing.
type nothing struct{ plugin.DefaultPlugin }

func (*nothing) Name() string                  { return "nothing" }
func (*nothing) ParseConf([]byte) (any, error) { return nil, nil }

func (*nothing) FilterNow(any, http.ResponseWriter, inplace.View) bool { return true }

func serveEngine(plugins []plugin.Plugin, loops int) {
	s, err := runner.New(runner.Options{Plugins: plugins, Loops: loops, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		var path string
		if path, err = runner.ParseAddress(os.Getenv("APISIX_LISTEN_ADDRESS")); err == nil {
			var l net.Listener
			if l, err = (runner.Socket{Path: path}).Listen(); err == nil {
				err = s.Serve(l)
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func serveOfficial(plugins []plugin.Plugin) {
	out := zapcore.AddSync(os.Stderr)
	log.NewLogger(zapcore.ErrorLevel, out)
	for _, p := range plugins {
		if err := plugin.RegisterPlugin(p); err != nil {
			panic(err)
		}
	}
	official.Run(official.RunnerConfig{LogLevel: zapcore.ErrorLevel, LogOutput: out})
}

// process is a runner in a process of its own.
type process struct {
	path string
	pid  int
	stop func()
}

func startProcess(b testing.TB, kind string, cache int64) process {
	b.Helper()
	path := filepath.Join(b.TempDir(), "r.sock")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveEnv+"="+kind, cacheEnv+"="+strconv.FormatInt(cache, 10), "APISIX_LISTEN_ADDRESS=unix:"+path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	b.Cleanup(stop)
	for range 250 {
		if c, err := net.Dial("unix", path); err == nil {
			_ = c.Close()
			return process{path, cmd.Process.Pid, stop}
		}
		time.Sleep(20 * time.Millisecond) // another process: nothing to wait on
	}
	b.Fatalf("the %s runner does not listen", kind)
	return process{}
}

// cpu is the processor time used so far.
func (p process) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

func frameOf(conf uint32, token string) []byte {
	h := func(name, value string) a6.Entry { return a6.Entry{Name: name, Value: value, HasValue: true} }
	r := a6.Request{
		ID: 1, ConfToken: conf, Method: "GET", Path: "/orders", SrcIP: []byte{10, 1, 2, 3},
		Headers: []a6.Entry{
			h("host", "upstream:9001"), h("accept", "*/*"), h("user-agent", "Mozilla/5.0 (X11; Linux x86_64)"),
			h("accept-encoding", "gzip, deflate, br"), h("accept-language", "en"), h("cookie", "a=1; b=2"),
			h("x-forwarded-proto", "https"), h("x-forwarded-host", "api.example.com"), h("x-forwarded-port", "443"),
			h("authorization", "Bearer "+token),
		},
	}
	payload, err := a6.EncodeRequest(r)
	if err != nil {
		panic(err)
	}
	frame, err := a6.AppendFrame(nil, a6.HTTPReqCall, payload)
	if err != nil {
		panic(err)
	}
	return frame
}

// worker is a connection of APISIX, without allocations once it runs.
type worker struct {
	net.Conn
	r  *bufio.Reader
	in []byte
}

func dial(b testing.TB, path string) *worker {
	b.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	return &worker{Conn: c, r: bufio.NewReader(c)}
}

func (w *worker) prepare(b testing.TB, name, value string) uint32 {
	b.Helper()
	payload := a6.EncodePrepareConf("bench", []a6.Entry{{Name: name, Value: value, HasValue: true}})
	if err := a6.WriteFrame(w, a6.PrepareConf, payload); err != nil {
		b.Fatal(err)
	}
	_, answer, err := a6.ReadFrame(w.r, nil)
	if err != nil {
		b.Fatal(err)
	}
	token, err := a6.DecodePrepareConfResp(answer)
	if err != nil {
		b.Fatal(err)
	}
	return token
}

func (w *worker) do(frame []byte) {
	if _, err := w.Write(frame); err != nil {
		panic(err)
	}
	kind, payload, err := a6.ReadFrame(w.r, w.in)
	if err != nil || kind != a6.HTTPReqCall {
		panic(fmt.Sprint(kind, err))
	}
	w.in = payload
}

// passes reports whether a request is forwarded.
func (w *worker) passes(frame []byte) bool {
	w.do(frame)
	a, err := a6.DecodeAnswer(w.in)
	return err == nil && a.Stop == nil
}

// memory is a line of /proc/PID/status, in MiB.
func (p process) memory(line string) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0
	}
	for l := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(l, line+":"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib >> 10
		}
	}
	return 0
}
