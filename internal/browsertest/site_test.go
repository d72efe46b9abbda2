package browsertest_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// hang is how long anything may take before a test says that it hangs.
const hang = time.Minute

// provider is where browsers reach the issuer.
const provider = "https://login.test"

// theSite is everything that the tests of this package share: each test has an
// application of its own in it, and a browser profile of its own.
type theSite struct {
	dir      string
	issuer   *issuer.Issuer
	upstream *upstream.Upstream
	witness  *witness
	gateway  *gateway.Gateway
	runner   *exec.Cmd
	ended    chan struct{} // closed when the runner ended
	front    *front
	chromium context.Context
	stop     context.CancelFunc // Chromium
	secrets  map[string]string  // environment of the runner

	playground *playground // nil until a test asks for it
}

var site *theSite

func startSite() (*theSite, error) {
	dir, err := os.MkdirTemp("", "browsertest-")
	if err != nil {
		return nil, err
	}
	s := &theSite{dir: dir, secrets: map[string]string{
		"APP_SECRET": rand.Text(), "SESSION_SECRET": rand.Text() + rand.Text(),
	}}
	if s.issuer, err = issuer.Start(issuer.Options{BrowserURL: provider + "/"}); err != nil {
		return s, err
	}
	if s.upstream, err = upstream.StartWithPages("", upstream.Pages{"/": showRequest}); err != nil {
		return s, err
	}
	if s.witness, err = startWitness(s.upstream.URL()); err != nil {
		return s, err
	}
	socket := filepath.Join(dir, "runner.sock")
	if err := s.startRunner(socket); err != nil {
		return s, err
	}
	if s.gateway, err = gateway.Start(gateway.Options{SocketPath: socket}); err != nil {
		return s, err
	}
	if s.front, err = startFront(map[string]string{"login.test": s.issuer.URL()}, s.gateway.URL()); err != nil {
		return s, err
	}
	s.chromium, s.stop = s.startChromium()
	return s, chromedp.Do(s.chromium)
}

// startRunner builds the real runner, starts it and waits until it listens.
func (s *theSite) startRunner(socket string) error {
	path := filepath.Join(s.dir, "go-runner")
	if out, err := exec.Command("go", "build", "-o", path, "../../cmd/go-runner").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	s.runner = exec.Command(path, "run", "--allow-insecure", "--log-level", "warn")
	s.runner.Env = append(os.Environ(), "APISIX_LISTEN_ADDRESS=unix:"+socket)
	for name, value := range s.secrets {
		s.runner.Env = append(s.runner.Env, name+"="+value)
	}
	s.runner.Stderr = os.Stderr
	if err := s.runner.Start(); err != nil {
		s.runner = nil
		return err
	}
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		_ = s.runner.Wait()
	}()
	return until(func() error {
		select {
		case <-s.ended:
			return errors.New("the runner ended before it listened")
		default:
		}
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// startChromium starts a browser that finds every host of .test at the front.
func (s *theSite) startChromium(more ...chromedp.ExecAllocatorOption) (browser context.Context, end context.CancelFunc) {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(binary),
		chromedp.NoSandbox, // CI runs as root
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("ignore-certificate-errors", true),
		chromedp.Flag("host-resolver-rules", "MAP *.test "+s.front.address()),
	)
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	browser, stopBrowser := chromedp.NewContext(allocator)
	return browser, func() {
		stopBrowser()
		stopAllocator()
	}
}

// close ends what did start, in the order that leaves nobody without what it
// asks.
func (s *theSite) close() (err error) {
	if s.stop != nil {
		s.stop()
	}
	if s.playground != nil {
		err = errors.Join(err, s.playground.close())
	}
	if s.front != nil {
		err = errors.Join(err, s.front.close())
	}
	if s.gateway != nil {
		err = errors.Join(err, s.gateway.Close())
	}
	if s.runner != nil {
		_ = s.runner.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-s.ended:
		case <-time.After(hang):
			_ = s.runner.Process.Kill()
			err = errors.Join(err, errors.New("the runner did not end"))
		}
	}
	if s.witness != nil {
		s.witness.server.Close()
	}
	if s.upstream != nil {
		err = errors.Join(err, s.upstream.Close())
	}
	if s.issuer != nil {
		err = errors.Join(err, s.issuer.Close())
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// until repeats what fails until it succeeds; the error is the last one.
func until(succeeds func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), hang)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := succeeds()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("still so after %v: %w", hang, err)
		}
	}
}

// shown is the application's page: what the upstream was told, for a test to
// read. It has an icon, so that no browser asks for one.
var shown = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>application</title><link rel="icon" href="data:,"></head><body>
<p id="user">{{.User}}</p><p id="path">{{.Path}}</p><p id="cookie">{{.Cookie}}</p><p id="bearer">{{.Bearer}}</p>
<p><a id="logout" href="/logout">Log out</a></p>
</body></html>
`))

func showRequest(w io.Writer, e upstream.Echo) error {
	all := func(name string) string { return fmt.Sprint(e.Headers[name]) }
	path := e.Path
	if e.Query != "" {
		path += "?" + e.Query
	}
	return shown.Execute(w, map[string]string{
		"User": all("X-User-Id"), "Path": path, "Cookie": all("Cookie"), "Bearer": all("Authorization"),
	})
}
