package gate

// Flows is how many logins are held, those included that nobody uses any more and
// that are not forgotten yet.
func (g *Gate) Flows() int {
	g.flows.mu.Lock()
	defer g.flows.mu.Unlock()
	return len(g.flows.held)
}
