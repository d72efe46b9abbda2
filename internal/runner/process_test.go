package runner_test

import (
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/log"
	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
	official "github.com/apache/apisix-go-plugin-runner/pkg/runner"
	"go.uber.org/goleak"
	"go.uber.org/zap/zapcore"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

const serveEnv = "TEST_SERVE"

// TestMain is one of both servers with the same plugins, when asked to be.
func TestMain(m *testing.M) {
	switch os.Getenv(serveEnv) {
	case "":
		goleak.VerifyTestMain(m)
		return
	case "engine":
		serveEngine()
		return
	}
	out := zapcore.AddSync(os.Stderr)
	log.NewLogger(zapcore.ErrorLevel, out)
	for _, p := range bothPlugins() {
		if err := plugin.RegisterPlugin(p); err != nil {
			panic(err)
		}
	}
	official.Run(official.RunnerConfig{LogLevel: zapcore.ErrorLevel, LogOutput: out})
}

// serveEngine is the engine in a process of its own.
func serveEngine() {
	s, err := runner.New(runner.Options{Plugins: bothPlugins(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	path, err := runner.ParseAddress(os.Getenv("APISIX_LISTEN_ADDRESS"))
	if err != nil {
		panic(err)
	}
	l, err := runner.Socket{Path: path}.Listen()
	if err != nil {
		panic(err)
	}
	panic(s.Serve(l))
}

func startOfficial(t testing.TB) string      { return startProcess(t, "official") }
func startEngineProcess(t testing.TB) string { return startProcess(t, "engine") }

// startProcess runs a server in a process of its own.
func startProcess(t testing.TB, which string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "o.sock")
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), serveEnv+"="+which, "APISIX_LISTEN_ADDRESS=unix:"+path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	hangs := time.After(hangGuard)
	for {
		if c, err := net.Dial("unix", path); err == nil {
			c.Close()
			return path
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-hangs:
			t.Fatal("the server does not listen")
		}
	}
}
