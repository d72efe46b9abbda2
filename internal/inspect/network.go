package inspect

import (
	"net/netip"
	"net/url"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
)

// unreachable warns of issuers whose URL names an address that the operator's
// settings refuse. Names are not resolved: here they may mean something else
// than where the runner is.
func (r *Report) unreachable(path string, c *config.Config, opt config.Options) {
	if opt.AllowInsecure {
		return
	}
	guard := fetch.NewGuard(opt.AllowNetworks)
	for _, i := range c.Issuers {
		for _, fetched := range []string{i.DiscoveryURL, i.JWKSURI} {
			u, err := url.Parse(fetched)
			if err != nil {
				continue
			}
			if address, err := netip.ParseAddr(u.Hostname()); err == nil && !guard.Allows(address) {
				r.warn(path, address.String()+" is not a public address: keys are fetched from there only by a runner with --allow-network")
			}
		}
	}
}
