package main

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener in memory.
type pipes chan net.Conn

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (p pipes) Close() error   { return nil }

func (p pipes) Accept() (net.Conn, error) { return <-p, nil }

func TestALimitedListenerTakesOneMoreWhenOneEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		incoming := make(pipes, 3)
		for range 3 {
			ours, theirs := net.Pipe()
			defer ours.Close()
			incoming <- theirs
		}
		l := newLimited(incoming, 2)
		accepted := make(chan net.Conn, 3)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				accepted <- c
			}
		}()
		synctest.Wait()
		if n := len(accepted); n != 2 {
			t.Fatalf("%d connections at a time", n)
		}
		first := <-accepted
		first.Close()
		first.Close() // it counts once
		synctest.Wait()
		if n := len(accepted); n != 2 {
			t.Errorf("%d connections after one ended", n)
		}
		l.Close()
	})
}

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
				ctx, cancel := withParent(context.Background(), func() int { return int(ppid.Load()) })
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
