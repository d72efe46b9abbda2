package runner

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// kept is one distinct list of plugins with their configurations.
type kept struct {
	digest  digest
	token   uint32
	route   string // that brought it first
	entries []a6.Entry
	size    int64        // of the text, in bytes
	used    atomic.Int64 // Unix seconds of the last use

	ready   chan struct{} // closed when conf is there
	conf    atomic.Pointer[conf]
	reading sync.Mutex   // one reading at a time
	retryAt atomic.Int64 // Unix nanoseconds from which on it is read again; 0 is never
}

// digest names a list of plugins and configurations by its content.
type digest [sha256.Size]byte

// confStore keeps configurations by token. A look-up takes no lock. The token
// is a keyed hash of the content, and not a count: one that APISIX kept from an
// earlier process names the same policy here or none. Whoever writes routes
// does not know the key, and so cannot make a text whose token is another
// route's; what remains is chance, and is logged and counted.
type confStore struct {
	plugins  map[string]*servedPlugin
	max      int
	maxBytes int64
	ttl      time.Duration
	key      []byte
	log      *slog.Logger
	counters *counters

	shards [64]atomic.Pointer[map[uint32]*kept]

	mu       sync.Mutex // of what follows, and for writing shards
	byDigest map[digest]*kept
	bytes    int64
}

func newConfStore(plugins map[string]*servedPlugin, counters *counters, opt Options) *confStore {
	s := &confStore{
		plugins: plugins, max: opt.MaxConfs, maxBytes: opt.MaxConfBytes, ttl: opt.ConfTTL, key: opt.TokenKey,
		log: opt.Logger, counters: counters, byDigest: map[digest]*kept{},
	}
	if s.max == 0 {
		s.max = DefaultMaxConfs
	}
	if s.maxBytes == 0 {
		s.maxBytes = DefaultMaxConfBytes
	}
	if s.key == nil {
		s.key = make([]byte, tokenKeySize)
		_, _ = rand.Read(s.key) // it never fails
	}
	return s
}

func (s *confStore) shard(token uint32) *atomic.Pointer[map[uint32]*kept] {
	return &s.shards[token%uint32(len(s.shards))]
}

// find is what is kept for a token, or nil. It starts a reading that is due.
func (s *confStore) find(token uint32) *kept {
	shard := s.shard(token).Load()
	if shard == nil {
		return nil
	}
	k := (*shard)[token]
	if k == nil {
		return nil
	}
	now := time.Now()
	k.touch(now)
	if at := k.retryAt.Load(); at != 0 && now.UnixNano() >= at && k.retryAt.CompareAndSwap(at, 0) {
		go s.read(k)
	}
	return k
}

// wait is the configuration, once it was read.
func (k *kept) wait() *conf {
	if c := k.conf.Load(); c != nil {
		return c
	}
	<-k.ready
	return k.conf.Load()
}

// touch notes a use, at most once a second so that busy routes do not write
// to memory that all cores read.
func (k *kept) touch(now time.Time) {
	if now := now.Unix(); k.used.Load() != now {
		k.used.Store(now)
	}
}

// kept is how many configurations there are, and the bytes of their text.
func (s *confStore) kept() (n int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.byDigest), s.bytes
}

// prepare gives the token of a configuration, reading it where it is new:
// once, whoever asks at the same time, and without holding up others.
func (s *confStore) prepare(route string, entries []a6.Entry) uint32 {
	k, isNew := s.enter(route, entries)
	if isNew {
		s.read(k)
		close(k.ready)
	}
	<-k.ready
	return k.token
}

// known is the token of a configuration that was read already. It does not
// wait for anybody who changes what is kept: then nothing is known.
func (s *confStore) known(entries []a6.Entry) (token uint32, known bool) {
	d, _ := s.digestOf(entries)
	if !s.mu.TryLock() {
		return 0, false
	}
	defer s.mu.Unlock()
	k := s.byDigest[d]
	if k == nil || k.conf.Load() == nil {
		return 0, false
	}
	k.touch(time.Now())
	return k.token, true
}

func (s *confStore) enter(route string, entries []a6.Entry) (k *kept, isNew bool) {
	d, size := s.digestOf(entries)
	s.mu.Lock()
	defer s.mu.Unlock()
	k = s.byDigest[d]
	if isNew = k == nil; isNew {
		s.makeRoom(size)
		k = &kept{digest: d, token: s.freeToken(d, route), route: route, entries: entries, size: size, ready: make(chan struct{})}
		s.byDigest[d] = k
		s.bytes += size
		s.write(k.token, k)
	}
	k.touch(time.Now())
	return k, isNew
}

// freeToken is the first 32 bits of the digest, or, where another content has
// them, the next that are free. 0 is what a missing token reads as.
func (s *confStore) freeToken(d digest, route string) uint32 {
	collided := false
	for token := binary.BigEndian.Uint32(d[:]); ; token++ {
		if token == 0 {
			continue
		}
		shard := s.shard(token).Load()
		if shard == nil || (*shard)[token] == nil {
			return token
		}
		if !collided {
			collided = true
			s.counters.collisions.Add(1)
			s.log.Error("two configurations share a token by chance; the second one got another. "+
				"Until APISIX forgets its tokens, a restart of the runner could confuse the two: change either configuration",
				"route", route, "other_route", (*shard)[token].route)
		}
	}
}

// write puts k, or with nil nothing, in the place of a token.
func (s *confStore) write(token uint32, k *kept) {
	shard := s.shard(token)
	next := map[uint32]*kept{}
	if old := shard.Load(); old != nil {
		next = maps.Clone(*old)
	}
	if k == nil {
		delete(next, token)
	} else {
		next[token] = k
	}
	shard.Store(&next)
}

// makeRoom drops, where there is no room for one more of that size, the tenth
// used longest ago, and more where that does not suffice. APISIX prepares them
// again when it needs them.
func (s *confStore) makeRoom(size int64) {
	if len(s.byDigest) < s.max && s.bytes+size <= s.maxBytes {
		return
	}
	all := slices.SortedFunc(maps.Values(s.byDigest), func(a, b *kept) int {
		return int(a.used.Load() - b.used.Load())
	})
	for i, k := range all {
		if i >= max(1, s.max/10) && len(s.byDigest) < s.max && s.bytes+size <= s.maxBytes {
			return
		}
		s.drop(k)
	}
}

// dropUnused drops what nobody used for that long.
func (s *confStore) dropUnused(ttl time.Duration) {
	oldest := time.Now().Add(-ttl).Unix()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.byDigest {
		if k.used.Load() < oldest {
			s.drop(k)
		}
	}
}

func (s *confStore) drop(k *kept) {
	delete(s.byDigest, k.digest)
	s.bytes -= k.size
	s.write(k.token, nil)
	s.counters.evictions.Add(1)
}

// sweep drops unused configurations until the server ends.
func (s *Server) sweep(ttl time.Duration) {
	tick := time.NewTicker(max(ttl/10, time.Second))
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
			s.confs.dropUnused(ttl)
		}
	}
}

func (s *confStore) digestOf(entries []a6.Entry) (d digest, bytes int64) {
	h := hmac.New(sha256.New, s.key)
	var size [8]byte
	for _, e := range entries {
		for _, text := range []string{e.Name, e.Value} {
			// Length first, so that no two lists run into the same bytes.
			binary.BigEndian.PutUint64(size[:], uint64(len(text)))
			h.Write(size[:])
			h.Write([]byte(text))
			bytes += int64(len(text))
		}
	}
	return digest(h.Sum(nil)), bytes
}
