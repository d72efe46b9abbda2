package gate

// SameLogin reports whether two routes share a login.
func SameLogin(a, b *Route) bool { return a.flow == b.flow }

// KeepsIDToken reports whether sessions of a route's login keep the ID token.
func KeepsIDToken(r *Route) bool { return r.flow.keepsIDToken.Load() }

// Flows is the number of logins that are remembered.
func Flows(g *Gate) int {
	g.flows.mu.Lock()
	defer g.flows.mu.Unlock()
	return len(g.flows.held)
}
