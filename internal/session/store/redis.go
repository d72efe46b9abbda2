package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

const (
	bitsSize = 32
	// freshFor is how long a session that Redis gave is taken from memory.
	freshFor     = time.Second
	recordAtMost = 64 << 10
	// eraSize is the length of a record's front, which is not sealed: how often the
	// session was refreshed, by which an older session does not replace its
	// successor.
	eraSize = 16
	noName  = "=" // of a cookie that no request has
	// inRedis stands for the second cookie in what is remembered: no cookie has it
	// for its value, so that [Cookies] never takes an identifier for a session that
	// it opened, nor the other way round.
	inRedis = ";"
)

// Redis keeps sessions in Redis. The cookie holds 256 random bits. A record stands
// under their hash and is sealed under a key that needs both them and the secret:
// who has the Redis alone, the secret alone or the cookie alone reads nothing.
// Its methods may be called by any goroutine.
type Redis struct {
	base
	client redis.UniversalClient
}

// NewRedis makes a store; [Options.Redis] is not nil.
func NewRedis(opt Options) *Redis { return &Redis{newBase(opt), opt.Redis} }

// bits are what a cookie of this store holds.
type bits []byte

// bitsOf gives the bits of a cookie, nil where it holds none.
func bitsOf(value string) bits {
	b := make(bits, bitsSize)
	if len(value) != base64.RawURLEncoding.EncodedLen(bitsSize) {
		return nil
	}
	n, err := base64.RawURLEncoding.Strict().Decode(b, []byte(value))
	if err != nil || n != bitsSize {
		return nil
	}
	return b
}

func (b bits) value() string { return base64.RawURLEncoding.EncodeToString(b) }

// record is the name of the bits' record.
func (r *Redis) record(b bits) string {
	sum := sha256.Sum256(append(r.binding[:], b...))
	return "auth0-jwt:session:" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// cookie is the session's cookie. One of the second name is left by another store,
// or planted, and means nothing.
func (r *Redis) cookie(lines []string) (session.Chunks, error) {
	c, err := session.FindChunks(lines, r.name, noName)
	return session.Chunks{First: c.First, Second: inRedis}, err
}

// Known is Open where Redis is not asked: there is no cookie and no session, or
// the session was seen in the last second. It allocates nothing. known is false
// where only Open can tell.
func (r *Redis) Known(lines []string, now time.Time) (s *session.Session, known bool) {
	c, err := r.cookie(lines)
	if err != nil {
		return nil, errors.Is(err, session.ErrNoCookie)
	}
	if e := r.known(c, now); e != nil && e.fresh(now) {
		return e.session, true
	}
	return nil, false
}

func (e *seen) fresh(now time.Time) bool {
	age := now.Sub(e.at)
	return -freshFor < age && age < freshFor
}

// Open implements [login.Sessions]. The error is [ErrUnavailable].
func (r *Redis) Open(ctx context.Context, lines []string, now time.Time) (s *session.Session, stale bool, err error) {
	c, err := r.cookie(lines)
	if err != nil {
		return nil, !errors.Is(err, session.ErrNoCookie), nil
	}
	if e := r.seen(c, now); e != nil && e.fresh(now) {
		return e.session, false, nil
	}
	b := bitsOf(c.First)
	if b == nil {
		return nil, true, nil
	}
	e, err := r.get(ctx, b, now)
	if err != nil {
		return nil, false, err
	}
	if e == nil || !e.session.Live(r.idle, now) {
		r.memory.seen.Invalidate(seenKey{r.binding, c})
		return nil, true, nil
	}
	r.memory.opened(r.binding, c, e)
	return e.session, false, nil
}

// get is nil where there is no record that opens.
func (r *Redis) get(ctx context.Context, b bits, now time.Time) (*seen, error) {
	ctx, cancel := r.limits.bounded(ctx)
	defer cancel()
	record, err := r.client.Get(ctx, r.record(b)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	if len(record) < eraSize {
		return nil, nil
	}
	plaintext, by, err := r.sealer.OpenBytes(session.ForRecord, record[eraSize:], now, b, record[:eraSize])
	if err != nil {
		return nil, nil
	}
	s, err := session.Decode(plaintext)
	if err != nil {
		return nil, nil
	}
	return &seen{s, by.ID(), now}, nil
}

// replace writes a record anew: not where it was deleted, which it answers with 0,
// and not over a successor.
var replace = redis.NewScript(`
local era = redis.call('GETRANGE', KEYS[1], 0, 15)
if era == '' then return 0 end
if tonumber(era) and tonumber(era) > tonumber(ARGV[1]) then return 1 end
redis.call('SET', KEYS[1], ARGV[1] .. ARGV[2], 'PX', ARGV[3])
return 1`)

// Save implements [login.Sessions]. A session whose record the request's cookie
// names keeps the bits; any other gets new ones, and the record that the cookie
// names is deleted. A session that has ended, or was deleted meanwhile, is not
// kept: its cookies are deleted.
func (r *Redis) Save(ctx context.Context, s *session.Session, lines []string, now time.Time) ([]string, error) {
	written := *s
	written.Written = now
	left := written.Left(r.idle, now)
	if left < time.Millisecond {
		return r.expire(lines), nil
	}
	plaintext := written.Encode()
	if len(plaintext) > recordAtMost {
		return nil, login.ErrTooLarge
	}
	c, _ := r.cookie(lines) // of no use is as good as none
	before := bitsOf(c.First)
	own, err := r.holds(ctx, before, c, s, now)
	if err != nil {
		return nil, err
	}
	b := before
	if !own {
		b = make(bits, bitsSize)
		_, _ = rand.Read(b) // it never fails
	}
	era := fmt.Sprintf("%0*d", eraSize, s.Refreshes)
	sealed := r.sealer.First(now).SealBytes(session.ForRecord, plaintext, b, []byte(era))
	ctx, cancel := r.limits.bounded(ctx)
	defer cancel()
	if own {
		r.memory.seen.Invalidate(seenKey{r.binding, c})
		kept, err := replace.Run(ctx, r.client, []string{r.record(b)}, era, sealed, left.Milliseconds()).Int()
		if err != nil {
			return nil, unavailable(err)
		}
		if kept == 0 {
			return r.expire(lines), nil
		}
	} else if err := r.begin(ctx, b, before, era+string(sealed), left); err != nil {
		return nil, err
	}
	return append([]string{r.set(r.name, b.value(), left)}, r.expireSecond(lines)...), nil
}

// holds reports whether the bits' record is this session's.
func (r *Redis) holds(ctx context.Context, b bits, c session.Chunks, s *session.Session, now time.Time) (bool, error) {
	if b == nil {
		return false, nil
	}
	e, there := r.memory.seen.GetIfPresent(seenKey{r.binding, c})
	if !there {
		var err error
		if e, err = r.get(ctx, b, now); e == nil {
			return false, err
		}
	}
	return e.session.ID == s.ID, nil
}

// begin writes a first record and deletes the one before it.
func (r *Redis) begin(ctx context.Context, b, before bits, record string, left time.Duration) error {
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, r.record(b), record, left)
		if before != nil {
			p.Del(ctx, r.record(before))
		}
		return nil
	})
	if err != nil {
		return unavailable(err)
	}
	return nil
}

// Delete implements [login.Sessions]. The error is [ErrUnavailable]: the record may
// then live on until its end.
func (r *Redis) Delete(ctx context.Context, s *session.Session, lines []string) ([]string, error) {
	c, _ := r.cookie(lines) // of no use is as good as none
	r.memory.seen.Invalidate(seenKey{r.binding, c})
	err := r.forget(ctx, s, lines)
	if b := bitsOf(c.First); b != nil {
		ctx, cancel := r.limits.bounded(ctx)
		defer cancel()
		if deleting := r.client.Del(ctx, r.record(b)).Err(); deleting != nil {
			err = unavailable(deleting)
		}
	}
	return r.expire(lines), err
}
