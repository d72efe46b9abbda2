package main

import (
	"net"
	"testing"
	"testing/synctest"
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
