package issuer

import "context"

// Counters are the requests since the start, those that met a fault included.
type Counters struct {
	Discovery  int `json:"discovery"`
	JWKS       int `json:"jwks"`
	Authorize  int `json:"authorize"`
	PAR        int `json:"par"`
	Token      int `json:"token"`    // of every grant type
	Exchange   int `json:"exchange"` // those of Token that redeem a code
	Refresh    int `json:"refresh"`  // those of Token that redeem a refresh token
	UserInfo   int `json:"userinfo"`
	Revocation int `json:"revocation"`
	Logout     int `json:"logout"` // of browsers, at /oidc/logout and /v2/logout
	Mint       int `json:"mint"`   // over HTTP only

	Logins       int `json:"logins"`        // that a person or [Headless] did
	Reuse        int `json:"reuse"`         // refresh tokens that came again when they must not
	LogoutTokens int `json:"logout_tokens"` // sent to applications
}

// Counters are the requests so far.
func (i *Issuer) Counters() Counters {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.counters
}

// Await returns when enough holds of the counters, such as a request that a
// fault keeps waiting. The error is the context's.
func (i *Issuer) Await(ctx context.Context, enough func(Counters) bool) error {
	for {
		i.mu.Lock()
		counters, counted := i.counters, i.counted
		i.mu.Unlock()
		if enough(counters) {
			return nil
		}
		select {
		case <-counted:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// count adds one to a counter; at points into i.counters.
func (i *Issuer) count(at *int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	*at++
	close(i.counted)
	i.counted = make(chan struct{})
}
