package runner

import (
	"errors"
	"time"
)

// watchEvery is how often a server looks whether its socket's path is still its
// own.
const watchEvery = time.Second

var errNotServing = errors.New("the runner does not serve")

// Check is nil as long as the server accepts connections, and where its
// listener is a Listener, the path is still its own.
func (s *Server) Check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() || len(s.listeners) == 0 {
		return errNotServing
	}
	if own, ok := s.listeners[len(s.listeners)-1].(interface{ Check() error }); ok {
		return own.Check()
	}
	return nil
}

// watch waits until the path is no more that of l. A successor that took it
// over is left alone: this server keeps the connections that it has, and those
// that were on the way, until it is told to stop, since APISIX would start a
// runner that ended by itself again. A path that is gone is made again: an
// older runner deletes it at its end, whoever listens there.
func (s *Server) watch(l *Listener, accepting leaver) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	failed := false
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		if s.draining.Load() {
			return
		}
		err := l.Check()
		switch {
		case err == nil:
			continue
		case errors.Is(err, ErrTakenOver):
			s.log.Warn("another runner took the socket over; this one serves the connections that it has until SIGTERM",
				"socket", l.socket.Path)
			return
		}
		next, err := l.again()
		if err == nil {
			s.log.Warn("the socket was deleted and is made again", "socket", l.socket.Path)
			s.accept(next)
			_ = accepting.Leave(acceptGrace) // where it fails, the old socket stays open; nobody finds it
			return
		}
		if !failed {
			failed = true
			s.log.Error("the socket was deleted and cannot be made again yet; APISIX answers 503",
				"socket", l.socket.Path, "error", err.Error())
		}
	}
}

// again listens once more on the path of l, where nobody else does.
func (l *Listener) again() (*Listener, error) {
	socket := l.socket
	socket.TakeOver = false
	return socket.Listen()
}
