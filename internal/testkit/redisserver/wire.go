package redisserver

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Wire leads to a server, and can be cut. Its methods may be called by any
// goroutine.
type Wire struct {
	// Address is what clients dial.
	Address string

	to  string
	all sync.WaitGroup

	mu    sync.Mutex
	isCut bool
	conns map[net.Conn]bool
}

// StartWire lays a wire to a server, which ends with the test.
func StartWire(t testing.TB, to *Server) *Wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &Wire{Address: l.Addr().String(), to: to.Address, conns: map[net.Conn]bool{}}
	w.all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			w.carry(in)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.Cut()
		w.all.Wait()
	})
	return w
}

func (w *Wire) carry(in net.Conn) {
	out, err := net.Dial("tcp", w.to)
	if err != nil {
		_ = in.Close()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isCut {
		_, _ = in.Close(), out.Close()
		return
	}
	w.conns[in], w.conns[out] = true, true
	for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
		w.all.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_, _ = in.Close(), out.Close()
			w.mu.Lock()
			defer w.mu.Unlock()
			delete(w.conns, way[0])
		})
	}
}

// Cut ends all connections, and lets no new one through until Mend.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = true
	for conn := range w.conns {
		_ = conn.Close()
	}
}

// Mend lets connections through again.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isCut = false
}
