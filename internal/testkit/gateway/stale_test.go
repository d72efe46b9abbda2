package gateway_test

import (
	"bufio"
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
)

// waitUnread waits until there is something to read, and leaves it there.
func waitUnread(t *testing.T, conn net.Conn) {
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Error(err)
		return
	}
	_ = raw.Read(func(fd uintptr) bool {
		_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK)
		return err == nil
	})
}

func TestALostRequestIsCountedByWhetherTheRunnerReadIt(t *testing.T) {
	for _, tt := range []struct {
		name string
		read bool // the second request, before the connection is closed
		want gateway.Counts
	}{
		{"closed with the request unread", false, gateway.Counts{Stale: 1}},
		{"closed after it was read", true, gateway.Counts{Unanswered: 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "r.sock")
			listener, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = listener.Close() })
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					go func() {
						defer func() { _ = conn.Close() }()
						in := bufio.NewReader(conn)
						kind, payload, err := a6.ReadFrame(in, nil)
						if err != nil {
							return
						}
						if kind == a6.PrepareConf {
							_ = a6.WriteFrame(conn, kind, a6.EncodePrepareConfResp(1))
							return
						}
						r, _ := a6.DecodeRequest(payload)
						_ = a6.WriteFrame(conn, kind, a6.EncodeAnswer(a6.Answer{ID: r.ID, Stop: &a6.Stop{Body: []byte("ok")}}))
						if tt.read {
							_, _, _ = a6.ReadFrame(in, nil)
							return
						}
						waitUnread(t, conn)
					}()
				}
			}()
			g, err := gateway.Start(gateway.Options{SocketPath: path, Workers: 1})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = g.Close() })
			admin(t, g, "PUT", "/apisix/admin/routes/1", "", `{"uri":"/","plugins":{"ext-plugin-pre-req":{"conf":[{"name":"p","value":""}]}}}`)
			for i, want := range []int{200, 503} {
				if resp, _ := send(t, g, "GET /"); resp.StatusCode != want {
					t.Errorf("request %d: %d, want %d", i+1, resp.StatusCode, want)
				}
			}
			if diff := cmp.Diff(tt.want, g.Counts()); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}
