package jwks

import (
	"hash/maphash"
	"time"
)

const (
	askEvery     = 10 * time.Second // at most one fetch for unknown kids
	unknownFor   = 30 * time.Second // how long the issuer's no to a kid holds
	unknownAtAll = 1024             // kids remembered
)

// unknownKids remembers which kids the issuer was asked for in vain. Anyone can
// make kids up, so it keeps hashes, and only so many. The provider's mu guards
// it.
type unknownKids struct {
	seed  maphash.Seed
	kids  map[uint64]unknownKid
	askAt time.Time // from here on a kid may start a fetch
}

type unknownKid struct {
	begun uint64    // fetches begun before it was seen
	until time.Time // known to be unknown; zero: no fetch has answered yet
}

// seen notes a kid and reports whether the issuer said no to it lately.
func (u *unknownKids) seen(kid string, begun uint64, now time.Time) bool {
	if u.kids == nil {
		u.seed, u.kids = maphash.MakeSeed(), map[uint64]unknownKid{}
	}
	hash := maphash.String(u.seed, kid)
	entry, there := u.kids[hash]
	if there && entry.until.IsZero() {
		return false
	}
	if there && now.Before(entry.until) {
		return true
	}
	if there || len(u.kids) < unknownAtAll {
		u.kids[hash] = unknownKid{begun: begun}
	}
	return false
}

// mayAsk reports whether a kid may start a fetch now, and takes that turn.
func (u *unknownKids) mayAsk(now time.Time) bool {
	if now.Before(u.askAt) {
		return false
	}
	u.askAt = now.Add(askEvery)
	return true
}

// answered notes a good fetch. It is a no to the kids seen before it began, and
// to no others: those may have been signed with a key published since.
func (u *unknownKids) answered(number uint64, now time.Time) {
	for hash, entry := range u.kids {
		switch {
		case entry.until.IsZero() && entry.begun < number:
			entry.until = now.Add(unknownFor)
			u.kids[hash] = entry
		case !entry.until.IsZero() && !now.Before(entry.until):
			delete(u.kids, hash)
		}
	}
}
