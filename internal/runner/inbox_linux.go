package runner

import (
	"crypto/hmac"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxPredecessors is how many processes may hand over at a time.
	maxPredecessors = 4
	// introductionTime is how long one may take to prove itself.
	introductionTime = 5 * time.Second
	// handoverTime is how long it may take until its next connection, which may
	// be in an exchange.
	handoverTime = 60 * time.Second
)

// inbox is where a predecessor hands its connections over: a socket beside that
// of a listener, which its user alone can connect to.
type inbox struct {
	*net.UnixListener
	own fs.FileInfo

	mu           sync.Mutex
	leaving      bool
	predecessors map[*net.UnixConn]struct{}
}

// placeInbox makes the inbox in the private directory and renames it into its
// place. Nothing but a socket is replaced there.
func (l *Listener) placeInbox(private *os.Root, path, name string) (err error) {
	if l.key == nil {
		return nil
	}
	there, err := l.dir.Lstat(l.base + handoverSuffix)
	if err == nil && there.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s%s is there and is not a socket", l.socket.Path, handoverSuffix)
	}
	in := &inbox{predecessors: map[*net.UnixConn]struct{}{}}
	if in.UnixListener, err = listenIn(private, path, "unixpacket", inboxName); err != nil {
		return err
	}
	if err = private.Chmod(inboxName, 0o600); err == nil {
		in.own, err = private.Lstat(inboxName)
	}
	if err == nil {
		err = l.dir.Rename(filepath.Join(name, inboxName), l.base+handoverSuffix)
	}
	if err != nil {
		return errors.Join(err, in.Close())
	}
	l.inbox = in
	return nil
}

// removeInbox removes the inbox's file where it is this one's.
func (l *Listener) removeInbox() {
	if l.inbox == nil {
		return
	}
	name := l.base + handoverSuffix
	if there, err := l.dir.Lstat(name); err == nil && os.SameFile(there, l.inbox.own) {
		_ = l.dir.Remove(name) // a successor replaces what stays behind
	}
}

// leave lets nobody new in, and takes what predecessors have sent already.
func (in *inbox) leave() {
	if in == nil {
		return
	}
	_ = in.Close() // again, perhaps
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.leaving {
		return
	}
	in.leaving = true
	for c := range in.predecessors {
		_ = c.SetDeadline(time.Now().Add(acceptGrace)) // gone already, else
	}
}

// patience bounds the next wait for a predecessor, unless the inbox is left.
func (in *inbox) patience(c *net.UnixConn, d time.Duration) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.leaving {
		d = acceptGrace
	}
	in.predecessors[c] = struct{}{}
	return c.SetDeadline(time.Now().Add(d))
}

func (in *inbox) forget(c *net.UnixConn) {
	_ = c.Close()
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.predecessors, c)
}

// receive takes connections over from predecessors. The caller has s.mu.
func (s *Server) receive(l *Listener) {
	switch {
	case l.noInbox != nil:
		s.log.Warn("the connections of a predecessor cannot be taken over; it closes them when it ends", "error", l.noInbox.Error())
	case l.inbox != nil:
		s.accepting.Go(func() { s.receiveAll(l) })
	}
}

func (s *Server) receiveAll(l *Listener) {
	places := make(chan struct{}, maxPredecessors)
	pause := time.Duration(0)
	for {
		places <- struct{}{}
		c, err := l.inbox.AcceptUnix()
		switch {
		case err == nil:
			pause = 0
			s.accepting.Go(func() {
				defer func() { <-places }()
				s.receiveFrom(c, l)
			})
			continue
		case errors.Is(err, net.ErrClosed):
			return
		}
		<-places
		pause = s.acceptFailed(pause, err)
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Server) receiveFrom(c *net.UnixConn, l *Listener) {
	defer l.inbox.forget(c)
	taken := 0
	err := l.inbox.patience(c, introductionTime)
	if err == nil {
		err = l.key.admit(c, l.base)
	}
	for err == nil {
		var fd int
		if err = l.inbox.patience(c, handoverTime); err != nil {
			break
		}
		if fd, err = receiveConnection(c); err == nil && s.adopt(fd) {
			taken++
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.log.Warn("a predecessor could not hand its connections over", "taken", taken, "error", err.Error())
		return
	}
	s.log.Info("the connections of a predecessor were taken over", "connections", taken)
}

// admit has a predecessor prove itself, and does the same.
func (k handoverKey) admit(c *net.UnixConn, socket string) error {
	if err := samePeer(c); err != nil {
		return err
	}
	ours := nonce()
	if _, err := c.Write(ours); err != nil {
		return err
	}
	said, err := packet(c, nonceSize+proofSize)
	if err != nil {
		return err
	}
	theirs, proof := said[:nonceSize], said[nonceSize:]
	if !hmac.Equal(proof, k.proof(thePredecessor, socket, ours, theirs)) {
		return errNoProof
	}
	_, err = c.Write(k.proof(theSuccessor, socket, ours, theirs))
	return err
}

// mostDescriptors is how many descriptors of one packet are looked at. There
// should be one; the kernel closes those that there is no room for.
const mostDescriptors = 8

// receiveConnection receives one connection. Its errors leave no descriptor
// open.
func receiveConnection(c *net.UnixConn) (fd int, err error) {
	var data [2]byte
	rights := make([]byte, unix.CmsgSpace(4*mostDescriptors))
	n, m, flags, _, err := c.ReadMsgUnix(data[:], rights)
	fds := descriptors(rights[:m])
	if err == nil && (n != 1 || data[0] != handoverMark || len(fds) != 1 || flags&unix.MSG_CTRUNC != 0) {
		err = errBadHandover
	}
	if err == nil {
		err = isConnection(fds[0])
	}
	if err != nil {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
		return -1, err
	}
	return fds[0], nil
}

func descriptors(rights []byte) (all []int) {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil
	}
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			all = append(all, fds...)
		}
	}
	return all
}

// isConnection is an error where a descriptor is no connected Unix stream
// socket.
func isConnection(fd int) error {
	for option, want := range map[int]int{unix.SO_DOMAIN: unix.AF_UNIX, unix.SO_TYPE: unix.SOCK_STREAM, unix.SO_ACCEPTCONN: 0} {
		if got, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, option); err != nil || got != want {
			return errBadHandover
		}
	}
	if _, err := unix.Getpeername(fd); err != nil {
		return errBadHandover
	}
	return unix.SetNonblock(fd, true)
}

// adopt serves a connection as if it had been accepted, and reports whether
// there was room for it.
func (s *Server) adopt(fd int) bool {
	s.mu.Lock()
	all := s.loops.all
	s.mu.Unlock()
	if len(all) > 0 {
		return all[nextStripe()%len(all)].adopt(fd)
	}
	file := os.NewFile(uintptr(fd), "apisix")
	c, err := net.FileConn(file)
	_ = file.Close() // c has a descriptor of its own
	if err != nil {
		s.log.Error("a connection of a predecessor could not be taken over", "error", err.Error())
		return false
	}
	return s.start(c)
}
