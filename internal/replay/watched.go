package replay

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/dpop"
)

// Watched is a memory whose changes between answering and failing are logged,
// one line each.
type Watched struct {
	Store

	Logger  *slog.Logger
	failing atomic.Bool
}

// First implements [Store].
func (w *Watched) First(ctx context.Context, p dpop.Proof, now time.Time) (bool, error) {
	first, err := w.Store.First(ctx, p, now)
	switch {
	case err != nil && ctx.Err() != nil: // the request ended, and says nothing of the memory
	case err != nil && w.failing.CompareAndSwap(false, true):
		w.Logger.Error("the memory of DPoP proofs cannot be asked; requests with a token bound to a DPoP key are denied until it can: see --redis-url", "error", err.Error())
	case err == nil && w.failing.CompareAndSwap(true, false):
		w.Logger.Info("the memory of DPoP proofs answers again")
	}
	return first, err
}
