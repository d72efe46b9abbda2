package revocation

import (
	"context"
	"time"
)

// NewSmallSet is a set that holds at most so many.
func NewSmallSet(most int) *Set { return newSet(most) }

// Apply is what the feed does with an entry.
func (s *Set) Apply(e Entry, now time.Time) error { return s.apply(e, now) }

// Forget is the set's upkeep.
func (s *Set) Forget(now time.Time) { s.forget(now) }

// Upkeep is the feed's upkeep, with a stream that is compacted beyond a length.
func (f *Feed) Upkeep(ctx context.Context, streamLen int64) error {
	own := &Feed{opt: f.opt, set: f.set, streamLen: streamLen}
	own.keep.Store(f.keep.Load())
	return own.upkeep(ctx)
}

// StreamKey is where the entries are.
const StreamKey = streamKey
