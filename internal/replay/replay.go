// Package replay remembers what may be used once, DPoP proofs (RFC 9449 section
// 11.1) and whatever else has a name, in this process or in a Redis that several
// gateways share. It must not know what a good proof is.
package replay

import (
	"context"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
	ownredis "github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/redis"
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
	perShard = 1 << 14 // about a million in all, some 60 MiB
)

// ErrFull means that the memory holds as much as it may.
var ErrFull = errors.New("replay: too many at once")

// Memory remembers the proofs of this process, and names. Each have room of their
// own: a proof needs a token, and names may come of anybody's requests.
type Memory struct{ proofs, names room }

// room holds hashes until their time.
type room [shards]shard

type shard struct {
	mu    sync.Mutex
	until map[[16]byte]int64 // Unix seconds
	swept int64
}

// NewMemory makes an empty memory. It holds about a million live proofs, and as
// many names; where there are more, further ones are refused rather than old ones
// forgotten.
func NewMemory() *Memory { return &Memory{} }

// First implements [Store].
func (m *Memory) First(ctx context.Context, p dpop.Proof, now time.Time) (bool, error) {
	return m.proofs.first(ctx, "", p.ID, p.Expires, now)
}

// first takes no prefix into account.
func (r *room) first(_ context.Context, _ string, id [16]byte, expires, now time.Time) (bool, error) {
	s := &r[id[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	second := now.Unix()
	if until, there := s.until[id]; there && second < until {
		return false, nil
	}
	if len(s.until) >= perShard && s.swept != second {
		s.swept = second
		for old, until := range s.until {
			if second >= until {
				delete(s.until, old)
			}
		}
	}
	if len(s.until) >= perShard {
		return false, ErrFull
	}
	if s.until == nil {
		s.until = map[[16]byte]int64{}
	}
	s.until[id] = expires.Unix()
	return true, nil
}

// Redis remembers the proofs of all gateways that share it.
type Redis struct{ client redis.UniversalClient }

// NewRedis makes a memory in a Redis. Whoever opened the client closes it.
func NewRedis(client redis.UniversalClient) *Redis { return &Redis{client} }

// First implements [Store].
func (r *Redis) First(ctx context.Context, p dpop.Proof, now time.Time) (bool, error) {
	return r.first(ctx, "auth0-jwt:dpop:", p.ID, p.Expires, now)
}

// first is SET NX with the time to live.
func (r *Redis) first(ctx context.Context, prefix string, id [16]byte, expires, now time.Time) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, ownredis.AtMost)
	defer cancel()
	ttl := max(expires.Sub(now), time.Second)
	err := r.client.SetArgs(ctx, prefix+base64.RawURLEncoding.EncodeToString(id[:]), 1, redis.SetArgs{Mode: "NX", TTL: ttl}).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, err
}
