// Package replay remembers which DPoP proofs were seen (RFC 9449 section 11.1),
// in this process or in a Redis that several gateways share. It must not know
// what a good proof is.
package replay

import (
	"context"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
)

// Store remembers proofs until they are too old to be taken (RFC 9449 section
// 11.1).
type Store interface {
	// First reports whether a proof was not seen before, and notes it. An error
	// means that nobody knows; the request is then refused, and its client may
	// try again with a new proof.
	First(ctx context.Context, p dpop.Proof, now time.Time) (bool, error)
}

const (
	shards   = 64
	perShard = 1 << 14 // about a million proofs in all, some 60 MiB
)

// ErrFull means that the memory holds as many live proofs as it may.
var ErrFull = errors.New("replay: too many proofs at once")

// Memory remembers the proofs of this process.
type Memory struct{ shards [shards]shard }

type shard struct {
	mu    sync.Mutex
	until map[dpop.ID]int64 // Unix seconds
	swept int64
}

// NewMemory makes an empty memory. It holds about a million live proofs; where
// there are more, further ones are refused rather than old ones forgotten.
func NewMemory() *Memory { return &Memory{} }

// First implements [Store].
func (m *Memory) First(_ context.Context, p dpop.Proof, now time.Time) (bool, error) {
	s := &m.shards[p.ID[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	second := now.Unix()
	if until, there := s.until[p.ID]; there && second < until {
		return false, nil
	}
	if len(s.until) >= perShard && s.swept != second {
		s.swept = second
		for id, until := range s.until {
			if second >= until {
				delete(s.until, id)
			}
		}
	}
	if len(s.until) >= perShard {
		return false, ErrFull
	}
	if s.until == nil {
		s.until = map[dpop.ID]int64{}
	}
	s.until[p.ID] = p.Expires.Unix()
	return true, nil
}

// Unavailable is a memory that cannot be asked: every proof is refused.
type Unavailable struct{ Err error }

// First implements [Store].
func (u Unavailable) First(context.Context, dpop.Proof, time.Time) (bool, error) { return false, u.Err }

// redisAtMost bounds the wait for Redis on a request's path.
const redisAtMost = 500 * time.Millisecond

// Redis remembers the proofs of all gateways that share it.
type Redis struct{ client *redis.Client }

// NewRedis makes a memory in the Redis of a redis:// or rediss:// URL. It does
// not connect yet. The error does not repeat the URL, which may hold a
// password.
func NewRedis(url string) (*Redis, error) {
	opt, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("want redis://[USER:PASSWORD@]HOST:PORT/DB, or rediss:// for TLS")
	}
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = redisAtMost, redisAtMost, redisAtMost
	opt.PoolTimeout = redisAtMost
	opt.ContextTimeoutEnabled = true
	opt.DialerRetries = 1
	opt.MaxRetries = -1        // a second SET NX would find the first one's key
	redis.SetLogger(silence{}) // it would write to standard error; errors reach the caller
	return &Redis{redis.NewClient(opt)}, nil
}

type silence struct{}

// Printf implements the logger of go-redis.
func (silence) Printf(context.Context, string, ...any) {}

// First implements [Store]: SET NX with the proof's time to live.
func (r *Redis) First(ctx context.Context, p dpop.Proof, now time.Time) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisAtMost)
	defer cancel()
	ttl := max(p.Expires.Sub(now), time.Second)
	err := r.client.SetArgs(ctx, "auth0-jwt:dpop:"+base64.RawURLEncoding.EncodeToString(p.ID[:]), 1, redis.SetArgs{Mode: "NX", TTL: ttl}).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, err
}

// Close ends the connections.
func (r *Redis) Close() error { return r.client.Close() }
