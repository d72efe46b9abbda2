package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

// leasePoll is how often a process asks whether another one has refreshed.
const leasePoll = 50 * time.Millisecond

// Errors of a refresh that other processes share.
var (
	// ErrBusy means that another process refreshed the session for as long as we
	// may wait.
	ErrBusy = errors.New("another process is refreshing the session")
	// ErrForeign means that another process refreshed the session, and sealed what
	// came of it under a secret that is not ours.
	ErrForeign = errors.New("another process refreshed the session under another secret")
)

// lease makes a refresh single in all processes that share a Redis. All keys of a
// session have one hash tag, so that a cluster keeps them in one place.
type lease struct {
	client redis.UniversalClient
	sealer *session.Sealer
	limits limits
	every  func() (ticks <-chan time.Time, stop func()) // when a lease is renewed
	// renewed is told of each renewal; tests alone set it.
	renewed func()
}

func newLease(client redis.UniversalClient, sealer *session.Sealer) *lease {
	return &lease{
		client: client, sealer: sealer, limits: usual, renewed: func() {},
		every: func() (<-chan time.Time, func()) {
			t := time.NewTicker(usual.lease / 3)
			return t.C, t.Stop
		},
	}
}

// leaseKeys are the names in Redis of a session's refresh.
type leaseKeys struct{ lock, next, gone string }

func (k flightKey) names() leaseKeys {
	of := sha256.Sum256(append(k.binding[:], k.session[:]...))
	prefix := "auth0-jwt:refresh:{" + base64.RawURLEncoding.EncodeToString(of[:]) + "}:"
	token := base64.RawURLEncoding.EncodeToString(k.token[:])
	return leaseKeys{prefix + "lock:" + token, prefix + "next:" + token, prefix + "gone"}
}

// The scripts, each atomic. Redis holds a lock for its owner alone, as long as the
// owner renews it.
var (
	// acquire answers what is known of the refresh, or takes the lock.
	acquire = redis.NewScript(`
if redis.call('EXISTS', KEYS[3]) == 1 then return {'gone', ''} end
local next = redis.call('GET', KEYS[2])
if next then return {'next', next} end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {'mine', ''} end
return {'busy', ''}`)
	renew = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`)
	release = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`)
	// publish leaves the successor for other processes and releases the lock. It
	// answers 0 where the session was deleted meanwhile.
	publish = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1`)
)

// once refreshes, or takes the successor that another process left.
func (l *lease) once(ctx context.Context, key flightKey, now time.Time, refresh func(context.Context) (*session.Session, error)) (*session.Session, error) {
	names, owner := key.names(), rand.Text()
	for {
		state, sealed, err := l.acquire(ctx, names, owner)
		switch {
		case err != nil:
			return nil, unavailable(err)
		case state == "gone":
			return nil, login.ErrInvalidGrant
		case state == "next":
			return l.successor(key, sealed, now)
		case state == "mine":
			return l.hold(ctx, key, names, owner, now, refresh)
		}
		select {
		case <-time.After(leasePoll):
		case <-ctx.Done():
			return nil, ErrBusy
		}
	}
}

func (l *lease) acquire(ctx context.Context, names leaseKeys, owner string) (state, sealed string, err error) {
	ctx, cancel := l.limits.bounded(ctx)
	defer cancel()
	answer, err := acquire.Run(ctx, l.client, []string{names.lock, names.next, names.gone}, owner, l.limits.lease.Milliseconds()).StringSlice()
	if err != nil {
		return "", "", err
	}
	if len(answer) != 2 {
		return "", "", errors.New("an answer of the wrong form")
	}
	return answer[0], answer[1], nil
}

// hold refreshes while the lock is held and renewed. A lock that was lost all the
// same does not end the refresh, whose refresh token the issuer may have taken.
func (l *lease) hold(ctx context.Context, key flightKey, names leaseKeys, owner string, now time.Time, refresh func(context.Context) (*session.Session, error)) (next *session.Session, err error) {
	// What follows a refresh is done even when its time is up.
	after := context.WithoutCancel(ctx)
	published := false
	stop := l.renewing(after, names, owner)
	defer func() {
		stop()
		if !published {
			ctx, cancel := l.limits.bounded(after)
			defer cancel()
			_ = release.Run(ctx, l.client, []string{names.lock}, owner).Err() // it ends by itself
		}
	}()
	next, err = refresh(ctx)
	if err != nil || next == nil {
		return nil, err
	}
	published = true
	sealed := l.sealer.First(now).SealBytes(session.ForSuccessor, next.Encode(), key.token[:])
	ctx, cancel := l.limits.bounded(after)
	defer cancel()
	kept, err := publish.Run(ctx, l.client, []string{names.lock, names.next, names.gone}, owner, sealed, successorFor.Milliseconds()).Int()
	if err == nil && kept == 0 {
		return nil, login.ErrInvalidGrant
	}
	// With an error the others have to wait until the lease ends, and may then
	// refresh again. Nothing better is left to do without a Redis.
	return next, nil
}

// renewing renews a lock until it is stopped.
func (l *lease) renewing(ctx context.Context, names leaseKeys, owner string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ticks, stopTicks := l.every()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks:
				ctx, cancel := l.limits.bounded(ctx)
				_ = renew.Run(ctx, l.client, []string{names.lock}, owner, l.limits.lease.Milliseconds()).Err() // the next tick tries again
				cancel()
				l.renewed()
			}
		}
	}()
	return func() {
		cancel()
		stopTicks()
		<-ended
	}
}

func (l *lease) successor(key flightKey, sealed string, now time.Time) (*session.Session, error) {
	plaintext, _, err := l.sealer.OpenBytes(session.ForSuccessor, []byte(sealed), now, key.token[:])
	if err != nil {
		return nil, ErrForeign
	}
	next, err := session.Decode(plaintext)
	if err != nil || next.ID != key.session {
		return nil, ErrForeign
	}
	return next, nil
}

// end notes in Redis that a session was deleted.
func (l *lease) end(ctx context.Context, key flightKey) error {
	ctx, cancel := l.limits.bounded(ctx)
	defer cancel()
	if err := l.client.Set(ctx, key.names().gone, 1, successorFor).Err(); err != nil {
		return unavailable(err)
	}
	return nil
}
