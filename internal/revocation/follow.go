package revocation

import (
	"context"
	cryptorand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	ownredis "github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/redis"
)

// The keys in Redis; the braces keep them on one node of a cluster.
const (
	streamKey = "{auth0-jwt:revocations}"          // the entries, oldest first
	epochKey  = "{auth0-jwt:revocations}:epoch"    // random; it is gone where Redis lost what it held
	lockKey   = "{auth0-jwt:revocations}:handover" // held by the one runner that hands lost entries on
)

const (
	blockFor   = 2 * time.Second // a reading that brings nothing
	epochEvery = 2 * time.Second
	retryFirst = 50 * time.Millisecond
	retryMost  = 2 * time.Second
	pageSize   = 5000
)

// errAgain is why a reading ends that is to begin anew at once.
var errAgain = errors.New("the feed is read from its beginning again")

// run reads the feed until ctx ends, and begins anew after failures.
func (f *Feed) run(ctx context.Context) {
	defer close(f.done)
	late := time.AfterFunc(readyWithin, f.markReady)
	defer late.Stop()
	for pause := retryFirst; ; {
		began := f.heard.Load()
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errAgain) {
			continue
		}
		if !f.failed.Swap(true) {
			f.opt.Logger.Error("new revocations cannot be heard of; requests go by those that are known until they can: see --redis-url and --revocations-strict", "error", err.Error())
		}
		if f.heard.Load() != began {
			pause = retryFirst
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause + rand.N(pause)): // not all runners at once
		}
		pause = min(2*pause, retryMost)
	}
}

func (f *Feed) markReady() { f.once.Do(func() { close(f.ready) }) }

// upkeepAlone is the upkeep of a feed that is not shared: a timer, and only
// where there is something to forget.
type upkeepAlone struct {
	mu     sync.Mutex
	timer  *time.Timer // nil is none
	closed bool
}

// watch makes sure that what ends is forgotten.
func (f *Feed) watch() {
	f.alone.mu.Lock()
	defer f.alone.mu.Unlock()
	if f.Shared() || f.alone.closed || f.alone.timer != nil || f.set.total.Load() == 0 {
		return
	}
	f.alone.timer = time.AfterFunc(upkeepEvery, func() {
		f.set.forget(f.opt.Now())
		f.alone.mu.Lock()
		f.alone.timer = nil
		f.alone.mu.Unlock()
		f.watch()
	})
}

func (u *upkeepAlone) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	if u.timer != nil {
		u.timer.Stop()
	}
}

// follow reads the feed from its beginning, hands on what it does not hold, and
// reads on. Every loss of the connection leads here, so that nothing is missed
// and nothing that Redis lost stays lost.
func (f *Feed) follow(ctx context.Context) error {
	epoch, err := f.epoch(ctx)
	if err != nil {
		return err
	}
	f.again.Store(0)
	cursor, held, err := f.readAll(ctx)
	if err != nil {
		return err
	}
	f.hear()
	if err := f.handOn(ctx, held); err != nil {
		return err
	}
	looked, kept := time.Now(), time.Time{} // upkeep at once: whoever starts often does it too
	for {
		if cursor, err = f.readOn(ctx, cursor); err != nil {
			return err
		}
		f.hear()
		if at := f.again.Load(); at != 0 && f.opt.Now().UnixMilli() >= at {
			return errAgain
		}
		if time.Since(looked) >= epochEvery {
			now, err := f.epoch(ctx)
			if err != nil {
				return err
			}
			if looked = time.Now(); now != epoch {
				f.opt.Logger.Warn("Redis lost the revocations that it held; the runners hand on what they know")
				return errAgain
			}
		}
		if time.Since(kept) >= upkeepEvery {
			kept = time.Now()
			if err := f.upkeep(ctx); err != nil {
				return err
			}
		}
	}
}

// hear notes that the feed was read to its end.
func (f *Feed) hear() {
	f.heard.Store(f.opt.Now().UnixMilli())
	f.markReady()
	if f.failed.Swap(false) {
		f.opt.Logger.Info("new revocations are heard of again")
	}
}

// within bounds a question to Redis.
func within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, ownredis.AtMost)
}

// epoch is what Redis has kept since it lost something last.
func (f *Feed) epoch(ctx context.Context) (string, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	err := f.opt.Redis.SetArgs(ctx, epochKey, cryptorand.Text(), redis.SetArgs{Mode: "NX"}).Err()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", err
	}
	return f.opt.Redis.Get(ctx, epochKey).Result()
}

// readAll reads the feed from its beginning. held is what it holds, by the time
// of the last change of each ID.
func (f *Feed) readAll(ctx context.Context) (cursor string, held map[uint64]int64, err error) {
	cursor, held = "0-0", map[uint64]int64{}
	for {
		page, err := f.page(ctx, cursor)
		if err != nil {
			return "", nil, err
		}
		for _, m := range page {
			cursor = m.ID
			if e, ok := f.take(m); ok {
				held[short(e.ID)] = max(held[short(e.ID)], e.Added.UnixMilli())
			}
		}
		if len(page) < pageSize {
			return cursor, held, nil
		}
	}
}

// short is enough of an ID to tell the entries of one set apart.
func short(id ID) uint64 { return binary.BigEndian.Uint64(id[8:]) }

func (f *Feed) page(ctx context.Context, after string) ([]redis.XMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*ownredis.AtMost) // it is half a megabyte
	defer cancel()
	return f.opt.Redis.XRangeN(ctx, streamKey, "("+after, "+", pageSize).Result()
}

// readOn waits for entries after the cursor.
func (f *Feed) readOn(ctx context.Context, cursor string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, blockFor+ownredis.AtMost)
	defer cancel()
	streams, err := f.opt.Redis.XRead(ctx, &redis.XReadArgs{Streams: []string{streamKey, cursor}, Count: pageSize, Block: blockFor}).Result()
	if errors.Is(err, redis.Nil) {
		return cursor, nil
	}
	if err != nil {
		return "", err
	}
	for _, s := range streams {
		for _, m := range s.Messages {
			cursor = m.ID
			f.take(m)
		}
	}
	return cursor, nil
}

// take puts an entry of the feed into the set.
func (f *Feed) take(m redis.XMessage) (Entry, bool) {
	e, err := entryOf(m.Values)
	if err == nil {
		err = f.set.apply(e, f.opt.Now())
	}
	if err != nil && f.lost.Add(1) == 1 {
		f.opt.Logger.Error("a revocation of another runner cannot be kept", "error", err.Error())
	}
	return e, err == nil
}

// publish gives an entry to the other runners.
func (f *Feed) publish(ctx context.Context, e Entry) error {
	if !f.Shared() {
		return nil
	}
	ctx, cancel := within(ctx)
	defer cancel()
	if err := f.opt.Redis.XAdd(ctx, &redis.XAddArgs{Stream: streamKey, Values: e.fields()}).Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotShared, err)
	}
	return nil
}
