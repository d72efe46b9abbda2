package revocation

import (
	"context"
	cryptorand "crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	ownredis "github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/redis"
)

const (
	lockFor      = 15 * time.Second
	againAfter   = 2 * time.Second
	publishSize  = 500
	trimMargin   = time.Hour // by which clocks may differ
	maxStreamLen = 2 * MaxEntries
)

// handOn gives Redis the entries that it does not hold: it was flushed, it came
// back without what it had, or it did not take them. One runner does it at a
// time; the others look again whether something is left.
func (f *Feed) handOn(ctx context.Context, held map[uint64]int64) error {
	var missing []Entry
	now := f.opt.Now().UnixMilli()
	f.set.each(nil, func(id ID, st state) bool {
		if st.until >= now && st.latest() > held[short(id)] {
			missing = append(missing, f.set.entry(id, st))
		}
		return true
	})
	if len(missing) == 0 {
		return nil
	}
	owner := cryptorand.Text()
	taken, err := f.lock(ctx, owner)
	if err != nil {
		return err
	}
	if !taken {
		f.again.Store(f.opt.Now().Add(againAfter).UnixMilli())
		return nil
	}
	for len(missing) > 0 {
		n := min(publishSize, len(missing))
		if err := f.handOnSome(ctx, missing[:n]); err != nil {
			return err
		}
		missing = missing[n:]
	}
	ctx, cancel := within(ctx)
	defer cancel()
	return f.opt.Redis.Del(ctx, lockKey).Err()
}

func (f *Feed) lock(ctx context.Context, owner string) (bool, error) {
	ctx, cancel := within(ctx)
	defer cancel()
	err := f.opt.Redis.SetArgs(ctx, lockKey, owner, redis.SetArgs{Mode: "NX", TTL: lockFor}).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, err
}

func (f *Feed) handOnSome(ctx context.Context, some []Entry) error {
	ctx, cancel := context.WithTimeout(ctx, 4*ownredis.AtMost)
	defer cancel()
	_, err := f.opt.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, e := range some {
			p.XAdd(ctx, &redis.XAddArgs{Stream: streamKey, Values: e.fields()})
		}
		p.PExpire(ctx, lockKey, lockFor)
		return nil
	})
	return err
}

// upkeep forgets what is kept no longer, here and in Redis: all that is older
// than any entry is kept.
func (f *Feed) upkeep(ctx context.Context) error {
	now := f.opt.Now()
	f.set.forget(now)
	whole := ctx
	ctx, cancel := within(ctx)
	defer cancel()
	keep := time.Duration(max(f.keep.Load(), f.set.span.Load())) * time.Millisecond
	oldest := now.Add(-keep - trimMargin).UnixMilli()
	if err := f.opt.Redis.XTrimMinID(ctx, streamKey, fmt.Sprint(max(oldest, 0))).Err(); err != nil {
		return err
	}
	length, err := f.opt.Redis.XLen(ctx, streamKey).Result()
	if err != nil || length <= f.streamLen {
		return err
	}
	return f.compact(whole)
}

// compact takes what a later entry of the same ID stands for out of the stream.
// It is needed where the same is revoked over and over.
func (f *Feed) compact(ctx context.Context) error {
	taken, err := f.lock(ctx, cryptorand.Text())
	if err != nil || !taken {
		return err
	}
	held := map[uint64]bool{}
	for cursor := "0-0"; ; {
		page, err := f.page(ctx, cursor)
		if err != nil {
			return err
		}
		var dead []string
		for _, m := range page {
			cursor = m.ID
			e, err := entryOf(m.Values)
			st, there := f.set.get(e.ID)
			switch {
			case err != nil || !there: // another runner may know what it is
			case held[short(e.ID)] || st.latest() > e.Added.UnixMilli():
				dead = append(dead, m.ID)
			default:
				held[short(e.ID)] = true
			}
		}
		if err := f.delete(ctx, dead); err != nil || len(page) < pageSize {
			return err
		}
	}
}

func (f *Feed) delete(ctx context.Context, dead []string) error {
	if len(dead) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 4*ownredis.AtMost)
	defer cancel()
	return f.opt.Redis.XDel(ctx, streamKey, dead...).Err()
}
