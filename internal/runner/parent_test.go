package runner_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

func TestOnlyAParentThatWasThereCanGo(t *testing.T) {
	for _, tt := range []struct {
		name       string
		first, now int
		ends       bool
	}{
		{"the parent stays", 100, 100, false},
		{"the parent was killed", 100, 1, true},
		{"the parent was killed and another adopts", 100, 50, true},
		{"started by init", 1, 1, false},
		{"init itself", 0, 0, false},
		{"the first process of a container that something enters", 0, 7, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ppid atomic.Int64
				ppid.Store(int64(tt.first))
				ctx, cancel := runner.WithParent(context.Background(), func() int { return int(ppid.Load()) })
				defer cancel()
				<-time.After(time.Hour)
				if ctx.Err() != nil {
					t.Fatal("it ends at once")
				}
				ppid.Store(int64(tt.now))
				<-time.After(2 * time.Second)
				if ended := ctx.Err() != nil; ended != tt.ends {
					t.Errorf("ended: %v", ended)
				}
			})
		})
	}
}
