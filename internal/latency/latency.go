// Package latency counts how long things took, cheaply enough for every
// request: one look-up, and two additions to memory that processors seldom
// share. It knows nothing of what took so long, or of who reads the counts.
package latency

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// Schema is the resolution of the native buckets: each ends 2^(2^-Schema) times
// where the one before it does, which is 9 % later.
const Schema = 3

// numStripes is how many processors can count without being in each other's
// way.
const numStripes = 8

// classic are the upper bounds of the classic buckets, from 10 us to a minute,
// which is longer than APISIX waits for an answer.
var classic = []time.Duration{
	10 * time.Microsecond, 25 * time.Microsecond, 50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 60 * time.Second,
}

// The native buckets go from about a microsecond to 64 s: what is not longer than
// the first bound counts as 0, and what is longer than the last one is counted in
// the bucket after it.
const (
	firstNative = -20 << Schema
	lastNative  = 6 << Schema
)

// cells are the finest parts that both kinds of bucket are made of: no bound of
// either kind is inside one. The last cell has no end.
var cells, startOf = layout()

// cell is the durations up to a bound, from that of the cell before it.
type cell struct {
	upTo    time.Duration
	native  int // index of its native bucket; firstNative counts as 0
	classic int // index of its classic bucket; len(classic) is +Inf
}

func layout() (cells []cell, startOf [65]uint8) {
	bounds := slices.Clone(classic)
	native := make([]time.Duration, 0, lastNative-firstNative+1)
	for i := firstNative; i <= lastNative; i++ {
		native = append(native, upperBound(i))
	}
	bounds = append(bounds, native...)
	slices.Sort(bounds)
	for _, bound := range append(slices.Compact(bounds), math.MaxInt64) {
		inClassic, _ := slices.BinarySearch(classic, bound)
		inNative, _ := slices.BinarySearch(native, bound)
		cells = append(cells, cell{upTo: bound, classic: inClassic, native: firstNative + inNative})
	}
	for n := range startOf {
		least := time.Duration(0) // that has so many bits
		if n > 0 {
			least = time.Duration(1) << (n - 1)
		}
		nth, _ := slices.BinarySearchFunc(cells, least, func(c cell, d time.Duration) int { return int(min(max(c.upTo-d, -1), 1)) })
		startOf[n] = uint8(min(nth, len(cells)-1))
	}
	return cells, startOf
}

// upperBound is where a native bucket ends, in whole nanoseconds.
func upperBound(index int) time.Duration {
	return time.Duration(math.Exp2(float64(index)/(1<<Schema)) * 1e9)
}

func cellOf(d time.Duration) int {
	i := int(startOf[bits.Len64(uint64(max(d, 0)))])
	for cells[i].upTo < d {
		i++
	}
	return i
}

// maxCells is more than there are: an array needs a constant.
const maxCells = 256

// Histogram counts durations. The zero value is empty and ready. Its methods may
// be called by any goroutine; Observe never waits and allocates nothing.
type Histogram struct {
	stripes [numStripes]struct {
		sum   atomic.Int64 // nanoseconds
		cells [maxCells]atomic.Uint64
		_     [56]byte
	}
}

// Observe counts one duration; less than 0 counts as 0.
func (h *Histogram) Observe(d time.Duration) {
	stripe := &h.stripes[rand.Uint32()%numStripes]
	stripe.cells[cellOf(d)].Add(1)
	stripe.sum.Add(int64(max(d, 0)))
}

// Snapshot is what a histogram has counted so far.
type Snapshot struct {
	Count uint64
	Sum   float64 // seconds
	// Classic are the classic buckets: how many took at most so many seconds.
	Classic map[float64]uint64
	// Native are the native buckets by their index: how many are in each. Zero is
	// how many took [Snapshot].ZeroThreshold seconds or less.
	Native        map[int]int64
	Zero          uint64
	ZeroThreshold float64
}

// Snapshot reads the counts.
func (h *Histogram) Snapshot() Snapshot {
	s := Snapshot{Classic: map[float64]uint64{}, Native: map[int]int64{}, ZeroThreshold: math.Exp2(firstNative >> Schema)}
	var inClassic [64]uint64
	var sum int64
	for i := range h.stripes {
		sum += h.stripes[i].sum.Load()
	}
	for n, c := range cells {
		var count uint64
		for i := range h.stripes {
			count += h.stripes[i].cells[n].Load()
		}
		if count == 0 {
			continue
		}
		s.Count += count
		inClassic[c.classic] += count
		if c.native == firstNative {
			s.Zero += count
		} else {
			s.Native[c.native] += int64(count)
		}
	}
	s.Sum = time.Duration(sum).Seconds()
	var upTo uint64
	for i, bound := range classic {
		upTo += inClassic[i]
		s.Classic[bound.Seconds()] = upTo
	}
	return s
}
