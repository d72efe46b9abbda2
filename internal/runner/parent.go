package runner

import (
	"context"
	"time"
)

// parentEvery is how often it is looked who the parent is.
const parentEvery = time.Second

// WithParent is a context that ends when the parent that there was at first is
// gone: an APISIX that was killed cannot end its runner. Linux's signal at a
// parent's death comes when the parent's thread ends, and is of no use here.
// A process that init started, or that is one itself, as in a container, has no
// such parent. ppid is [os.Getppid].
func WithParent(ctx context.Context, ppid func() int) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	first := ppid()
	if first <= 1 {
		return ctx, cancel
	}
	go func() {
		tick := time.NewTicker(parentEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if ppid() != first {
					cancel()
				}
			}
		}
	}()
	return ctx, cancel
}
