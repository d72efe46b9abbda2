package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/cmd/playground/page"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

const (
	loadPath    = "/api/load"
	loadSubject = "auth0|load" // whom no button revokes

	loadEvery    = 5 * time.Millisecond // 200 requests a second
	loadGood     = 3                    // of loadOf
	loadOf       = 4
	loadAtOnce   = 64
	loadAtMost   = 30 * time.Minute
	loadRenewals = time.Second // a token outlives one rotation, and not two
)

// load sends good and bad tokens through the gateway, and counts the answers that
// are not what they should be.
type load struct {
	gateway string // base URL
	mint    func(issuer.MintRequest) (string, error)

	good, bad, wrong, failed atomic.Int64
	tokens                   atomic.Pointer[loadTokens]

	mu   sync.Mutex
	end  context.CancelFunc // nil is a load that stands still
	done chan struct{}      // closed when it has ended
}

// loadTokens are those of one moment.
type loadTokens struct {
	good string
	bad  []string // "" is a request without a token
}

// loadBad are the bad tokens besides none, and those that name keys that nobody
// has.
var loadBad = []issuer.MintRequest{
	{ExpiresIn: -3600},
	{Key: "rogue"},
	{Claims: map[string]any{"aud": "https://billing.example.com"}},
	{Claims: map[string]any{"email_verified": false}},
}

// start begins at nothing, and ends by itself after half an hour.
func (l *load) start() (said string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end != nil && !l.ended() {
		return "The load runs already.", nil
	}
	if err := l.renew(); err != nil {
		return "", err
	}
	for _, counter := range []*atomic.Int64{&l.good, &l.bad, &l.wrong, &l.failed} {
		counter.Store(0)
	}
	var ctx context.Context
	ctx, l.end = context.WithTimeout(context.Background(), loadAtMost)
	l.done = make(chan struct{})
	go l.run(ctx, l.done)
	return "The load sends 150 requests with a good token and 50 without one each second, for half an hour at most.", nil
}

// ended reports whether the last load has; the lock is held.
func (l *load) ended() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// stop ends it and waits for its last answers.
func (l *load) stop() {
	l.mu.Lock()
	end, done := l.end, l.done
	l.mu.Unlock()
	if end == nil {
		return
	}
	end()
	<-done
}

func (l *load) count() page.Load {
	l.mu.Lock()
	running := l.end != nil && !l.ended()
	l.mu.Unlock()
	return page.Load{Running: running, Good: l.good.Load(), Bad: l.bad.Load(), Wrong: l.wrong.Load(), Failed: l.failed.Load()}
}

// renew takes tokens of the issuer's present key.
func (l *load) renew() error {
	user := map[string]any{"sub": loadSubject, "email": "load@example.com", "email_verified": true}
	good, err := l.mint(issuer.MintRequest{Claims: user})
	if err != nil {
		return err
	}
	tokens := &loadTokens{good: good, bad: []string{""}}
	for _, r := range append(loadBad, issuer.MintRequest{Key: "rogue", Header: map[string]any{"kid": "unknown-" + rand.Text()}}) {
		claims := map[string]any{"sub": loadSubject, "email_verified": true}
		for name, value := range r.Claims {
			claims[name] = value
		}
		r.Claims = claims
		token, err := l.mint(r)
		if err != nil {
			return err
		}
		tokens.bad = append(tokens.bad, token)
	}
	l.tokens.Store(tokens)
	return nil
}

func (l *load) run(ctx context.Context, done chan struct{}) {
	defer close(done)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: loadAtOnce}, Timeout: answerWithin}
	defer client.CloseIdleConnections()
	var sending sync.WaitGroup
	defer sending.Wait()
	places := make(chan struct{}, loadAtOnce)
	pace, renewals := time.NewTicker(loadEvery), time.NewTicker(loadRenewals)
	defer pace.Stop()
	defer renewals.Stop()
	for n := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-renewals.C:
			if l.renew() != nil {
				return
			}
		case <-pace.C:
			select {
			case places <- struct{}{}:
			default:
				continue // as many as there may be are under way
			}
			tokens := l.tokens.Load()
			bad := n%loadOf >= loadGood
			token := tokens.good
			if bad {
				token = tokens.bad[n/loadOf%len(tokens.bad)]
			}
			n++
			sending.Go(func() {
				defer func() { <-places }()
				// To its end, whatever becomes of the load: an answer that nobody waited
				// for is none that failed.
				verdict := l.send(context.WithoutCancel(ctx), client, token)
				l.judge(verdict, bad)
			})
		}
	}
}

// verdict is how a request ended.
type verdict uint8

const (
	failed verdict = iota // no answer, or 5xx
	forwarded
	refused
)

func (l *load) judge(v verdict, bad bool) {
	if bad {
		l.bad.Add(1)
	} else {
		l.good.Add(1)
	}
	switch {
	case v == failed:
		l.failed.Add(1)
	case (v == forwarded) == bad:
		l.wrong.Add(1)
	}
}

// send asks once. What passes must have reached the upstream as the load's user.
func (l *load) send(ctx context.Context, client *http.Client, token string) verdict {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.gateway+loadPath, nil)
	if err != nil {
		return failed
	}
	req.Header.Set("X-User-Id", "mallory")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return failed
	}
	defer resp.Body.Close()
	var echo upstream.Echo
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&echo)
	switch {
	case resp.StatusCode >= http.StatusInternalServerError:
		return failed
	case resp.StatusCode == http.StatusOK && err == nil && echo.Kind == "upstream" && fmt.Sprint(echo.Headers["X-User-Id"]) == "["+loadSubject+"]":
		return forwarded
	case resp.StatusCode >= http.StatusBadRequest && !errors.Is(err, io.EOF):
		return refused
	}
	return failed
}
