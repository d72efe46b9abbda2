package runner

import (
	"net"
	"path/filepath"
	"time"
)

// InboxOf is where a predecessor finds the successor of a socket.
func InboxOf(socket string) string { return socket + handoverSuffix }

// Predecessor connects to a socket's inbox, and has proved itself by the key.
func Predecessor(socket string, tokenKey []byte) (*net.UnixConn, error) {
	key, err := newHandoverKey(tokenKey)
	if err != nil {
		return nil, err
	}
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Net: "unixpacket", Name: InboxOf(socket)})
	if err != nil {
		return nil, err
	}
	return c, key.introduce(c, filepath.Base(socket), time.Now().Add(time.Minute))
}

// AdmitPredecessor is the successor's part of that.
func AdmitPredecessor(c *net.UnixConn, socket string, tokenKey []byte) error {
	key, err := newHandoverKey(tokenKey)
	if err != nil {
		return err
	}
	return key.admit(c, filepath.Base(socket))
}

// ReceiveConnection takes one connection from a predecessor.
func ReceiveConnection(c *net.UnixConn) (fd int, err error) { return receiveConnection(c) }

// HandoverMark is what a predecessor sends with a descriptor.
const HandoverMark = handoverMark
