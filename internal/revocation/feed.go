package revocation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

const (
	// DefaultTTL is how long entries are kept: longer than the longest token.
	DefaultTTL = 24 * time.Hour
	// deafAfter is how long a runner may not hear of new entries before it says
	// that it is not up.
	deafAfter = 10 * time.Second
	// readyWithin bounds how long requests wait for the first reading of the feed.
	readyWithin = time.Second
	// upkeepEvery is how often what ended is forgotten.
	upkeepEvery = time.Minute
	maxText     = 2048 // bytes of an issuer or a value
	maxAhead    = time.Minute
)

// The errors of a [Feed], besides [ErrFull].
var (
	// ErrInvalid is what cannot be an entry; the errors say why.
	ErrInvalid = errors.New("not a revocation")
	// ErrNotShared means that Redis did not take an entry. This process refuses
	// what it names all the same, and hands it on when Redis is back; whoever
	// revokes should try again.
	ErrNotShared = errors.New("the revocation could not be given to Redis, so that other runners do not know of it")
	// ErrUnknown is an ID that no live entry has.
	ErrUnknown = errors.New("there is no such revocation")
)

// Options are the settings of a [Feed].
type Options struct {
	// Redis is what runners share; nil is nothing. The feed closes it at its end,
	// since nothing else ends the wait for new entries at once.
	Redis redis.UniversalClient
	// Set is the copy in memory, which may have been fed before; nil is a new one.
	Set *Set
	// TTL is how long entries are kept at least; 0 is [DefaultTTL].
	TTL time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Logger gets a line where hearing begins and ends; nil is slog.Default.
	Logger *slog.Logger
}

// Feed keeps a [Set] the same as those of all runners that share a Redis. Its
// methods may be called by any goroutine.
type Feed struct {
	opt    Options
	set    *Set
	keep   atomic.Int64 // how long entries are kept, in ms
	heard  atomic.Int64 // Unix ms; 0 is never
	again  atomic.Int64 // Unix ms from when on the feed is to be read from its beginning again; 0 is never
	lost   atomic.Uint64
	failed atomic.Bool // the last reading failed, and the log says so
	ready  chan struct{}
	once   sync.Once
	alone  upkeepAlone
	stop   context.CancelFunc
	done   chan struct{}

	streamLen int64 // beyond it the stream is compacted
}

// Open begins to read the feed, in a goroutine that Close ends; without Redis
// there is none.
func Open(opt Options) *Feed {
	if opt.Set == nil {
		opt.Set = NewSet()
	}
	if opt.TTL <= 0 {
		opt.TTL = DefaultTTL
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	ctx, stop := context.WithCancel(context.Background())
	f := &Feed{opt: opt, set: opt.Set, ready: make(chan struct{}), stop: stop, done: make(chan struct{}), streamLen: maxStreamLen}
	f.Keep(opt.TTL)
	if !f.Shared() {
		opt.Logger.Info("revocations hold in this process alone, until it ends; with --redis-url all runners share them")
		f.markReady()
		close(f.done)
		f.watch()
		return f
	}
	go f.run(ctx)
	return f
}

// Close ends the feed, and closes its Redis. What it heard stays in its set.
func (f *Feed) Close() {
	f.stop()
	f.alone.close()
	if f.Shared() {
		_ = f.opt.Redis.Close() // nothing is lost
	}
	<-f.done
}

// Keep makes entries that are added from now on last at least so long, such as
// the longest session there may be.
func (f *Feed) Keep(d time.Duration) { raise(&f.keep, d.Milliseconds()) }

// Shared reports whether other runners hear of entries.
func (f *Feed) Shared() bool { return f.opt.Redis != nil }

// Up reports whether the feed could hear of new entries in the last 10 s.
func (f *Feed) Up(now time.Time) bool {
	return !f.Shared() || now.UnixMilli()-f.heard.Load() <= deafAfter.Milliseconds()
}

// Ready is closed when the feed was read once, or a second after it was opened:
// nobody who starts takes what was revoked before.
func (f *Feed) Ready() <-chan struct{} { return f.ready }

// Version is [Set.Version].
func (f *Feed) Version() uint64 { return f.set.Version() }

// RevokedToken is [Set.RevokedToken].
func (f *Feed) RevokedToken(t *Token) bool { return f.set.RevokedToken(t) }

// RevokedDigest is [Set.RevokedDigest].
func (f *Feed) RevokedDigest(d *Digest) bool { return f.set.RevokedDigest(d) }

// Revoked reports whether a session was revoked: by its ID, its sid whenever it
// began, or its subject where it began at or before the revocation. It does no
// I/O.
func (f *Feed) Revoked(issuer string, s *session.Session) bool {
	if f.set.Version() == 0 {
		return false
	}
	return f.set.revoked(issuer, Session, string(s.ID[:]), 0) ||
		f.set.revoked(issuer, SID, s.SID, 0) ||
		f.set.revoked(issuer, Subject, s.Subject, float64(s.Begun.UnixMilli()))
}

// RevokeSession revokes a session by its ID, until it would have ended.
func (f *Feed) RevokeSession(ctx context.Context, issuer string, s *session.Session) error {
	_, err := f.revoke(ctx, Revocation{Issuer: issuer, Kind: Session, Value: string(s.ID[:])}, s.Ends)
	return err
}

// RevokeLogin revokes the sid, or where it is "" the subject as of now.
func (f *Feed) RevokeLogin(ctx context.Context, issuer, sid, subject string, now time.Time) error {
	r := Revocation{Issuer: issuer, Kind: SID, Value: sid}
	if sid == "" {
		r = Revocation{Issuer: issuer, Kind: Subject, Value: subject, Before: now}
	}
	_, err := f.Revoke(ctx, r)
	return err
}

// Revocation is what somebody asks for.
type Revocation struct {
	Issuer string
	Kind   Kind
	Value  string
	// Before is the time at or before which tokens were issued that are refused,
	// for kinds that are Timed; zero is now.
	Before time.Time
}

// Check says why r cannot be an entry; its errors wrap [ErrInvalid].
func (r Revocation) Check(now time.Time) error {
	switch {
	case r.Issuer == "" || len(r.Issuer) > maxText:
		return fmt.Errorf("%w: issuer: want the iss of the tokens, byte for byte, of at most %d bytes", ErrInvalid, maxText)
	case r.Kind >= numKinds || r.Value == "" || len(r.Value) > maxText:
		return fmt.Errorf("%w: want a value of 1 to %d bytes", ErrInvalid, maxText)
	case r.Before.IsZero():
		return nil
	case !r.Kind.Timed():
		return fmt.Errorf("%w: before: a %s stays revoked whenever its tokens were issued; leave it out", ErrInvalid, r.Kind)
	case r.Before.After(now.Add(maxAhead)):
		return fmt.Errorf("%w: before: it is in the future, so that new logins would not work", ErrInvalid)
	case r.Before.Unix() < 0:
		return fmt.Errorf("%w: before: want a time from 1970 on", ErrInvalid)
	}
	return nil
}

// Revoke adds an entry. It waits for Redis, at most half a second; with
// [ErrNotShared] the entry holds in this process alone until Redis is back.
func (f *Feed) Revoke(ctx context.Context, r Revocation) (Entry, error) {
	return f.revoke(ctx, r, time.Time{})
}

func (f *Feed) revoke(ctx context.Context, r Revocation, until time.Time) (Entry, error) {
	now := f.opt.Now()
	if err := r.Check(now); err != nil {
		return Entry{}, err
	}
	e := f.entryOf(r, until, now)
	err := f.set.apply(e, now)
	if errors.Is(err, ErrFull) {
		f.set.forget(now)
		err = f.set.apply(e, now)
	}
	if err != nil {
		return Entry{}, err
	}
	f.watch()
	if err := f.publish(ctx, e); err != nil {
		f.again.Store(now.UnixMilli())
		return e, err
	}
	return e, nil
}

// entryOf makes the entry. It is later than what was taken back under its ID,
// whatever the clocks of other runners say.
func (f *Feed) entryOf(r Revocation, until, now time.Time) Entry {
	e := Entry{ID: IDOf(r.Issuer, r.Kind, r.Value), Kind: r.Kind, Issuer: r.Issuer, Added: time.UnixMilli(millis(now))}
	if was, there := f.set.get(e.ID); there && e.Added.UnixMilli() <= was.takenBack {
		e.Added = time.UnixMilli(was.takenBack + 1)
	}
	if e.Before = e.Added; !r.Before.IsZero() {
		e.Before = time.UnixMilli(millis(r.Before))
	}
	if until.IsZero() {
		until = now.Add(time.Duration(f.keep.Load()) * time.Millisecond)
	}
	e.Until = time.UnixMilli(millis(until))
	return e
}

// TakeBack ends an entry before its time. Where Redis does not take that, the
// entry stays.
func (f *Feed) TakeBack(ctx context.Context, id ID) (Entry, error) {
	now := f.opt.Now()
	was, there := f.set.get(id)
	if !there || !was.live {
		return Entry{}, ErrUnknown
	}
	e := f.set.entry(id, was)
	e.TakenBack, e.Added = true, time.UnixMilli(max(millis(now), was.added))
	if err := f.publish(ctx, e); err != nil {
		return Entry{}, err
	}
	return e, f.set.apply(e, now)
}

// List is [Set.List].
func (f *Feed) List(after *ID, atMost int) []Entry { return f.set.List(after, atMost) }

// Stats are how the feed is.
type Stats struct {
	Entries int
	Up      bool
	Lost    uint64 // entries of other runners that there was no room for, or that could not be read
}

// Stats are how the feed is now.
func (f *Feed) Stats() Stats {
	return Stats{Entries: f.set.Len(), Up: f.Up(f.opt.Now()), Lost: f.lost.Load()}
}
