//go:build race

package gate_test

// underRace says that the race detector is on: a sync.Pool then gives memory
// away at random, and counting allocations says nothing.
const underRace = true
