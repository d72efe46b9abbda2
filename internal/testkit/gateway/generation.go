package gateway

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
)

// generation is what nginx starts anew at a reload: workers, whose caches and
// connections are empty then, and a privileged agent, which has a runner of its
// own where ext-plugin.cmd is set. Routes and shared memory outlive it, and so
// do the tokens that shared memory holds.
type generation struct {
	workers []*worker
	agent   *process // nil with a side-car
	turn    atomic.Uint64
}

func (g *Gateway) newGeneration() (*generation, error) {
	made := &generation{}
	for id := range g.options.Workers {
		made.workers = append(made.workers, &worker{id: uint32(id), gateway: g, tokens: map[string]cachedToken{}})
	}
	if len(g.options.Cmd) == 0 {
		return made, nil
	}
	var err error
	made.agent, err = g.startProcess()
	return made, err
}

// nextWorker spreads requests, not connections, so that one client's requests
// meet every worker's tokens.
func (m *generation) nextWorker() *worker {
	return m.workers[m.turn.Add(1)%uint64(len(m.workers))]
}

// end is what happens to workers and agent that are told to quit: the agent's
// runner gets SIGTERM at once, and idle connections to a runner are closed.
// Requests in flight use their connections to the end.
func (m *generation) end() (cut int) {
	for _, w := range m.workers {
		cut += w.closeConns()
	}
	if m.agent != nil {
		m.agent.stop()
	}
	return cut
}

// Reload is `apisix reload`. The new privileged agent starts its runner while
// the old one still serves; 100 ms later, whatever became of the new runner, the
// old workers and the old agent are told to quit. It returns when
// the old agent's runner has ended.
func (g *Gateway) Reload() error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	next, err := g.newGeneration()
	if err != nil {
		return err
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		next.end()
		return errors.New("gateway: closed")
	}
	g.next = next
	g.mu.Unlock()
	g.log.Print("reload: the new workers serve beside the old ones")
	g.options.Overlap()

	late := next.agent != nil && !next.agent.listened()
	old, cutClients := g.replace(next)
	cutRunner := old.end()
	g.counters.add(func(c *Counts) {
		c.Reloads++
		if late {
			c.LateSuccessors++
		}
		c.CutClientConnections += cutClients
		c.CutRunnerConnections += cutRunner
	})
	g.log.Printf("reload: the old workers quit; %d connections to the runner and %d of clients were cut", cutRunner, cutClients)
	return nil
}

// replace makes next the only generation that new connections come to, and
// closes the old one's clients' connections that wait for another request.
func (g *Gateway) replace(next *generation) (old *generation, cut int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old, g.current, g.next = g.current, next, nil
	for c := range g.clients {
		if c.of != old {
			continue
		}
		c.quitting = true
		if c.served && !c.busy {
			cut++
			_ = c.Close()
		}
	}
	return old, cut
}

// client is a client's connection, which one generation's workers accepted.
type client struct {
	net.Conn
	of *generation

	// The gateway's mutex guards these.
	served   bool // it had a request
	busy     bool // in the middle of one
	quitting bool // its workers were told to quit
}

// remember takes a client's connection in, unless the gateway is closed. While
// a reload has both generations serve, either accepts.
func (g *Gateway) remember(conn net.Conn) (c *client, open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, false
	}
	c = &client{Conn: conn, of: g.current}
	g.accepted++
	if g.next != nil && g.accepted%2 == 0 {
		c.of = g.next
	}
	g.clients[c] = struct{}{}
	return c, true
}

func (g *Gateway) forget(c *client) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.clients, c)
}

// begin reports whether the request whose first byte is there is served; where
// its workers closed the connection meanwhile, it is cut.
func (g *Gateway) begin(c *client) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c.quitting && c.served {
		g.counters.add(func(n *Counts) { n.CutRequests++ })
		return false
	}
	c.busy, c.served = true, true
	return true
}

// quitting reports whether the connection's workers were told to quit: its
// answer is the last.
func (g *Gateway) quitting(c *client) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return c.quitting
}

// rest says that a request was answered, and reports whether the connection
// waits for another.
func (g *Gateway) rest(c *client) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.busy = false
	if c.quitting {
		g.counters.add(func(n *Counts) { n.CutClientConnections++ })
	}
	return !c.quitting
}

// generations are those that serve.
func (g *Gateway) generations() []*generation {
	g.mu.Lock()
	defer g.mu.Unlock()
	serving := []*generation{g.current}
	if g.next != nil {
		serving = append(serving, g.next)
	}
	return serving
}

// awaited reports whether the current agent's runner has not listened yet.
func (g *Gateway) awaited() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.current != nil && g.current.agent != nil && !g.current.agent.seen.Load()
}

// atSocket is what the socket's path leads to; nil where that is nothing.
func (g *Gateway) atSocket() os.FileInfo {
	info, err := os.Lstat(g.socket)
	if err != nil {
		return nil
	}
	return info
}
