package identity

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
)

// nameSet is a set of header names that are equal when folded. The zero set is
// empty.
type nameSet struct {
	folded  map[string]bool
	lengths uint64 // one bit for each length that occurs; the last is for all beyond
}

func lengthBit(n int) uint64 { return 1 << min(n, 63) }

func (s *nameSet) add(name string) {
	if s.folded == nil {
		s.folded = map[string]bool{}
	}
	name = fold.Name(name)
	s.folded[name] = true
	s.lengths |= lengthBit(len(name))
}

// has costs next to nothing for most names: their length occurs in no set.
func (s *nameSet) has(name []byte) bool {
	if s.lengths&lengthBit(len(name)) == 0 && ascii(name) {
		return false
	}
	return s.folded[fold.Name(string(name))]
}

// ascii reports whether folding keeps a name's length: beyond ASCII, letters of
// different lengths are each other's small and capital.
func ascii(name []byte) bool {
	for ; len(name) >= 8; name = name[8:] {
		if binary.LittleEndian.Uint64(name)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range name {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
