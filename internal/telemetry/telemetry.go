// Package telemetry shows an operator how the runner is: metrics, health and
// readiness over HTTP, and a log that never blocks. It must not know how
// anything is decided, and never sees a token or a claim.
package telemetry

import (
	"time"
)

// Decision is how many requests ended with one reason.
type Decision struct {
	Reason string // "forwarded", or why not
	Count  uint64
}

// Provider is the state of one issuer's keys.
type Provider struct {
	Issuer    string    `json:"issuer"`
	Ready     bool      `json:"ready"` // it has usable keys
	KeyIDs    []string  `json:"key_ids"`
	Skipped   int       `json:"keys_skipped"` // keys of the set that are not used
	Fetched   time.Time `json:"fetched,omitzero"`
	LastError string    `json:"last_error,omitempty"` // a kind; never what the issuer wrote
	Failures  int       `json:"failures"`             // in a row
	NextTry   time.Time `json:"next_try,omitzero"`
}

// Cache is the counts of one kind of what is remembered.
type Cache struct {
	Kind                    string // "decision" or "token"
	Hits, Misses, Evictions uint64
	Entries, SizeBytes      uint64
}

// Request is how many requests a plugin left in one way.
type Request struct {
	Plugin  string // "" for a configuration that cannot be used
	Outcome string
	Count   uint64
}

// Runner is what the runner counts, and what it keeps.
type Runner struct {
	Connections, Configurations int
	ConfigurationBytes          int64
	Requests                    []Request

	ConnectionsRefused, ConfigurationEvictions, TokenNotFound, TokenCollisions, Panics, FrameErrors uint64
}

// Revocations are what was revoked before its time.
type Revocations struct {
	Entries int
	Up      bool   // new ones could be heard of in the last 10 s
	Refused uint64 // tokens
	Lost    uint64 // entries that could not be kept
}

// Sessions are what became of browsers.
type Sessions struct {
	Logins    map[string]uint64 // that came back from the issuer, by result
	Refreshed uint64            // sessions that the issuer gave new tokens for
	StoreUp   bool              // the store answered when it was last asked
}

// Build names the binary.
type Build struct{ Version, Commit string }

// Sources are asked anew for every answer.
type Sources struct {
	Decisions       func() []Decision
	Providers       func() []Provider // those in use
	Reported        func() uint64     // rules with report_only that did not hold
	Caches          func() []Cache
	Runner          func() Runner
	LogLinesDropped func() uint64
	Revocations     func() Revocations
	Sessions        func() Sessions
	// Serving is nil as long as the runner serves on its socket, and the
	// socket's path is its own.
	Serving func() error
	Build   Build
}
