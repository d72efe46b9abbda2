package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

const (
	connectTimeout = time.Second
	callTimeout    = 60 * time.Second
	lockTimeout    = 5 * time.Second
	idleConns      = 32
	idleFor        = 180 * time.Second
	workerTTL      = tokenSeconds * time.Second
	sharedTTL      = workerTTL * 9 / 10
)

type cachedToken struct {
	token uint32
	until time.Time
}

// sharedTokens are the ones all workers share, with the one lock that is held
// through PrepareConf.
type sharedTokens struct {
	lock   chan struct{}
	mu     sync.Mutex
	tokens map[string]cachedToken
}

func newSharedTokens() *sharedTokens {
	return &sharedTokens{lock: make(chan struct{}, 1), tokens: map[string]cachedToken{}}
}

func (s *sharedTokens) get(key string) (uint32, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cached, there := s.tokens[key]
	return cached.token, there && time.Now().Before(cached.until)
}

func (s *sharedTokens) put(key string, token uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[key] = cachedToken{token, time.Now().Add(sharedTTL)}
}

func (s *sharedTokens) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// runnerConn is a connection to the runner; it carries one exchange at a time.
type runnerConn struct {
	net.Conn
	r     *bufio.Reader
	since time.Time // when it became idle; zero before it ever was
	// unread says that a reset would mean that the peer has not read what was
	// sent: the kernel resets a Unix socket that is closed with something in it,
	// and ends one in which nothing is left.
	unread bool
}

// worker is one nginx worker: its own tokens and its own idle connections.
type worker struct {
	id      uint32
	gateway *Gateway

	mu     sync.Mutex
	tokens map[string]cachedToken
	idle   []*runnerConn
	count  uint32
	closed bool
}

func (g *Gateway) flushEveryToken() {
	g.tokens.flush()
	for _, m := range g.generations() {
		for _, w := range m.workers {
			w.flush()
		}
	}
}

func (w *worker) flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	clear(w.tokens)
}

// nextID numbers calls as APISIX does: 22 bits behind the worker's number.
func (w *worker) nextID() uint32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count = (w.count + 1) & (1<<22 - 1)
	return w.id<<22 | w.count
}

// connect takes the idle connection used last, or makes one.
func (w *worker) connect() (*runnerConn, error) {
	for {
		conn := w.takeIdle()
		if conn == nil {
			break
		}
		if time.Since(conn.since) < idleFor && conn.quiet() {
			return conn, nil
		}
		_ = conn.Close()
	}
	tooEarly := w.gateway.awaited() // before, so that no runner is blamed too early
	conn, err := net.DialTimeout("unix", w.gateway.socket, connectTimeout)
	if err != nil {
		return nil, noRunnerError{tooEarly, err}
	}
	return &runnerConn{Conn: conn, r: bufio.NewReader(conn)}, nil
}

func (w *worker) takeIdle() *runnerConn {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := len(w.idle) - 1
	if last < 0 {
		return nil
	}
	conn := w.idle[last]
	w.idle = w.idle[:last]
	return conn
}

// keep makes a connection idle; beyond 32 the oldest goes.
func (w *worker) keep(conn *runnerConn) {
	conn.since = time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		_ = conn.Close()
		return
	}
	w.idle = append(w.idle, conn)
	if len(w.idle) > idleConns {
		_ = w.idle[0].Close()
		w.idle = w.idle[1:]
	}
}

// closeConns closes the idle connections, and from then on keeps none.
func (w *worker) closeConns() (closed int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	closed = len(w.idle)
	for _, conn := range w.idle {
		_ = conn.Close()
	}
	w.idle = nil
	return closed
}

func (c *runnerConn) quiet() bool { return quiet(c.Conn, c.r) }

// quiet is false where the peer closed an idle connection or spoke unasked:
// nginx notices both and never uses it again.
func quiet(conn net.Conn, r *bufio.Reader) bool {
	socket, ok := conn.(syscall.Conn)
	if !ok || r.Buffered() > 0 {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Read(func(fd uintptr) bool {
		var peek [1]byte
		_, _, err := syscall.Recvfrom(int(fd), peek[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err == nil && quiet
}

func (c *runnerConn) send(t a6.Type, payload []byte) error {
	_ = c.SetWriteDeadline(time.Now().Add(callTimeout))
	frame, err := a6.AppendFrame(nil, t, payload)
	if err != nil {
		return err
	}
	n, err := c.Write(frame)
	if n == 0 && errors.Is(err, syscall.EPIPE) && c.opens(t) {
		return errors.Join(errStale, err)
	}
	c.unread = c.opens(t)
	return err
}

// opens reports whether a frame opens an exchange on a connection that was kept
// for it.
func (c *runnerConn) opens(t a6.Type) bool { return t != a6.ExtraInfo && !c.since.IsZero() }

// receive returns the next frame's payload. A frame of type Error is an error.
func (c *runnerConn) receive() (a6.Type, []byte, error) {
	_ = c.SetReadDeadline(time.Now().Add(callTimeout))
	t, payload, err := a6.ReadFrame(c.r, nil)
	if c.unread && errors.Is(err, syscall.ECONNRESET) {
		err = errors.Join(errStale, err)
	}
	c.unread = false
	if err != nil {
		return 0, nil, fmt.Errorf("failed to receive from the runner: %w", err)
	}
	if t != a6.Error {
		return t, payload, nil
	}
	code, err := a6.DecodeError(payload)
	if err != nil {
		return 0, nil, err
	}
	if code == a6.ConfTokenNotFound {
		return 0, nil, errTokenNotFound
	}
	return 0, nil, errors.New(code.String())
}

var errTokenNotFound = errors.New("conf token not found")
