package policy_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwks"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// changing is an issuer whose keys change, and that counts who asks for one.
type changing struct {
	static     *jwks.Provider
	asked      atomic.Int64
	generation atomic.Uint64
	gone       atomic.Bool // the key left the set
	away       atomic.Bool // no usable keys
	slow       chan struct{}
}

func newChanging(t *testing.T) *changing {
	t.Helper()
	return &changing{static: must(jwks.Static(tenantSet()))}
}

func (c *changing) Key(ctx context.Context, kid string, hasKid bool, alg string) (jwks.Key, error) {
	c.asked.Add(1)
	if c.slow != nil {
		select {
		case <-c.slow:
		case <-ctx.Done():
			return jwks.Key{}, &jwks.UnavailableError{RetryAfter: time.Second}
		}
	}
	switch {
	case c.away.Load():
		return jwks.Key{}, &jwks.UnavailableError{RetryAfter: time.Second}
	case c.gone.Load():
		return jwks.Key{}, jwks.ErrUnknownKey
	}
	key, err := c.static.Key(ctx, kid, hasKid, alg)
	key.Generation = c.generation.Load()
	return key, err
}

func (c *changing) Generation(time.Time) (uint64, bool) { return c.generation.Load(), !c.away.Load() }

// cached is a policy with a cache of its own and a clock that moves.
func cached(t *testing.T, cache *gate.Cache, keys gate.Keys, now *time.Time, changes ...func(*config.Config)) judge {
	t.Helper()
	return must(judgeOf(route(changes...), gate.Options{Cache: cache, Now: func() time.Time { return *now }},
		func(config.Issuer) (gate.Keys, error) { return keys, nil }))
}

func TestAKnownTokenIsVerifiedOnce(t *testing.T) {
	cache := gate.NewCache(1 << 20)
	defer cache.Close()
	keys, now := newChanging(t), clock
	userID := func(c *config.Config) {
		c.ClaimHeaders = []identity.ClaimHeader{{Name: "X-User-Id", Claim: ref("sub")}}
	}
	a := cached(t, cache, keys, &now, userID)
	b := cached(t, cache, keys, &now, userID, func(c *config.Config) { c.RequiredScopes = []string{"admin"} })
	token := good(t)
	for range 3 {
		edits, forward := a.Decide(get("authorization", "Bearer "+token, "x-user-id", "admin")).Forward()
		if !forward || len(edits.SetHeaders) != 1 || edits.SetHeaders[0].Value != "auth0|alice" || !slices.Equal(edits.DeleteHeaders, []string{"x-user-id"}) {
			t.Fatalf("forward %v, %+v", forward, edits)
		}
		if got := outcome(b.Decide(bearing(token))); got != reason(refusal.InsufficientScope) {
			t.Fatalf("another policy's: %s", got)
		}
	}
	if n := keys.asked.Load(); n != 1 {
		t.Errorf("verified %d times", n)
	}
}

func TestACachedVerdictEndsWithItsKey(t *testing.T) {
	cache := gate.NewCache(1 << 20)
	defer cache.Close()
	keys, now := newChanging(t), clock
	p := cached(t, cache, keys, &now)
	req := bearing(good(t))
	for _, step := range []struct {
		name   string
		change func()
		want   string
	}{
		{"at first", func() {}, forwarded},
		{"the set changed and the key is still there", func() { keys.generation.Add(1) }, forwarded},
		{"the key left", func() { keys.generation.Add(1); keys.gone.Store(true) }, reason(refusal.UnknownKey)},
		{"the key is back", func() { keys.generation.Add(1); keys.gone.Store(false) }, forwarded},
		{"the keys are too old", func() { keys.away.Store(true) }, reason(refusal.KeysUnavailable)},
		{"fetched again", func() { keys.away.Store(false) }, forwarded},
	} {
		step.change()
		for range 2 {
			if got := outcome(p.Decide(req)); got != step.want {
				t.Errorf("%s: %s, want %s", step.name, got, step.want)
			}
		}
	}
}

func TestACachedVerdictKeepsTimeToTheSecond(t *testing.T) {
	cache := gate.NewCache(1 << 20)
	defer cache.Close()
	now := clock
	p := cached(t, cache, newChanging(t), &now, func(c *config.Config) { c.MaxTokenAge = 10 * time.Minute })
	// iat is a minute before clock, exp an hour after; leeway is 30 s.
	short := bearing(good(t, "exp", at(time.Minute), "nbf", at(-time.Minute)))
	aged := bearing(good(t))
	for _, step := range []struct {
		req   *request
		after time.Duration
		want  string
	}{
		{short, 0, forwarded},
		{short, 90*time.Second - time.Millisecond, forwarded},
		{short, 90 * time.Second, reason(refusal.Expired)},
		{short, -90 * time.Second, forwarded}, // the clock was set back
		{short, -91 * time.Second, reason(refusal.NotYetValid)},
		{short, 0, forwarded},
		{aged, 0, forwarded},
		{aged, 9*time.Minute + 30*time.Second, forwarded},
		{aged, 9*time.Minute + 31*time.Second, reason(refusal.TooOld)},
	} {
		now = clock.Add(step.after)
		for range 2 {
			if got := outcome(p.Decide(step.req)); got != step.want {
				t.Errorf("after %v: %s, want %s", step.after, got, step.want)
			}
		}
	}
}

// What one request carries must never reach another's upstream.
func TestOneRequestsCookiesAreNotAnothers(t *testing.T) {
	cache := gate.NewCache(1 << 20)
	defer cache.Close()
	now := clock
	p := cached(t, cache, newChanging(t), &now, func(c *config.Config) {
		c.TokenFrom = []token.Source{{Kind: token.Cookie, Name: "session"}}
		c.ForwardToken = false
		c.ClaimHeaders = []identity.ClaimHeader{{Name: "X-Email", Claim: ref("email")}, {Name: "X-User-Id", Claim: ref("sub")}}
	})
	token := good(t)
	for _, theme := range []string{"dark", "light", ""} {
		cookie := "session=" + token
		want := "[{X-User-Id auth0|alice}]"
		if theme != "" {
			cookie += "; theme=" + theme
			want = "[{cookie theme=" + theme + "} {X-User-Id auth0|alice}]"
		}
		edits, _ := p.Decide(get("cookie", cookie)).Forward()
		if got := fmt.Sprint(edits.SetHeaders); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestWhatTheRequestHasASayInIsNotRemembered(t *testing.T) {
	cache := gate.NewCache(1 << 20)
	defer cache.Close()
	now := clock
	keys := newChanging(t)
	byMethod := cached(t, cache, keys, &now, rules(config.Rule{Expression: cel(`request.method == "GET"`), Status: 403}))
	byTime := cached(t, cache, keys, &now, func(c *config.Config) { c.MaxAuthAge = time.Minute })
	token := good(t, "auth_time", at(0))
	post := bearing(token)
	post.method = "POST"
	for range 2 {
		for _, step := range []struct {
			p    judge
			req  *request
			want string
		}{{byMethod, bearing(token), forwarded}, {byMethod, post, reason(refusal.RuleDenied)}, {byTime, bearing(token), forwarded}} {
			if got := outcome(step.p.Decide(step.req)); got != step.want {
				t.Errorf("%s, want %s", got, step.want)
			}
		}
	}
	now = clock.Add(2 * time.Minute)
	if got := outcome(byTime.Decide(bearing(token))); got != reason(refusal.StepUpRequired) {
		t.Error(got)
	}
}

func TestHostileTokensPushNoGoodOneOut(t *testing.T) {
	cache := gate.NewCache(16 << 10) // room for a few
	defer cache.Close()
	keys, now := newChanging(t), clock
	p := cached(t, cache, keys, &now)
	good := bearing(good(t))
	if got := outcome(p.Decide(good)); got != forwarded {
		t.Fatal(got)
	}
	before := keys.asked.Load()
	for n := range 2000 {
		forged := bearing(fmt.Sprintf("%s.%s.%s", base64url(header("RS256", "rsa")), base64url(claims("n", fmt.Sprint(n))), base64url([]byte("x"))))
		if got := outcome(p.Decide(forged)); got != reason(refusal.BadSignature) {
			t.Fatal(got)
		}
	}
	if got := outcome(p.Decide(good)); got != forwarded || keys.asked.Load() != before+2000 {
		t.Errorf("%s; the good token was verified again %d times", got, keys.asked.Load()-before-2000)
	}
}

// TestARequestThatGivesUpFailsNoOther: its own answer is its own affair, and
// those that waited for the same key with the same token go by theirs.
func TestARequestThatGivesUpFailsNoOther(t *testing.T) {
	cache := gate.NewCache(1 << 20)
	defer cache.Close()
	keys, now := newChanging(t), clock
	keys.slow = make(chan struct{})
	p := cached(t, cache, keys, &now)
	token := good(t)
	ctx, giveUp := context.WithCancel(t.Context())
	var first, others sync.WaitGroup
	first.Go(func() {
		req := bearing(token)
		req.ctx = ctx
		if got := outcome(p.Decide(req)); got == forwarded {
			t.Errorf("the request that gave up: %s", got)
		}
	})
	for keys.asked.Load() < 1 {
		runtime.Gosched()
	}
	for range 10 {
		others.Go(func() {
			if got := outcome(p.Decide(bearing(token))); got != forwarded {
				t.Errorf("a request that waited: %s", got)
			}
		})
	}
	for keys.asked.Load() < 11 {
		runtime.Gosched()
	}
	giveUp()
	first.Wait()
	close(keys.slow)
	others.Wait()
}

func TestACacheIsBounded(t *testing.T) {
	cache := gate.NewCache(64 << 10)
	defer cache.Close()
	keys, now := newChanging(t), clock
	p := cached(t, cache, keys, &now)
	for n := range 500 {
		if got := outcome(p.Decide(bearing(good(t, "n", fmt.Sprint(n))))); got != forwarded {
			t.Fatal(got)
		}
	}
	var size uint64
	for _, s := range cache.Stats() {
		size += s.SizeBytes
		if s.Misses < 500 || s.Evictions == 0 || s.Entries == 0 || s.Entries+s.Evictions > 500 {
			t.Errorf("%+v", s)
		}
	}
	if size == 0 || size > 64<<10 {
		t.Errorf("%d bytes", size)
	}
}

// 16 KiB of small objects weighed 54 KB and take more than 600.
func TestACacheWeighsWhatItsTokensTake(t *testing.T) {
	cache := gate.NewCache(8 << 20)
	defer cache.Close()
	keys, now := newChanging(t), clock
	p := cached(t, cache, keys, &now)
	list := "[" + strings.Repeat("{},", 3500) + "{}]"
	if got := outcome(p.Decide(bearing(good(t, "n", list)))); got != forwarded {
		t.Fatal(got)
	}
	for _, s := range cache.Stats() {
		if s.Kind == "token" && (s.SizeBytes < 200_000 || s.SizeBytes > 700_000) {
			t.Errorf("%d bytes", s.SizeBytes)
		}
	}
}

// Two routes may know one issuer by different keys, such as of another
// jwks_uri: neither takes the other's word for a signature.
func TestRoutesOfOneIssuerWithOtherKeysVerifyForThemselves(t *testing.T) {
	cache := gate.NewCache(1 << 20)
	defer cache.Close()
	ours, theirs, now := newChanging(t), newChanging(t), clock
	theirs.gone.Store(true)
	ours.slow = make(chan struct{})
	a, b := cached(t, cache, ours, &now), cached(t, cache, theirs, &now)
	token := good(t)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if got := outcome(a.Decide(bearing(token))); got != forwarded {
			t.Errorf("with the key: %s", got)
		}
	})
	for ours.asked.Load() == 0 {
		runtime.Gosched()
	}
	for _, when := range []string{"while the other verifies", "after the other verified"} {
		if got := outcome(b.Decide(bearing(token))); got != reason(refusal.UnknownKey) {
			t.Errorf("without the key, %s: %s", when, got)
		}
		if when == "while the other verifies" {
			close(ours.slow)
			waiting.Wait()
		}
	}
}
