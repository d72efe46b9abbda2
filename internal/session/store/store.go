// Package store keeps sessions between requests: sealed in the browser's cookies,
// or sealed in Redis under a name that the browser's cookie gives. It knows
// cookies, Redis and time, and must not know how a session is made or what its
// tokens say.
package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

// Options say whose sessions a store keeps, and how.
type Options struct {
	// Memory is what all stores of the process remember.
	Memory *Memory
	// Sealer has the name of the cookie in its binding, as [session.CookieName]
	// gives it.
	Sealer *session.Sealer
	// Idle ends a session without a request; it is more than 0.
	Idle time.Duration
	// SameSiteNone lets the cookies come with requests from other sites.
	SameSiteNone bool
	// Insecure is for an origin of plain http: no Secure, and SameSite=Lax in any
	// case, since browsers take None only with Secure.
	Insecure bool
	// Redis is shared with other processes. Without one, nil, refreshes are single
	// in this process only. Its operations must end with their contexts.
	Redis redis.UniversalClient
	// Now is the clock of what the methods are not given the time for; nil is
	// time.Now.
	Now func() time.Time
}

// ErrUnavailable means that Redis did not answer.
var ErrUnavailable = errors.New("the Redis of sessions does not answer")

var (
	_ login.Sessions = (*Cookies)(nil)
	_ login.Sessions = (*Redis)(nil)
)

// The bounds of a session in the browser.
const (
	cookiesAtMost = 4500 // bytes of a Cookie line, with names, "=" and "; "
	cookieAtMost  = 4096 // bytes of a cookie with its attributes, which browsers take (RFC 6265 section 6.1)
)

// limits bound what is waited for.
type limits struct {
	redis   time.Duration // one question to Redis, on a request's path
	refresh time.Duration // a refresh, the wait for another process included
	lease   time.Duration // of a refresh, until it is renewed
}

var usual = limits{redis: 500 * time.Millisecond, refresh: 10 * time.Second, lease: 5 * time.Second}

// bounded is ctx with the bound of one question to Redis.
func (l limits) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, l.redis)
}

// base is what both stores are made of.
type base struct {
	memory       *Memory
	sealer       *session.Sealer
	binding      [32]byte
	name, second string
	attributes   string
	idle         time.Duration
	lease        *lease // nil without a Redis
	now          func() time.Time
	limits       limits
}

func newBase(opt Options) base {
	b := base{
		memory: opt.Memory, sealer: opt.Sealer, idle: opt.Idle, now: opt.Now, limits: usual,
		binding: opt.Sealer.Binding().Digest(),
		name:    opt.Sealer.Binding().Cookie,
	}
	b.second = session.SecondName(b.name)
	if b.now == nil {
		b.now = time.Now
	}
	switch {
	case opt.Insecure:
		b.attributes = "; Path=/; HttpOnly; SameSite=Lax"
	case opt.SameSiteNone:
		b.attributes = "; Path=/; Secure; HttpOnly; SameSite=None"
	default:
		b.attributes = "; Path=/; Secure; HttpOnly; SameSite=Lax"
	}
	if opt.Redis != nil {
		b.lease = newLease(opt.Redis, opt.Sealer)
	}
	return b
}

// Names implements [login.Sessions]: both names, whatever the store needs of them,
// since a browser may have what another store gave it.
func (b *base) Names() []string { return []string{b.name, b.second} }

// set is a Set-Cookie value. Its Max-Age is the time left, rounded up: what the
// seal says counts.
func (b *base) set(name, value string, left time.Duration) string {
	seconds := (left + time.Second - 1) / time.Second
	return fmt.Sprintf("%s=%s; Max-Age=%d%s", name, value, seconds, b.attributes)
}

// expire are the Set-Cookie values that delete the cookies: the first in any case,
// the second where the browser has it.
func (b *base) expire(lines []string) []string {
	return append([]string{b.set(b.name, "", 0)}, b.expireSecond(lines)...)
}

func (b *base) expireSecond(lines []string) []string {
	if !session.HasCookie(lines, b.second) {
		return nil
	}
	return []string{b.set(b.second, "", 0)}
}

// seen is a session that opened before and still would.
func (b *base) seen(c session.Chunks, now time.Time) *seen {
	e, there := b.memory.seen.GetIfPresent(seenKey{b.binding, c})
	if !there || !e.session.Live(b.idle, now) || !b.sealer.Holds(e.by, now) {
		return nil
	}
	return e
}

// known is seen without I/O; it is nil more often.
func (b *base) known(c session.Chunks, now time.Time) *seen {
	e, there := b.memory.seen.GetIfPresent(seenKey{b.binding, c})
	if !there || !e.session.Live(b.idle, now) || !b.sealer.HeldLately(e.by, now) {
		return nil
	}
	return e
}

// forget ends what is remembered of a session. What is given is not changed by a
// refresh that is under way.
func (b *base) forget(ctx context.Context, s *session.Session, lines []string) error {
	if c, err := session.FindChunks(lines, b.name, b.second); err == nil {
		b.memory.seen.Invalidate(seenKey{b.binding, c})
	}
	if s == nil {
		return nil
	}
	b.memory.refreshes.end(flightKey{binding: b.binding, session: s.ID}, b.now())
	if b.lease == nil {
		return nil
	}
	return b.lease.end(ctx, flightKey{binding: b.binding, session: s.ID})
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
