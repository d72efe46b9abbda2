package revocation

import (
	"encoding/binary"
	"sync/atomic"
)

// filterBits is 4 MiB. With a million entries, one in thirty look-ups of what was not
// revoked has to read the entries.
const filterBits = 1 << 25

// filter says of most IDs that they are in no set, with one read of memory that
// stays in the processor's cache: the entries do not, and a look-up among a
// million of them takes a microsecond.
type filter [filterBits / 32]atomic.Uint32

func place(id ID) (word, bit uint32) {
	n := binary.BigEndian.Uint32(id[4:]) % filterBits
	return n / 32, 1 << (n % 32)
}

func (f *filter) add(id ID) {
	word, bit := place(id)
	f[word].Or(bit)
}

// mayHold reports whether an ID was added, or another with the same place.
func (f *filter) mayHold(id ID) bool {
	word, bit := place(id)
	return f[word].Load()&bit != 0
}

// filters are the filter in use and the one that is being made in its place.
type filters struct {
	current, next atomic.Pointer[filter]
}

// add is called when the entry is in its shard: whoever makes the next filter
// either has set next before, or walks by the entry later, or has put it in use.
func (f *filters) add(id ID) {
	if next := f.next.Load(); next != nil {
		next.add(id)
	}
	if f.current.Load() == nil {
		f.current.CompareAndSwap(nil, new(filter))
	}
	f.current.Load().add(id)
}

// renew makes a filter without what was forgotten or taken back.
func (s *Set) renew() {
	next := new(filter)
	s.filters.next.Store(next)
	s.each(nil, func(id ID, st state) bool {
		if st.live {
			next.add(id)
		}
		return true
	})
	s.filters.current.Store(next)
	s.filters.next.Store(nil)
}
