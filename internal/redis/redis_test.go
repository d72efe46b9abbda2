package redis_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/redis"
)

func TestTheURLSaysWhichKindOfRedisItIs(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"redis://127.0.0.1:6379/3", "*redis.Client 127.0.0.1:6379 db 3"},
		{"rediss://user:hunter2@cache.example:6380", "*redis.Client cache.example:6380 db 0 tls"},
		{"unix:///run/redis.sock?db=2", "*redis.Client /run/redis.sock db 2"},
		{"redis://127.0.0.1:6379?read_timeout=1m&max_retries=5&dial_timeout=1m&pool_timeout=1m", "*redis.Client 127.0.0.1:6379 db 0"},
		{"redis://sentinel.example:26379?master_name=main&replica_only=true&max_retries=3", "*redis.Client FailoverClient db 0"},
		{"redis://a.example:26379?addr=b.example:26379&master_name=main&db=2", "*redis.Client FailoverClient db 2"},
		{"redis://a.example:6379?addr=b.example:6379&read_only=true&route_randomly=true", "*redis.ClusterClient a.example:6379,b.example:6379"},
		{"rediss://a.example:6379?addr=a.example:6379", "*redis.ClusterClient a.example:6379,a.example:6379 tls"},
	} {
		client, err := redis.Open(c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if got := describe(t, client); got != c.want {
			t.Errorf("%s: %s, want %s", c.url, got, c.want)
		}
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	}
}

// describe names a client, and holds its bounds against those of a request's
// path, which no URL may widen.
func describe(t *testing.T, client goredis.UniversalClient) string {
	t.Helper()
	bounded := func(retries int, byContext bool, times ...time.Duration) {
		for _, d := range times {
			if d != redis.AtMost {
				t.Errorf("a bound of %v", d)
			}
		}
		if retries > 0 || !byContext {
			t.Errorf("%d retries, bounded by the context: %v", retries, byContext)
		}
	}
	tls := func(there bool) string {
		if there {
			return " tls"
		}
		return ""
	}
	switch c := client.(type) {
	case *goredis.Client:
		o := c.Options()
		bounded(o.MaxRetries, o.ContextTimeoutEnabled, o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout)
		return fmt.Sprintf("%T %s db %d%s", c, o.Addr, o.DB, tls(o.TLSConfig != nil))
	case *goredis.ClusterClient:
		o := c.Options()
		bounded(o.MaxRetries, o.ContextTimeoutEnabled, o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout)
		if o.ReadOnly || o.RouteByLatency || o.RouteRandomly {
			t.Error("replicas are read, which may be behind")
		}
		return fmt.Sprintf("%T %s%s", c, strings.Join(o.Addrs, ","), tls(o.TLSConfig != nil))
	}
	return fmt.Sprintf("%T", client)
}

func TestAURLThatIsNoneIsRefusedWithoutBeingRepeated(t *testing.T) {
	for _, url := range []string{
		"", "localhost:6379", "http://user:hunter2@localhost", "redis://:hunter2@localhost:port", "redis://:hunter2@localhost/db",
		"redis://:hunter2@localhost?nonsense=1", "redis://:hunter2@localhost?master_name=", "redis://:hunter2@localhost?master_name=a&nonsense=1",
		"redis://:hunter2@localhost?addr=hunter2", "redis://:hunter2@%zz",
	} {
		client, err := redis.Open(url)
		if err == nil {
			_ = client.Close()
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestAClientWithoutAURLFailsWithTheReason(t *testing.T) {
	reason := errors.New("no URL")
	client := redis.Unavailable(reason)
	defer client.Close()
	if err := client.Get(t.Context(), "a").Err(); !errors.Is(err, reason) {
		t.Error(err)
	}
}
