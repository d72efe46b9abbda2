package runner

import (
	"context"
	"crypto/hmac"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// handoverMark is the one byte that goes with each connection.
const handoverMark = 'c'

// successor is where a server hands its connections over to.
type successor struct {
	conn *net.UnixConn
	stop func() bool // of watching the shutdown's context

	mu     sync.Mutex
	err    error // of the first connection that could not be handed over
	handed int
}

// meet connects to the successor's inbox, and returns it once both have proved
// themselves. The file is opened first, so that what was looked at is what is
// connected to: a socket of this user's own, and no link to one.
func (l *Listener) meet(ctx context.Context, by time.Time) (*successor, error) {
	dir, err := l.dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	fd, err := unix.Openat(int(dir.Fd()), l.base+handoverSuffix, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoSuccessor, err)
	}
	file := os.NewFile(uintptr(fd), handoverSuffix)
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.Mode().Type() != os.ModeSocket || !isOwn(info) || info.Mode().Perm()&0o077 != 0:
		return nil, errForeignPeer
	case l.inbox != nil && os.SameFile(info, l.inbox.own):
		return nil, errNoSuccessor
	}
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Net: "unixpacket", Name: fmt.Sprintf("/proc/self/fd/%d", fd)})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoSuccessor, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	if err := l.key.introduce(c, l.base, by); err != nil {
		stop()
		return nil, errors.Join(err, c.Close())
	}
	return &successor{conn: c, stop: stop}, nil
}

// introduce proves to the successor who this is, and has it do the same.
func (k handoverKey) introduce(c *net.UnixConn, socket string, by time.Time) error {
	if err := c.SetDeadline(by); err != nil {
		return err
	}
	if err := samePeer(c); err != nil {
		return err
	}
	theirs, err := packet(c, nonceSize)
	if err != nil {
		return err
	}
	ours := nonce()
	if _, err := c.Write(append(ours, k.proof(thePredecessor, socket, theirs, ours)...)); err != nil {
		return err
	}
	proof, err := packet(c, proofSize)
	if err != nil {
		return err
	}
	if !hmac.Equal(proof, k.proof(theSuccessor, socket, theirs, ours)) {
		return errNoProof
	}
	return nil
}

// packet reads a packet of this size.
func packet(c *net.UnixConn, size int) ([]byte, error) {
	b := make([]byte, size+1)
	n, err := c.Read(b)
	switch {
	case err == io.EOF:
		return nil, errNoProof
	case err != nil:
		return nil, err
	case n != size:
		return nil, errNoProof
	}
	return b[:n], nil
}

// samePeer is an error where the other end is another user's.
func samePeer(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	if failed := raw.Control(func(fd uintptr) {
		cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	if int(cred.Uid) != os.Geteuid() {
		return errForeignPeer
	}
	return nil
}

// handTo sends the connection to the successor. It stays open here as well.
func (c *conn) handTo(n *successor) error {
	if d, ok := c.net.(*descriptor); ok {
		d.release()
		return n.take(d.fd)
	}
	if c.stream.raw == nil {
		return errNoSocket
	}
	var err error
	if failed := c.stream.raw.Control(func(fd uintptr) { err = n.take(int(fd)) }); failed != nil {
		return failed
	}
	return err
}

const (
	// takeTime is how long a successor may let its predecessor wait for room.
	takeTime = 5 * time.Second
	// crowdedPause is how long to wait where too many descriptors are on their
	// way.
	crowdedPause = 5 * time.Millisecond
)

// take sends a descriptor. After a failure nothing more is sent.
func (n *successor) take(fd int) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err == nil {
		n.err = n.conn.SetDeadline(time.Now().Add(takeTime))
	}
	for n.err == nil {
		_, _, err := n.conn.WriteMsgUnix([]byte{handoverMark}, unix.UnixRights(fd), nil)
		if err == nil {
			return nil
		}
		if errors.Is(err, unix.ETOOMANYREFS) {
			time.Sleep(crowdedPause)
			continue
		}
		n.err = err
	}
	return n.err
}

// count notes whether a connection was handed over.
func (n *successor) count(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil {
		n.handed++
	}
}

// close says how many connections were handed over, and the first error.
func (n *successor) close() (handed int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stop()
	_ = n.conn.Close() // what was sent is with the successor
	return n.handed, n.err
}
