//go:build race

package store_test

// underRace says that the race detector is on: counting allocations then says
// nothing.
const underRace = true
