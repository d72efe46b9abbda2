package auth0jwt

import (
	"context"
	"strconv"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
)

// body asks APISIX for a request's body. APISIX sends all of it, whatever it is
// asked for, so that what Content-Length says is looked at before.
func body(req gate.Request, read func() ([]byte, error), limit int) ([]byte, error) {
	for i := range req.NumHeader() {
		if !fold.Equal(req.HeaderName(i), "content-length") {
			continue
		}
		if n, err := strconv.ParseUint(req.HeaderValue(i), 10, 63); err != nil || n > uint64(limit) {
			return nil, login.ErrBodyTooLarge
		}
	}
	all, err := read()
	if err == nil && len(all) > limit {
		return nil, login.ErrBodyTooLarge
	}
	return all, err
}

func (v *frameView) Body(_ context.Context, limit int) ([]byte, error) {
	return body(v, v.r.Body, limit)
}

func (v *mapView) Body(_ context.Context, limit int) ([]byte, error) {
	return body(v, v.r.Body, limit)
}
