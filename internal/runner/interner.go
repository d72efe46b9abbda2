package runner

import (
	"hash/maphash"
)

// interner gives one string for equal bytes, so that the next request with the
// same header costs no memory. Plugins may keep what it gave: strings never
// change, and the frame they came from may. Only what came with a request that
// passed is kept, so that refused tokens neither stay nor push others out.
type interner struct {
	short [256]string
	long  [32]string
	fresh []placed // of this exchange
}

// placed is a string and where it goes.
type placed struct {
	slot *string
	text string
}

const (
	// The longest texts that are kept, in bytes. Nearly all headers are short;
	// the longest token there may be, with its scheme, still is a long one.
	maxShort = 2 << 10
	maxLong  = 17 << 10
	// maxFresh bounds what is kept of one exchange.
	maxFresh = 64
)

var internSeed = maphash.MakeSeed()

func (n *interner) string(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > maxLong {
		return string(b)
	}
	slots := n.short[:]
	if len(b) > maxShort {
		slots = n.long[:]
	}
	// Two places for each text: few headers of a connection are in each other's
	// way.
	hash := maphash.Bytes(internSeed, b)
	first, second := &slots[hash%uint64(len(slots))], &slots[hash>>32%uint64(len(slots))]
	switch {
	case *first == string(b):
		return *first
	case *second == string(b):
		return *second
	case *first != "" && *second == "":
		first = second
	}
	for i := range n.fresh {
		if n.fresh[i].text == string(b) {
			return n.fresh[i].text
		}
	}
	text := string(b)
	if len(n.fresh) < maxFresh {
		n.fresh = append(n.fresh, placed{first, text})
	}
	return text
}

// keep keeps what this exchange brought.
func (n *interner) keep() {
	for i := range n.fresh {
		*n.fresh[i].slot = n.fresh[i].text
	}
	n.forget()
}

// forget drops what this exchange brought.
func (n *interner) forget() {
	clear(n.fresh)
	n.fresh = n.fresh[:0]
}
