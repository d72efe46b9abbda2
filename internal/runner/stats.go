package runner

import (
	"sync/atomic"
)

// Outcome is how a plugin left a request.
type Outcome string

// The outcomes. Denied is the runner's own: a configuration that cannot be
// used, and counted without a plugin.
const (
	Passed  Outcome = "passed"
	Stopped Outcome = "stopped"
	Failed  Outcome = "failed"
	Denied  Outcome = "denied"
)

// RequestCount is how many requests a plugin left in one way.
type RequestCount struct {
	Plugin  string // "" with Denied
	Outcome Outcome
	Count   uint64
}

// Stats are a server's counts since its start, and what it keeps now.
type Stats struct {
	Connections, Configurations int
	ConfigurationBytes          int64 // of their text

	Requests               []RequestCount
	ConnectionsRefused     uint64 // beyond Options.MaxConnections
	ConfigurationEvictions uint64
	TokenNotFound          uint64
	TokenCollisions        uint64 // two configurations whose hashes share their token
	Panics                 uint64
	FrameErrors            uint64
}

type counters struct {
	connectionsRefused, evictions, tokenNotFound, collisions, panics, frameErrors atomic.Uint64

	denied atomic.Uint64
}

// stripes keep connections from writing to the same memory.
const stripes = 16

// tally counts how a plugin left requests.
type tally [stripes]struct {
	passed, stopped, failed atomic.Uint64
	_                       [40]byte
}

func (t *tally) sum() (passed, stopped, failed uint64) {
	for i := range t {
		passed += t[i].passed.Load()
		stopped += t[i].stopped.Load()
		failed += t[i].failed.Load()
	}
	return passed, stopped, failed
}

var lastStripe atomic.Uint32

func nextStripe() int { return int(lastStripe.Add(1) % stripes) }

// Stats are the counts so far.
func (s *Server) Stats() Stats {
	confs, bytes := s.confs.kept()
	stats := Stats{
		Connections: s.Connections(), Configurations: confs, ConfigurationBytes: bytes,
		Requests:               []RequestCount{{"", Denied, s.counters.denied.Load()}},
		ConnectionsRefused:     s.counters.connectionsRefused.Load(),
		ConfigurationEvictions: s.counters.evictions.Load(),
		TokenNotFound:          s.counters.tokenNotFound.Load(),
		TokenCollisions:        s.counters.collisions.Load(),
		Panics:                 s.counters.panics.Load(),
		FrameErrors:            s.counters.frameErrors.Load(),
	}
	for name, p := range s.plugins {
		passed, stopped, failed := p.tally.sum()
		stats.Requests = append(stats.Requests,
			RequestCount{name, Passed, passed}, RequestCount{name, Stopped, stopped}, RequestCount{name, Failed, failed})
	}
	return stats
}

// Configurations is the number of configurations kept.
func (s *Server) Configurations() int {
	n, _ := s.confs.kept()
	return n
}

// Connections is the number of connections being served.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}
