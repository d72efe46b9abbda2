package revocation

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// MaxEntries is how many entries a set holds. Beyond it new ones are refused,
// and none is forgotten before its time.
const MaxEntries = 1_000_000

// ErrFull means that a set holds as many entries as it may.
var ErrFull = errors.New("as many revocations are kept as there may be; shorten --revocations-ttl, or revoke a whole client")

const numShards = 1 << 14

// Set is the copy in memory. Look-ups read an immutable part of it through one
// pointer: they take no lock and never wait. Whoever changes a part copies it,
// some sixty entries when the set is full.
type Set struct {
	// version changes after an entry was added: what was looked up before has to
	// be looked up again.
	version  atomic.Uint64
	live     [numKinds]atomic.Int64
	total    atomic.Int64 // with those that were taken back
	span     atomic.Int64 // the longest that an entry is kept, in ms
	max      int64
	shards   [numShards]shard
	filters  filters
	renewing sync.Mutex

	names issuers
}

type shard struct {
	entries atomic.Pointer[map[ID]state]
	mu      sync.Mutex // held by whoever changes entries
}

// state is what is kept of all entries with one ID, in Unix milliseconds.
type state struct {
	before, added, until int64 // of the entry that is live
	takenBack            int64 // entries added until then do not count; 0 is never
	issuer               uint32
	kind                 Kind
	live                 bool
}

// NewSet makes an empty set.
func NewSet() *Set { return newSet(MaxEntries) }

func newSet(most int) *Set {
	return &Set{max: int64(most), names: issuers{names: []string{""}, number: map[string]uint32{}}}
}

// Version is a number that changes when an entry was added: what was not revoked
// at a version is not revoked as long as that is the version. It is 0 as long as
// there was none.
func (s *Set) Version() uint64 { return s.version.Load() }

// Len is the number of entries that are live.
func (s *Set) Len() (n int) {
	for i := range s.live {
		n += int(s.live[i].Load())
	}
	return n
}

// revoked looks one claim up; began is in Unix milliseconds.
func (s *Set) revoked(issuer string, kind Kind, value string, began float64) bool {
	return value != "" && s.live[kind].Load() != 0 && s.holds(IDOf(issuer, kind, value), kind, began)
}

// holds looks an ID up; began is in Unix milliseconds.
func (s *Set) holds(id ID, kind Kind, began float64) bool {
	if f := s.filters.current.Load(); f == nil || !f.mayHold(id) {
		return false
	}
	entries := s.shardOf(id).entries.Load()
	if entries == nil {
		return false
	}
	found, there := (*entries)[id]
	return there && found.live && (!kind.Timed() || began <= float64(found.before))
}

func (s *Set) shardOf(id ID) *shard { return &s.shards[binary.BigEndian.Uint16(id[:])>>2] }

// get is the state of an ID.
func (s *Set) get(id ID) (state, bool) {
	entries := s.shardOf(id).entries.Load()
	if entries == nil {
		return state{}, false
	}
	found, there := (*entries)[id]
	return found, there
}

// apply adds an entry, or takes back. The order in which a feed's entries come
// does not matter where their times differ; of several with one ID the latest
// time and the longest keeping count.
func (s *Set) apply(e Entry, now time.Time) error {
	if e.Until.Before(now) {
		return nil
	}
	h := s.shardOf(e.ID)
	h.mu.Lock()
	defer h.mu.Unlock()
	var old map[ID]state
	if p := h.entries.Load(); p != nil {
		old = *p
	}
	was, there := old[e.ID]
	is := was.merge(e)
	if is == was && there {
		return nil
	}
	if !there && !s.reserve() {
		return ErrFull
	}
	if is.issuer == 0 {
		is.issuer = s.names.intern(e.Issuer)
	}
	next := make(map[ID]state, len(old)+1)
	maps.Copy(next, old)
	next[e.ID] = is
	h.entries.Store(&next)
	s.count(e.Kind, was.live, is.live)
	raise(&s.span, e.Until.UnixMilli()-e.Added.UnixMilli())
	if is.live {
		s.filters.add(e.ID)
		s.version.Add(1)
	}
	return nil
}

// reserve takes room for one more.
func (s *Set) reserve() bool {
	if s.total.Add(1) > s.max {
		s.total.Add(-1)
		return false
	}
	return true
}

func (s *Set) count(kind Kind, was, is bool) {
	switch {
	case is && !was:
		s.live[kind].Add(1)
	case was && !is:
		s.live[kind].Add(-1)
	}
}

func raise(to *atomic.Int64, n int64) {
	for {
		have := to.Load()
		if n <= have || to.CompareAndSwap(have, n) {
			return
		}
	}
}

// merge is the state with one entry more.
func (st state) merge(e Entry) state {
	st.kind = e.Kind
	added, until := e.Added.UnixMilli(), e.Until.UnixMilli()
	switch {
	case e.TakenBack:
		st.takenBack = max(st.takenBack, added)
		if st.live && st.added <= st.takenBack {
			st.live = false
		}
	case added <= st.takenBack:
		return st
	case st.live:
		st.before, st.added = max(st.before, e.Before.UnixMilli()), max(st.added, added)
	default:
		st.live, st.before, st.added = true, e.Before.UnixMilli(), added
	}
	st.until = max(st.until, until)
	return st
}

// entry is a state as it goes over the feed.
func (s *Set) entry(id ID, st state) Entry {
	e := Entry{
		ID: id, Kind: st.kind, Issuer: s.names.name(st.issuer), Until: time.UnixMilli(st.until),
		Before: time.UnixMilli(st.before), Added: time.UnixMilli(st.added),
	}
	if !st.live {
		e.TakenBack, e.Added = true, time.UnixMilli(st.takenBack)
	}
	return e
}

// latest is the time of the last change.
func (st state) latest() int64 { return max(st.added, st.takenBack) }

// forget drops what is kept no longer.
func (s *Set) forget(now time.Time) {
	s.renewing.Lock()
	defer s.renewing.Unlock()
	end, forgotten := now.UnixMilli(), false
	for i := range s.shards {
		h := &s.shards[i]
		if !h.holdsEnded(end) {
			continue
		}
		h.mu.Lock()
		kept := map[ID]state{}
		for id, st := range *h.entries.Load() {
			if st.until >= end {
				kept[id] = st
				continue
			}
			s.count(st.kind, st.live, false)
			s.total.Add(-1)
			forgotten = true
		}
		h.entries.Store(&kept)
		h.mu.Unlock()
	}
	if forgotten {
		s.renew()
	}
}

// holdsEnded reports whether there is anything to forget.
func (h *shard) holdsEnded(end int64) bool {
	if p := h.entries.Load(); p != nil {
		for _, st := range *p {
			if st.until < end {
				return true
			}
		}
	}
	return false
}

// each walks all states, in the order of their IDs, from the one after a given
// one on, until f is false.
func (s *Set) each(after *ID, f func(ID, state) bool) {
	first := 0
	if after != nil {
		first = int(binary.BigEndian.Uint16(after[:]) >> 2)
	}
	for i := first; i < numShards; i++ {
		p := s.shards[i].entries.Load()
		if p == nil {
			continue
		}
		for _, id := range slices.SortedFunc(maps.Keys(*p), func(a, b ID) int { return bytes.Compare(a[:], b[:]) }) {
			if after != nil && bytes.Compare(id[:], after[:]) <= 0 {
				continue
			}
			if !f(id, (*p)[id]) {
				return
			}
		}
	}
}
