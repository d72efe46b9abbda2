package gateway_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
)

func TestTheAccessLogHasOneEscapedLineARequest(t *testing.T) {
	var log strings.Builder
	g, err := gateway.Start(gateway.Options{
		SocketPath: filepath.Join(t.TempDir(), "r.sock"), AccessLog: &log,
		AccessLogFormat: `$remote_addr "$request" $status $upstream_addr "$http_x_user_id"`,
	})
	if err != nil {
		t.Fatal(err)
	}
	send(t, g, "GET /%0a", "X-User-Id: a\" \\é\t")
	if err := g.Close(); err != nil { // the line is written by then
		t.Fatal(err)
	}
	if want := `127.0.0.1 "GET /%0a HTTP/1.1" 404 - "a\x22 \x5C\xC3\xA9\x09"` + "\n"; log.String() != want {
		t.Errorf("got %q, want %q", log.String(), want)
	}
}

func TestAnAccessLogOfWhatTheDoubleHasNotIsAnError(t *testing.T) {
	g, err := gateway.Start(gateway.Options{SocketPath: "r.sock", AccessLogFormat: "$time_local"})
	if err == nil {
		t.Error("it started", g.Close())
	}
}
