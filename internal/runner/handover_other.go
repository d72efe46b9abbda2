//go:build !linux

package runner

import (
	"context"
	"os"
	"time"
)

// Connections are handed over on Linux alone.
type (
	inbox     struct{}
	successor struct{}
)

func (l *Listener) placeInbox(*os.Root, string, string) error { return nil }

func (l *Listener) removeInbox() {}

func (*inbox) leave() {}

func (s *Server) receive(*Listener) {}

func (l *Listener) meet(context.Context, time.Time) (*successor, error) {
	return nil, errNoSuccessor
}

func (*successor) count(error) {}

func (*successor) close() (handed int, err error) { return 0, nil }

func (c *conn) handTo(*successor) error { return errNoSocket }
