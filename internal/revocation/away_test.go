package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/redis"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
)

// memory is a Redis that has one stream and a few keys, as far as a feed asks. It
// lives inside of a bubble of synctest, whose clock a real server does not have.
type memory struct {
	mu     sync.Mutex
	stream []goredis.XMessage
	keys   map[string]string
	more   chan struct{} // closed when the stream grows
}

func newMemory() *memory { return &memory{keys: map[string]string{}, more: make(chan struct{})} }

// link is how one runner reaches a memory. It can be cut.
type link struct {
	*memory

	mu   sync.Mutex
	lost chan struct{} // closed while it is cut
}

var errCut = errors.New("the link is cut")

func (l *link) cut() { l.mu.Lock(); defer l.mu.Unlock(); close(l.lost) }

func (l *link) mend() { l.mu.Lock(); defer l.mu.Unlock(); l.lost = make(chan struct{}) }

func (l *link) broken() <-chan struct{} { l.mu.Lock(); defer l.mu.Unlock(); return l.lost }

// client asks the memory over the link, and dials nobody.
func (l *link) client() goredis.UniversalClient {
	c := redis.Unavailable(errCut)
	c.AddHook(l)
	return c
}

// DialHook implements the hooks of go-redis.
func (l *link) DialHook(next goredis.DialHook) goredis.DialHook { return next }

// ProcessHook implements the hooks of go-redis.
func (l *link) ProcessHook(goredis.ProcessHook) goredis.ProcessHook { return l.do }

// ProcessPipelineHook implements the hooks of go-redis.
func (l *link) ProcessPipelineHook(goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, all []goredis.Cmder) error {
		for _, cmd := range all {
			if err := l.do(ctx, cmd); err != nil {
				return err
			}
		}
		return nil
	}
}

func (l *link) do(ctx context.Context, cmd goredis.Cmder) (err error) {
	defer func() { cmd.SetErr(err) }()
	lost := l.broken()
	select {
	case <-lost:
		return errCut
	default:
	}
	args := make([]string, len(cmd.Args()))
	for i, arg := range cmd.Args() {
		args[i] = fmt.Sprint(arg)
	}
	switch c := cmd.(type) {
	case *goredis.StatusCmd:
		return l.set(args)
	case *goredis.StringCmd:
		c.SetVal(l.text(args))
	case *goredis.XMessageSliceCmd: // XRANGE KEY (AFTER + …
		messages, _ := l.after(strings.TrimPrefix(args[2], "("))
		c.SetVal(messages)
	case *goredis.XStreamSliceCmd:
		return l.wait(ctx, lost, c, args[len(args)-1])
	case *goredis.IntCmd, *goredis.BoolCmd: // upkeep, which removes nothing here
	default:
		return fmt.Errorf("the fake has no %q", args)
	}
	return nil
}

// set is SET KEY VALUE … NX.
func (m *memory) set(args []string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.keys[args[1]] != "" {
		return goredis.Nil
	}
	m.keys[args[1]] = args[2]
	return nil
}

// text is GET KEY, and XADD KEY * FIELD VALUE ….
func (m *memory) text(args []string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if args[0] == "get" {
		return m.keys[args[1]]
	}
	values := map[string]any{}
	for i := 3; i < len(args); i += 2 {
		values[args[i]] = args[i+1]
	}
	id := fmt.Sprintf("%06d", len(m.stream)+1)
	m.stream = append(m.stream, goredis.XMessage{ID: id, Values: values})
	close(m.more)
	m.more = make(chan struct{})
	return id
}

func (m *memory) after(cursor string) ([]goredis.XMessage, <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, message := range m.stream {
		if message.ID > cursor || cursor == "0-0" {
			return m.stream[i:len(m.stream):len(m.stream)], m.more
		}
	}
	return nil, m.more
}

// wait is XREAD, for as long as a feed asks for.
func (l *link) wait(ctx context.Context, lost <-chan struct{}, c *goredis.XStreamSliceCmd, cursor string) error {
	messages, more := l.after(cursor)
	if len(messages) == 0 {
		select {
		case <-more:
			messages, _ = l.after(cursor)
		case <-time.After(blockFor(c)):
			return goredis.Nil
		case <-lost:
			return errCut
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.SetVal([]goredis.XStream{{Messages: messages}})
	return nil
}

// blockFor is the BLOCK of an XREAD.
func blockFor(c *goredis.XStreamSliceCmd) time.Duration {
	for i, arg := range c.Args() {
		if arg == "block" {
			return time.Duration(c.Args()[i+1].(int64)) * time.Millisecond
		}
	}
	return 0
}

// TestARunnerThatIsCutOffForAMinute says so from the eleventh second on, refuses
// what it knew all the while, and knows the rest soon after Redis is back; so do
// others know of what was revoked at it meanwhile.
func TestARunnerThatIsCutOffForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newMemory()
		here, there := &link{memory: shared, lost: make(chan struct{})}, &link{memory: shared, lost: make(chan struct{})}
		a := revocation.Open(revocation.Options{Redis: here.client(), Logger: quiet})
		defer a.Close()
		var log strings.Builder
		b := revocation.Open(revocation.Options{Redis: there.client(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer b.Close()
		pass := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		pass(time.Second)
		must(a.Revoke(t.Context(), jti("before")))
		synctest.Wait()
		if !refuses(b, "before") {
			t.Fatal("b does not hear of it at once")
		}
		there.cut()
		synctest.Wait()
		began := time.Now()
		for ; time.Since(began) < time.Minute; pass(time.Second) {
			away := time.Since(began)
			if up := b.Up(time.Now()); up != (away <= 10*time.Second) {
				t.Errorf("after %v: up is %v", away, up)
			}
			if !refuses(b, "before") || !a.Up(time.Now()) {
				t.Fatalf("after %v b forgot what it knew, or a is not up", away)
			}
			must(a.Revoke(t.Context(), jti(fmt.Sprint("meanwhile ", away))))
			if refuses(b, fmt.Sprint("meanwhile ", away)) {
				t.Fatal("the link is not cut")
			}
		}
		if _, err := b.Revoke(t.Context(), jti("at b")); !errors.Is(err, revocation.ErrNotShared) || !refuses(b, "at b") {
			t.Errorf("revoked at b: %v, refused there: %v", err, refuses(b, "at b"))
		}
		there.mend()
		pass(5 * time.Second)
		if !b.Up(time.Now()) {
			t.Error("b is not up again")
		}
		for away := time.Duration(0); away < time.Minute; away += time.Second {
			if !refuses(b, fmt.Sprint("meanwhile ", away)) {
				t.Errorf("b does not know what was revoked after %v", away)
			}
		}
		if !refuses(a, "at b") {
			t.Error("a does not know what was revoked at b")
		}
		for _, said := range []string{"new revocations cannot be heard of", "new revocations are heard of again"} {
			if n := strings.Count(log.String(), said); n != 1 {
				t.Errorf("the log says %d times %q", n, said)
			}
		}
	})
}
