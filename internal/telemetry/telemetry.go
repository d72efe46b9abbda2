// Package telemetry shows an operator how the runner is: metrics, health and
// readiness over HTTP, and a log that never blocks. It must not know how
// anything is decided, and never sees a token or a claim.
package telemetry

import (
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/latency"
)

// Decision is how many requests of the routes of one name ended with one reason.
type Decision struct {
	Route  string // the name in the configurations; "" for all that have none
	Reason string // "forwarded", or why not
	Count  uint64
}

// Report is how often a rule with report_only would have denied a request.
type Report struct {
	Route string
	Rule  int // in the configuration's order, from 0
	Count uint64
}

// Duration is how long the decisions with one outcome took.
type Duration struct {
	Outcome string
	latency.Snapshot
}

// Login is how many logins came back from the issuer with one result.
type Login struct {
	Result string
	Count  uint64
}

// Sessions are what is counted of logins and sessions.
type Sessions struct {
	Logins    []Login
	Refreshed uint64
	StoreUp   bool // the store answered when it was last asked, or there is none to ask
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

// Build names the binary.
type Build struct{ Version, Commit string }

// Sources are asked anew for every answer.
type Sources struct {
	Decisions       func() []Decision
	Providers       func() []Provider // those in use
	Reports         func() []Report   // rules with report_only that did not hold
	Durations       func() []Duration // of decisions
	Sessions        func() Sessions
	Caches          func() []Cache
	Runner          func() Runner
	LogLinesDropped func() uint64
	Revocations     func() Revocations
	// Serving is nil as long as the runner serves on its socket, and the
	// socket's path is its own.
	Serving func() error
	Build   Build
}
