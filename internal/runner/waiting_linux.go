package runner

import (
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// wait makes the descriptor a file, which Go's poller watches.
func (d *descriptor) wait() error {
	d.loop.mu.Lock()
	defer d.loop.mu.Unlock()
	d.file = os.NewFile(uintptr(d.fd), "apisix")
	if err := d.file.SetReadDeadline(d.readBy); err != nil {
		return err
	}
	return d.file.SetWriteDeadline(d.writeBy)
}

// unwait makes the file a bare descriptor again.
func (d *descriptor) unwait() error {
	if d.file == nil {
		return nil
	}
	fd, err := unix.FcntlInt(uintptr(d.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_ = d.file.Close() // what was written is written
	d.fd, d.file = fd, nil
	return nil
}

// Read implements io.Reader. It waits.
func (d *descriptor) Read(p []byte) (int, error) {
	if d.file == nil {
		switch n, err := syscall.Read(d.fd, p); {
		case err == nil && n == 0:
			return 0, io.EOF
		case err == nil:
			return n, nil
		case err != unix.EAGAIN && err != unix.EINTR:
			return 0, err
		}
		if err := d.wait(); err != nil {
			return 0, err
		}
	}
	return d.file.Read(p)
}

// Write implements io.Writer. It waits.
func (d *descriptor) Write(p []byte) (sent int, err error) {
	if d.file == nil {
		switch n, err := syscall.Write(d.fd, p); {
		case err == nil && n == len(p):
			return n, nil
		case err == nil:
			sent, p = n, p[n:]
		case err != unix.EAGAIN && err != unix.EINTR:
			return 0, err
		}
		if err := d.wait(); err != nil {
			return sent, err
		}
	}
	n, err := d.file.Write(p)
	return sent + n, err
}

// SetReadDeadline bounds waiting.
func (d *descriptor) SetReadDeadline(at time.Time) error {
	d.loop.mu.Lock()
	defer d.loop.mu.Unlock()
	d.readBy = at
	if d.file == nil {
		return nil
	}
	return d.file.SetReadDeadline(at)
}

// SetWriteDeadline bounds waiting.
func (d *descriptor) SetWriteDeadline(at time.Time) error {
	d.loop.mu.Lock()
	defer d.loop.mu.Unlock()
	d.writeBy = at
	if d.file == nil {
		return nil
	}
	return d.file.SetWriteDeadline(at)
}

// Close implements io.Closer, for the one whose the connection is.
func (d *descriptor) Close() error {
	l := d.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	if d.slot >= 0 {
		l.slots[d.slot] = nil
		l.free = append(l.free, d.slot)
	}
	if l.server.draining.Load() {
		l.wake()
	}
	if d.file != nil {
		return d.file.Close()
	}
	return unix.Close(d.fd)
}

// cut ends the connection for whoever uses it.
func (d *descriptor) cut() {
	d.loop.mu.Lock()
	defer d.loop.mu.Unlock()
	if !d.closed && !d.handed {
		_ = unix.Shutdown(d.fd, unix.SHUT_RDWR) // gone already, else
	}
}
