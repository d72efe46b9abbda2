package runner

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"os"
	"time"
)

// At its end a runner hands the connections at rest to its successor, since
// whoever closes one may cut off a request that APISIX is just writing. The
// successor listens for that on a second socket, beside its own. Whoever
// received a connection could answer for the runner, so both prove that they
// have the key that belongs to the sockets' directory and user.
const (
	handoverSuffix = ".handover"
	// meetMargin is what finding the successor leaves of the time of a
	// shutdown: where it fails, connections are closed with their grace.
	meetMargin = acceptGrace + drainGrace + lastCall
	// meetTime bounds that where a shutdown has no deadline.
	meetTime = 5 * time.Second
)

var (
	errNoSuccessor = errors.New("the successor takes no connections over")
	errForeignPeer = errors.New("the process at the other end is not this user's")
	errNoProof     = errors.New("the process at the other end does not prove that it has the key")
	errBadHandover = errors.New("what was sent is not one connection")
	errNoSocket    = errors.New("the connection has no descriptor")
)

// handoverKey is what a predecessor and its successor have in common.
type handoverKey []byte

// newHandoverKey derives the key from that of the configurations' tokens, so
// that neither's hashes are of use for the other. nil stays nil.
func newHandoverKey(tokenKey []byte) (handoverKey, error) {
	if tokenKey == nil {
		return nil, nil
	}
	return hkdf.Key(sha256.New, tokenKey, nil, "go-runner handover 1", sha256.Size)
}

const (
	nonceSize = 32
	proofSize = sha256.Size
)

// side is one of the two that prove themselves.
type side string

const (
	thePredecessor side = "predecessor"
	theSuccessor   side = "successor"
)

// proof is what a side sends for the nonces of both. The socket's name is in
// it: the key is that of all runners of a user in a directory.
func (k handoverKey) proof(of side, socket string, successorNonce, predecessorNonce []byte) []byte {
	mac := hmac.New(sha256.New, k)
	for _, part := range [][]byte{[]byte(of), {0}, []byte(socket), {0}, successorNonce, predecessorNonce} {
		_, _ = mac.Write(part) // it never fails
	}
	return mac.Sum(nil)
}

func nonce() []byte {
	b := make([]byte, nonceSize)
	_, _ = rand.Read(b) // it never fails
	return b
}

// place is the listener whose path the server has.
func (s *Server) place() *Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listeners) == 0 {
		return nil
	}
	if l, ok := s.listeners[len(s.listeners)-1].(interface{ place() *Listener }); ok {
		return l.place()
	}
	return nil
}

// meetSuccessor finds who took the socket's path over, and takes connections
// over as well; nil where there is nobody.
func (s *Server) meetSuccessor(ctx context.Context) *successor {
	own := s.place()
	if own == nil || own.key == nil || !errors.Is(own.Check(), ErrTakenOver) {
		return nil
	}
	by := time.Now().Add(meetTime)
	if deadline, ok := ctx.Deadline(); ok {
		by = deadline.Add(-meetMargin)
	}
	next, err := own.meet(ctx, by)
	if err != nil {
		s.log.Warn("the connections cannot be handed over to the successor and are closed", "error", err.Error())
		return nil
	}
	return next
}

// handsOver reports whether connections at rest go to a successor.
func (s *Server) handsOver() bool { return s.draining.Load() && s.next != nil }

// part ends a connection at rest. Where there is a successor, it has it then.
func (s *Server) part(c *conn) {
	if s.handsOver() {
		s.next.count(c.handTo(s.next))
	}
	s.end(c)
}

// woken reports whether the wait for a frame ended for the connection to be
// handed over.
func (c *conn) woken(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) && c.server.handsOver() && !c.holdsBytes()
}

// holdsBytes reports whether bytes were read that are not answered yet.
func (c *conn) holdsBytes() bool { return c.workspace != nil && c.r.Buffered() > 0 }
