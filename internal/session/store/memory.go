package store

import (
	"strings"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

// Memory is what the stores of a process remember: sessions that opened, and
// what became of refreshes. It is one for all, since a route that is read again
// gets a store of its own. Both parts are bounded in bytes, and what does not
// open enters neither, so that made-up cookies push nothing out.
type Memory struct {
	seen      *otter.Cache[seenKey, *seen]
	refreshes refreshes
}

type seenKey struct {
	binding [32]byte
	session.Chunks
}

// seen is a session that opened, by which key and when.
type seen struct {
	session *session.Session
	by      session.KeyID
	at      time.Time
}

// seenOverhead is what an entry takes beside its texts, in bytes, generously.
const seenOverhead = 768

// NewMemory makes a memory of at most that many bytes, more than 0, for sessions
// that opened; refreshes take up to 16 MiB more.
func NewMemory(bytes uint64) *Memory {
	return &Memory{
		seen: otter.Must(&otter.Options[seenKey, *seen]{
			MaximumWeight: bytes,
			Executor:      func(upkeep func()) { upkeep() }, // by whoever writes: it is a few entries' work
			Weigher: func(k seenKey, e *seen) uint32 {
				return uint32(seenOverhead + len(k.First) + len(k.Second) + size(e.session))
			},
		}),
		refreshes: refreshes{running: map[flightKey]*flight{}, known: map[flightKey]outcome{}},
	}
}

// Close ends the memory's own goroutines.
func (m *Memory) Close() { m.seen.StopAllGoroutines() }

// opened remembers a session. The texts may be parts of a larger one, which is
// not kept.
func (m *Memory) opened(binding [32]byte, c session.Chunks, e *seen) {
	m.seen.Set(seenKey{binding, session.Chunks{First: strings.Clone(c.First), Second: strings.Clone(c.Second)}}, e)
}

// size is about what the texts of a session take.
func size(s *session.Session) int {
	if s == nil {
		return 0
	}
	return len(s.AccessToken) + len(s.IDToken) + len(s.RefreshToken) + len(s.SID) + len(s.Subject)
}
