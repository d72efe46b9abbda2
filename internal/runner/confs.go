package runner

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// conf is one distinct list of plugins with their configurations.
type conf struct {
	digest digest
	token  uint32
	used   atomic.Int64 // Unix seconds of the last use

	compiled atomic.Bool
	ready    chan struct{} // closed when compiled; what follows stands then
	steps    []step
	denies   bool // a step could not be made: no request is let through
}

type step struct {
	plugin plugin.Plugin
	conf   any
}

// digest names a list of plugins and configurations by its content.
type digest [sha256.Size]byte

// confStore keeps configurations by token. A look-up takes no lock. The token
// is a hash of the content, and not a count: one that APISIX kept from an
// earlier process names the same policy here or none, but never another
// route's, as long as no two contents of one deployment share 32 bits of
// SHA-256.
type confStore struct {
	plugins map[string]plugin.Plugin
	max     int
	ttl     time.Duration
	log     *slog.Logger
	now     func() time.Time

	shards [64]atomic.Pointer[map[uint32]*conf]

	mu       sync.Mutex // of what follows, and for writing shards
	byDigest map[digest]*conf
}

func newConfStore(plugins map[string]plugin.Plugin, opt Options) *confStore {
	return &confStore{
		plugins: plugins, max: opt.MaxConfs, ttl: opt.ConfTTL, log: opt.Logger,
		now: time.Now, byDigest: map[digest]*conf{},
	}
}

func (s *confStore) shard(token uint32) *atomic.Pointer[map[uint32]*conf] {
	return &s.shards[token%uint32(len(s.shards))]
}

// lookup is the configuration of a token, or nil.
func (s *confStore) lookup(token uint32) *conf {
	shard := s.shard(token).Load()
	if shard == nil {
		return nil
	}
	c := (*shard)[token]
	if c == nil {
		return nil
	}
	s.touch(c)
	if !c.compiled.Load() {
		<-c.ready
	}
	return c
}

// touch notes a use, at most once a second so that busy routes do not write
// to memory that all cores read.
func (s *confStore) touch(c *conf) {
	if now := s.now().Unix(); c.used.Load() != now {
		c.used.Store(now)
	}
}

func (s *confStore) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byDigest)
}

// prepare gives the token of a configuration, compiling it where it is new:
// once, whoever asks at the same time, and without holding up others.
func (s *confStore) prepare(key string, entries []a6.Entry) uint32 {
	c, isNew := s.enter(digestOf(entries))
	if isNew {
		c.steps, c.denies = s.steps(key, entries)
		c.compiled.Store(true)
		close(c.ready)
	}
	<-c.ready
	return c.token
}

func (s *confStore) enter(d digest) (c *conf, isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c = s.byDigest[d]
	if isNew = c == nil; isNew {
		s.makeRoom()
		c = &conf{digest: d, token: s.freeToken(d), ready: make(chan struct{})}
		s.byDigest[d] = c
		s.write(c.token, c)
	}
	s.touch(c)
	return c, isNew
}

// freeToken is the first 32 bits of the digest, or, where another content has
// them, the next that are free. 0 is what a missing token reads as.
func (s *confStore) freeToken(d digest) uint32 {
	for token := binary.BigEndian.Uint32(d[:]); ; token++ {
		shard := s.shard(token).Load()
		if token != 0 && (shard == nil || (*shard)[token] == nil) {
			return token
		}
	}
}

// write puts c, or with nil nothing, in the place of a token.
func (s *confStore) write(token uint32, c *conf) {
	shard := s.shard(token)
	next := map[uint32]*conf{}
	if old := shard.Load(); old != nil {
		next = maps.Clone(*old)
	}
	if c == nil {
		delete(next, token)
	} else {
		next[token] = c
	}
	shard.Store(&next)
}

// makeRoom lets go, where there is no room left, the tenth used longest ago
// and all that nobody used for the time to live. APISIX prepares them again
// when it needs them.
func (s *confStore) makeRoom() {
	if len(s.byDigest) < s.max {
		return
	}
	all := slices.SortedFunc(maps.Values(s.byDigest), func(a, b *conf) int {
		return int(a.used.Load() - b.used.Load())
	})
	oldest := s.now().Add(-s.ttl).Unix()
	leaving := max(1, s.max/10)
	for i, c := range all {
		if i >= leaving && (s.ttl == 0 || c.used.Load() >= oldest) {
			break
		}
		delete(s.byDigest, c.digest)
		s.write(c.token, nil)
	}
}

// steps reads every configuration with its plugin. A route whose plugins
// cannot all run lets nothing through: which one was left out is not for the
// runner to judge.
func (s *confStore) steps(key string, entries []a6.Entry) (steps []step, denies bool) {
	log := s.log.With("route", key)
	if len(entries) == 0 {
		log.Error("the route's ext-plugin block names no plugin; the route denies every request",
			"remedy", `write "conf": [{"name": "…", "value": "…"}]`)
		return nil, true
	}
	for _, e := range entries {
		p, known := s.plugins[e.Name]
		if !known {
			log.Error("the route names a plugin that this runner does not have; the route denies every request",
				"plugin", e.Name, "known", strings.Join(slices.Sorted(maps.Keys(s.plugins)), ", "))
			return nil, true
		}
		c, err := parse(p, e.Value)
		if err != nil {
			log.Error("a plugin cannot use its configuration; the route denies every request",
				"plugin", e.Name, "error", err.Error())
			return nil, true
		}
		steps = append(steps, step{p, c})
	}
	return steps, false
}

func parse(p plugin.Plugin, value string) (c any, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("panic: %T", caught)
		}
	}()
	return p.ParseConf([]byte(value))
}

func digestOf(entries []a6.Entry) digest {
	h := sha256.New()
	var size [8]byte
	for _, e := range entries {
		for _, text := range []string{e.Name, e.Value} {
			// Length first, so that no two lists run into the same bytes.
			binary.BigEndian.PutUint64(size[:], uint64(len(text)))
			h.Write(size[:])
			h.Write([]byte(text))
		}
	}
	return digest(h.Sum(nil))
}

// panicked logs a panic of a plugin: where, and never with what, which may be
// a token.
func (s *Server) panicked(name string, caught any) {
	s.log.Error("a plugin panicked; the request was denied",
		"plugin", name, "panic", fmt.Sprintf("%T", caught), "stack", string(debug.Stack()))
}
