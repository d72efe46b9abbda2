package page

import (
	"encoding/json"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// startAnswer is what the page needs to begin.
type startAnswer struct {
	Gateway       string          `json:"gateway"`
	Issuer        string          `json:"issuer"`
	OtherIssuer   string          `json:"otherIssuer"`
	Upstream      string          `json:"upstream"`
	APISIX        string          `json:"apisix"`
	RunnerVersion string          `json:"runnerVersion"`
	Schema        json.RawMessage `json:"schema"`
	Examples      []example       `json:"examples"`
	Variants      []variant       `json:"variants"`
}

func newStart(site Site) startAnswer {
	return startAnswer{
		Gateway: site.Gateway, Issuer: site.Issuer, OtherIssuer: site.OtherIssuer, Upstream: site.Upstream,
		APISIX: site.APISIX, RunnerVersion: site.RunnerVersion,
		Schema: config.Schema, Examples: examples(site), Variants: variants,
	}
}
