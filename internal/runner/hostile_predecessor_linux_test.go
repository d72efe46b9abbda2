package runner_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

func TestWhatIsNoConnectionIsRefusedAndLeavesNoDescriptor(t *testing.T) {
	socketOf := func(domain, kind int) func(*testing.T) []int {
		return func(t *testing.T) []int {
			fd, err := unix.Socket(domain, kind|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			return []int{fd}
		}
	}
	connections := func(n int) func(*testing.T) []int {
		return func(t *testing.T) (all []int) {
			for range n {
				_, fd := pair(t)
				all = append(all, fd)
			}
			return all
		}
	}
	for _, tt := range []struct {
		name string
		text string
		fds  func(*testing.T) []int
	}{
		{"a pipe", "c", func(t *testing.T) []int {
			var fds [2]int
			if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			return fds[:1:1]
		}},
		{"a file", "c", func(t *testing.T) []int {
			fd, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			return []int{fd}
		}},
		{"a TCP socket", "c", socketOf(unix.AF_INET, unix.SOCK_STREAM)},
		{"a datagram socket", "c", socketOf(unix.AF_UNIX, unix.SOCK_DGRAM)},
		{"a socket of packets", "c", socketOf(unix.AF_UNIX, unix.SOCK_SEQPACKET)},
		{"a socket that is not connected", "c", socketOf(unix.AF_UNIX, unix.SOCK_STREAM)},
		{"a socket that listens", "c", func(t *testing.T) []int {
			fds := socketOf(unix.AF_UNIX, unix.SOCK_STREAM)(t)
			if err := errors.Join(unix.Bind(fds[0], &unix.SockaddrUnix{}), unix.Listen(fds[0], 1)); err != nil {
				t.Fatal(err)
			}
			return fds
		}},
		{"no descriptor", "c", connections(0)},
		{"two connections", "c", connections(2)},
		{"two hundred connections", "c", connections(200)},
		{"another mark", "x", connections(1)},
		{"a longer text", "cc", connections(1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEachDriver(t, func(t *testing.T, d driver) {
				socket := handsOver(t)
				s := serving(t, d, socket)
				good := dial(t, socket.Path)
				who(good)
				predecessor, err := runner.Predecessor(socket.Path, tokenKey)
				if err != nil {
					t.Fatal(err)
				}
				fds := tt.fds(t)
				before := descriptors(t)
				if _, _, err := predecessor.WriteMsgUnix([]byte(tt.text), rights(fds), nil); err != nil {
					t.Fatal(err)
				}
				if _, err := predecessor.Read(make([]byte, 1)); err == nil {
					t.Error("the successor speaks")
				}
				predecessor.Close()
				noneLeak(t, before-1)
				for _, fd := range fds {
					unix.Close(fd)
				}
				if n := s.Connections(); n != 1 {
					t.Errorf("%d connections are served", n)
				}
				who(good)
			})
		})
	}
}

func rights(fds []int) []byte {
	if len(fds) == 0 {
		return nil
	}
	return unix.UnixRights(slices.Clone(fds)...)
}

func TestAPredecessorThatDoesNotProveItselfHandsNothingOver(t *testing.T) {
	for name, say := range map[string][]byte{
		"nothing": nil, "half of it": make([]byte, 40), "more than that": make([]byte, 65), "a made-up proof": make([]byte, 64),
	} {
		t.Run(name, func(t *testing.T) {
			onEachDriver(t, func(t *testing.T, d driver) {
				socket := handsOver(t)
				s := serving(t, d, socket)
				who(dial(t, socket.Path))
				before := descriptors(t)
				c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Net: "unixpacket", Name: runner.InboxOf(socket.Path)})
				if err != nil {
					t.Fatal(err)
				}
				client, fd := pair(t)
				if say != nil {
					_, _, _ = c.WriteMsgUnix(say, unix.UnixRights(fd), nil) // it may have hung up
				}
				_, _, _ = c.WriteMsgUnix([]byte{runner.HandoverMark}, unix.UnixRights(fd), nil)
				unix.Close(fd)
				_ = c.CloseWrite()
				if _, err := io.Copy(io.Discard, c); err != nil && !errors.Is(err, unix.ECONNRESET) {
					t.Errorf("the successor does not hang up: %v", err)
				}
				c.Close()
				if _, err := client.r.ReadByte(); err == nil {
					t.Error("the connection is served")
				}
				client.Close()
				noneLeak(t, before)
				if n := s.Connections(); n != 1 {
					t.Errorf("%d connections are served", n)
				}
			})
		})
	}
}
