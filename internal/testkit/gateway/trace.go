package gateway

import (
	"net/netip"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// Exchange is one request as a runner was shown it, and what the runner answered.
type Exchange struct {
	Client netip.AddrPort // of the client's connection, which tells requests apart
	Shown  a6.Request
	Answer a6.Answer // with neither Stop nor Rewrite the request continues as it is
}
