package gate

import "github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"

// Caches are the counts of what is remembered; nothing where nothing is.
func (g *Gate) Caches() []CacheStats {
	if g.cache == nil {
		return nil
	}
	return g.cache.Stats()
}

// Providers are the states of the issuers' keys in use.
func (g *Gate) Providers() []jwks.Status { return g.registry.Statuses() }
