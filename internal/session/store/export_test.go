package store

import "time"

// RenewAt has a store's leases renewed when a tick comes, and not by the clock;
// renewed is told of each.
func (b *base) RenewAt(ticks <-chan time.Time, renewed func()) {
	b.lease.every = func() (<-chan time.Time, func()) { return ticks, func() {} }
	b.lease.renewed = renewed
}

// Patient lets a store wait long, so that no slow machine fails a test.
func (b *base) Patient() {
	b.limits = limits{redis: time.Minute, refresh: 5 * time.Minute, lease: 5 * time.Minute}
	if b.lease != nil {
		b.lease.limits = b.limits
	}
}

// KnownRefreshes is how many outcomes of refreshes are remembered, and their size.
func (m *Memory) KnownRefreshes() (entries, bytes int) {
	m.refreshes.mu.Lock()
	defer m.refreshes.mu.Unlock()
	return len(m.refreshes.known), m.refreshes.bytes
}

// Running is how many refreshes are under way.
func (m *Memory) Running() int {
	m.refreshes.mu.Lock()
	defer m.refreshes.mu.Unlock()
	return len(m.refreshes.running)
}
