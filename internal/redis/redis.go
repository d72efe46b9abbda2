// Package redis opens the operator's Redis: one server, one that Sentinels
// name, or a cluster, with the bounds that a request's path needs. It must not
// know what is kept there.
package redis

import (
	"context"
	"errors"
	"net"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// AtMost bounds the wait for Redis: for a connection, for a question to be
// taken, and for its answer.
const AtMost = 500 * time.Millisecond

// ErrURL is a URL that is none. It says nothing of the URL, which may hold a
// password.
var ErrURL = errors.New("want redis://[USER:PASSWORD@]HOST:PORT/DB, rediss:// for TLS, or unix:///PATH; " +
	"for Sentinel redis://HOST:PORT?master_name=NAME&addr=HOST:PORT; for a cluster redis://HOST:PORT?addr=HOST:PORT; " +
	"with the further options of go-redis, each in the form that it has there")

// Open makes a client for a URL; it does not connect yet. Which kind of client
// it is, the query says: with master_name the hosts are Sentinels, with addr
// alone they are nodes of a cluster, and with neither the host is the server.
// The error is [ErrURL].
//
// No command is sent a second time by the client itself, but to where a cluster
// redirects it: a second SET NX would find the first one's key. Nothing is read
// from replicas.
func Open(rawURL string) (redis.UniversalClient, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, ErrURL
	}
	redis.SetLogger(silence{}) // it would write to standard error; errors reach the caller
	query := u.Query()
	switch {
	case query.Has("master_name"):
		return openFailover(rawURL)
	case query.Has("addr"):
		return openCluster(rawURL)
	}
	opt, err := redis.ParseURL(rawURL)
	if err != nil {
		return nil, ErrURL
	}
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.PoolTimeout = AtMost, AtMost, AtMost, AtMost
	opt.ContextTimeoutEnabled, opt.DialerRetries, opt.MaxRetries = true, 1, -1
	opt.MaintNotificationsConfig = noNotifications
	return redis.NewClient(opt), nil
}

func openFailover(rawURL string) (redis.UniversalClient, error) {
	opt, err := redis.ParseFailoverURL(rawURL)
	if err != nil || opt.MasterName == "" || len(opt.SentinelAddrs) == 0 {
		return nil, ErrURL
	}
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.PoolTimeout = AtMost, AtMost, AtMost, AtMost
	opt.ContextTimeoutEnabled, opt.DialerRetries, opt.MaxRetries = true, 1, -1
	opt.ReplicaOnly, opt.RouteByLatency, opt.RouteRandomly = false, false, false
	return redis.NewFailoverClient(opt), nil
}

func openCluster(rawURL string) (redis.UniversalClient, error) {
	opt, err := redis.ParseClusterURL(rawURL)
	if err != nil {
		return nil, ErrURL
	}
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout, opt.PoolTimeout = AtMost, AtMost, AtMost, AtMost
	opt.ContextTimeoutEnabled, opt.DialerRetries, opt.MaxRetries = true, 1, -1
	opt.MaintNotificationsConfig = noNotifications
	opt.ReadOnly, opt.RouteByLatency, opt.RouteRandomly = false, false, false
	return redis.NewClusterClient(opt), nil
}

// noNotifications: they come from Redis Enterprise alone, keep a goroutine for
// each client, and lengthen the bounds during maintenance.
var noNotifications = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}

// Unavailable is a client whose every question fails with err: what stands where
// there is no URL to go by, so that whatever needs Redis denies.
func Unavailable(err error) redis.UniversalClient {
	return redis.NewClient(&redis.Options{
		Dialer:     func(context.Context, string, string) (net.Conn, error) { return nil, err },
		MaxRetries: -1, DialerRetries: 1, PoolTimeout: AtMost, MaintNotificationsConfig: noNotifications,
	})
}

type silence struct{}

// Printf implements the logger of go-redis.
func (silence) Printf(context.Context, string, ...any) {}
