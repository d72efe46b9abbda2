package gateway_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
)

func TestATraceTellsWhatTheRunnerWasShownAndWhatItAnswered(t *testing.T) {
	b := newBed(t, 1)
	socket := filepath.Join(t.TempDir(), "r.sock")
	startRunner(t, socket, 1).answer = func(r a6.Request, _ func(a6.Question) []byte) (a6.Answer, bool) {
		if r.Path == "/no" {
			return a6.Answer{ID: r.ID, Stop: &a6.Stop{Status: 403, Body: []byte("no")}}, true
		}
		return a6.Answer{ID: r.ID, Rewrite: &a6.Rewrite{Headers: []a6.Entry{{Name: "X-User-Id"}}}}, true
	}
	traced := make(chan gateway.Exchange, 1)
	g, err := gateway.Start(gateway.Options{SocketPath: socket, AdminKey: "k", Trace: func(x gateway.Exchange) { traced <- x }})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	(&bed{Gateway: g, node: b.node}).put(t, "1", `"ext-plugin-pre-req":{"conf":[{"name":"p","value":"{}"}]}`)
	for _, path := range []string{"/yes", "/no"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(g.URL(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("GET " + path + "?a=1 HTTP/1.1\r\nHost: h\r\nX_User_Id: eve\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		x := <-traced
		if x.Client.String() != conn.LocalAddr().String() || x.Shown.Path != path || len(x.Shown.Args) != 1 {
			t.Errorf("%s: %+v", path, x)
		}
		want := a6.Answer{Rewrite: &a6.Rewrite{Headers: []a6.Entry{{Name: "X-User-Id"}}}}
		if path == "/no" {
			want = a6.Answer{Stop: &a6.Stop{Status: 403, Body: []byte("no")}}
		}
		x.Answer.ID = 0
		if diff := cmp.Diff(want, x.Answer); diff != "" {
			t.Errorf("%s (-answered +traced):\n%s", path, diff)
		}
	}
}
