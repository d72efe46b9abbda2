package replay

import (
	"context"
	"crypto/sha256"
	"time"
)

// Once remembers names of things that may be used once: the states of logins,
// and the jti of logout tokens. A name is kept as a hash.
type Once struct {
	in interface {
		first(ctx context.Context, prefix string, id [16]byte, expires, now time.Time) (bool, error)
	}
}

// Once is a memory of names in this process.
func (m *Memory) Once() *Once { return &Once{&m.names} }

// Once is a memory of names that all gateways share.
func (r *Redis) Once() *Once { return &Once{r} }

// First reports whether id was not seen before, and notes it until expires. An
// error means that nobody knows. Two uses of one memory keep apart by what their
// names begin with.
func (o *Once) First(ctx context.Context, id string, expires, now time.Time) (bool, error) {
	sum := sha256.Sum256([]byte("once " + id))
	return o.in.first(ctx, "auth0-jwt:once:", [16]byte(sum[:16]), expires, now)
}
