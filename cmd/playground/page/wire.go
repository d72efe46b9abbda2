package page

import (
	"net/netip"
	"sync"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
)

// Wire hears what goes over the runner's socket, and keeps what belongs to a
// connection that is watched.
type Wire struct {
	mu      sync.Mutex
	watched map[netip.AddrPort]*gateway.Exchange
}

// Record is told of every exchange.
func (w *Wire) Record(x gateway.Exchange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, watched := w.watched[x.Client]; watched {
		w.watched[x.Client] = &x
	}
}

// watch keeps the exchanges of a client's connection.
func (w *Wire) watch(client netip.AddrPort) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watched == nil {
		w.watched = map[netip.AddrPort]*gateway.Exchange{}
	}
	w.watched[client] = nil
}

// take is the last exchange of a connection that was watched, nil where the runner
// was not asked, and ends the watching.
func (w *Wire) take(client netip.AddrPort) *gateway.Exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	x := w.watched[client]
	delete(w.watched, client)
	return x
}
