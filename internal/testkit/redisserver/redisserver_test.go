package redisserver_test

import (
	"net"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/redisserver"
)

func client(t *testing.T, address string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: address})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestWhatAServerRemembers(t *testing.T) {
	crash := func(t *testing.T, s *redisserver.Server) {
		s.Kill()
		if conn, err := net.Dial("tcp", s.Address); err == nil {
			_ = conn.Close()
			t.Error("a server that was killed answers")
		}
		s.Revive(t)
	}
	for name, c := range map[string]struct {
		start func(testing.TB) *redisserver.Server
		loses func(*testing.T, *redisserver.Server)
		left  int64
	}{
		"a crash":                          {redisserver.Start, crash, 0},
		"a crash of one that writes":       {redisserver.StartPersistent, crash, 1},
		"a flush":                          {redisserver.Start, func(t *testing.T, s *redisserver.Server) { s.Flush(t) }, 0},
		"a flush of one that writes":       {redisserver.StartPersistent, func(t *testing.T, s *redisserver.Server) { s.Flush(t) }, 0},
		"neither, so it remembers the key": {redisserver.Start, func(*testing.T, *redisserver.Server) {}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := c.start(t)
			if err := client(t, s.Address).Set(t.Context(), "key", "value", 0).Err(); err != nil {
				t.Fatal(err)
			}
			c.loses(t, s)
			if n, err := client(t, s.Address).Exists(t.Context(), "key").Result(); err != nil || n != c.left {
				t.Errorf("%d keys, %v", n, err)
			}
		})
	}
}

func TestAWireIsCutAndMended(t *testing.T) {
	w := redisserver.StartWire(t, redisserver.Start(t))
	open := client(t, w.Address)
	if err := open.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	w.Cut()
	if open.Ping(t.Context()).Err() == nil || client(t, w.Address).Ping(t.Context()).Err() == nil {
		t.Error("something passes a wire that was cut")
	}
	w.Mend()
	if err := open.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}
