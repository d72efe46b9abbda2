package store

import (
	"context"
	"errors"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

// Cookies keep a whole session in at most two cookies. Its methods may be called
// by any goroutine.
type Cookies struct{ base }

// NewCookies makes a store.
func NewCookies(opt Options) *Cookies { return &Cookies{newBase(opt)} }

// Known is Open where nothing has to be opened: there is no cookie and no session,
// or the session was seen. It allocates nothing. known is false where only Open
// can tell.
func (c *Cookies) Known(lines []string, now time.Time) (s *session.Session, known bool) {
	chunks, err := session.FindChunks(lines, c.name, c.second)
	if err != nil {
		return nil, errors.Is(err, session.ErrNoCookie)
	}
	if e := c.known(chunks, now); e != nil {
		return e.session, true
	}
	return nil, false
}

// Open implements [login.Sessions]. It never fails and does not wait.
func (c *Cookies) Open(_ context.Context, lines []string, now time.Time) (s *session.Session, stale bool, err error) {
	chunks, err := session.FindChunks(lines, c.name, c.second)
	if err != nil {
		return nil, !errors.Is(err, session.ErrNoCookie), nil
	}
	if e := c.seen(chunks, now); e != nil {
		return e.session, false, nil
	}
	opened, by, err := c.sealer.OpenChunks(chunks, now)
	if err != nil || !opened.Live(c.idle, now) {
		return nil, true, nil
	}
	c.memory.opened(c.binding, chunks, &seen{opened, by.ID(), now})
	return opened, false, nil
}

// Save implements [login.Sessions]. A session that has ended is not kept: its
// cookies are deleted.
func (c *Cookies) Save(_ context.Context, s *session.Session, lines []string, now time.Time) ([]string, error) {
	written := *s
	written.Written = now
	left := written.Left(c.idle, now)
	if left <= 0 {
		return c.expire(lines), nil
	}
	// The attributes are as long with any value.
	most := cookieAtMost - len(c.set(c.name, "", left))
	if most <= 0 {
		return nil, login.ErrTooLarge
	}
	chunks := written.SealChunks(c.sealer.First(now), most)
	all := len(c.name) + len("=") + len(chunks.First)
	set := []string{c.set(c.name, chunks.First, left)}
	if chunks.Second == "" {
		set = append(set, c.expireSecond(lines)...)
	} else {
		second := c.set(c.second, chunks.Second, left)
		all += len("; ") + len(c.second) + len("=") + len(chunks.Second)
		if len(second) > cookieAtMost {
			return nil, login.ErrTooLarge
		}
		set = append(set, second)
	}
	if all > cookiesAtMost {
		return nil, login.ErrTooLarge
	}
	return set, nil
}

// Delete implements [login.Sessions]. An error means that other processes may
// still finish a refresh of the session; those of this one do not.
func (c *Cookies) Delete(ctx context.Context, s *session.Session, lines []string) ([]string, error) {
	return c.expire(lines), c.forget(ctx, s, lines)
}
