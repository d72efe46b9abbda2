package jwks

import "time"

// Status is the state of a provider, for metrics and health.
type Status struct {
	Issuer     string
	KeyIDs     []string // kids of the usable keys, in the set's order; "" for a key without
	Skipped    int      // keys of the set that are not used
	Generation uint64   // 0: no keys yet
	Fetched    time.Time
	LastError  string // a Failed… constant; "" after a good fetch
	Failures   int    // fetches that failed since the last good one
	NextTry    time.Time
	Ready      bool // there are keys, and they are not too old
}

// Status tells how the provider is. It does not count as a use.
func (p *Provider) Status() Status {
	s := Status{Issuer: p.source.Issuer}
	if set := p.set.Load(); set != nil {
		s.Skipped, s.Generation, s.Fetched = set.skipped, set.generation, set.fetched
		for _, key := range set.keys {
			s.KeyIDs = append(s.KeyIDs, key.ID())
		}
	}
	s.Ready = p.usable(time.Now()) != nil
	p.mu.Lock()
	defer p.mu.Unlock()
	s.LastError, s.Failures, s.NextTry = p.failed, p.failures, p.due
	return s
}
