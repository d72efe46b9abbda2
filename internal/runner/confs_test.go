package runner_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

// knows reports whether the runner knows a token.
func (c *client) knows(token uint32) bool {
	c.t.Helper()
	r := get()
	r.ConfToken = token
	payload, err := a6.EncodeRequest(r)
	if err != nil {
		c.t.Fatal(err)
	}
	kind, _ := c.exchange(a6.HTTPReqCall, payload)
	return kind == a6.HTTPReqCall
}

func TestConfigurationsThatNobodyUsesAreDropped(t *testing.T) {
	opt := only(&filter{name: "p", run: func(exchange) {}})
	opt.ConfTTL = time.Hour
	inMemory(t, opt, func(t *testing.T, s *runner.Server, connect func() *client) {
		c := connect()
		used, unused := c.prepare("a", entry("p", "a")), c.prepare("b", entry("p", "b"))
		for range 5 {
			<-time.After(30 * time.Minute)
			if !c.knows(used) {
				t.Fatal("a configuration in use was dropped")
			}
		}
		synctest.Wait()
		if stats := s.Stats(); stats.Configurations != 1 || stats.ConfigurationEvictions != 1 {
			t.Errorf("%+v", stats)
		}
		if c.knows(unused) {
			t.Error("a configuration that nobody used for hours is known")
		}
	})
}

func TestConfigurationsAreBoundedInBytes(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		opt := only(&filter{name: "p", run: func(exchange) {}})
		opt.MaxConfBytes = 10_000
		path, s := d.start(t, opt)
		c := dial(t, path)
		last := uint32(0)
		for n := range 100 {
			last = c.prepare(fmt.Sprint(n), entry("p", fmt.Sprint(n, strings.Repeat(" ", 1000))))
		}
		if bytes := s.Stats().ConfigurationBytes; bytes > 10_000 || !c.knows(last) {
			t.Errorf("%d bytes are kept", bytes)
		}
		if huge := c.prepare("huge", entry("p", strings.Repeat(" ", 20_000))); !c.knows(huge) {
			t.Error("one configuration beyond the bound is not served")
		}
	})
}

// waiting is a policy that could not be made yet.
type waiting struct{}

func (waiting) RetryAfter() time.Duration { return 5 * time.Second }

// waitingError is the same as an error.
type waitingError struct{ waiting }

func (waitingError) Error() string { return "the file is not there yet" }

func TestAConfigurationThatWaitsForSomethingOutsideIsReadAgain(t *testing.T) {
	for name, parse := range map[string]func(there bool) (any, error){
		"as a value": func(there bool) (any, error) {
			if there {
				return "there", nil
			}
			return waiting{}, nil
		},
		"as an error": func(there bool) (any, error) {
			if there {
				return "there", nil
			}
			return nil, fmt.Errorf("secret: %w", waitingError{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			there, reads := false, 0
			opt := only(&filter{
				name: "p", parse: func([]byte) (any, error) { reads++; return parse(there) },
				run: func(x exchange) {
					if x.conf != "there" {
						x.w.WriteHeader(500)
					}
				},
			})
			inMemory(t, opt, func(t *testing.T, _ *runner.Server, connect func() *client) {
				c := connect()
				r := get()
				r.ConfToken = c.prepare("r", entry("p", "{}"))
				there = true
				if !isDenied(c.call(r)) || reads != 1 {
					t.Errorf("passes after %d readings, before it was time to read again", reads)
				}
				<-time.After(6 * time.Second)
				c.call(r) // it starts the reading, and need not wait for it
				synctest.Wait()
				if isDenied(c.call(r)) || reads != 2 {
					t.Errorf("denied after %d readings", reads)
				}
				<-time.After(time.Minute)
				c.call(r)
				synctest.Wait()
				if reads != 2 {
					t.Errorf("%d readings of a configuration that is well", reads)
				}
			})
		})
	}
}

func TestReloadReadsEveryConfigurationAgain(t *testing.T) {
	secret := "old"
	opt := only(&filter{
		name: "p", parse: func([]byte) (any, error) { return secret, nil },
		run: func(x exchange) { x.r.Header().Set("X-Secret", x.conf.(string)) },
	})
	inMemory(t, opt, func(t *testing.T, s *runner.Server, connect func() *client) {
		c := connect()
		r := get()
		r.ConfToken = c.prepare("r", entry("p", "{}"))
		secret = "new"
		if a := c.call(r); a.Rewrite.Headers[0].Value != "old" {
			t.Errorf("%+v", a)
		}
		s.Reload()
		synctest.Wait()
		if a := c.call(r); a.Rewrite.Headers[0].Value != "new" {
			t.Errorf("%+v", a)
		}
	})
}

func TestTheRunnerCountsWhatItDoes(t *testing.T) {
	opt := only(&filter{
		name: "p", parse: func(in []byte) (any, error) {
			if string(in) == "error" {
				return nil, errors.New("no")
			}
			return string(in), nil
		},
		run: func(x exchange) {
			switch x.conf {
			case "stop":
				x.w.WriteHeader(401)
			case "panic":
				panic("boom")
			}
		},
	})
	inMemory(t, opt, func(t *testing.T, s *runner.Server, connect func() *client) {
		c := connect()
		for _, conf := range []string{"pass", "pass", "pass", "stop", "stop", "panic", "error"} {
			c.route("p", conf, get())
		}
		for token := range uint32(2) { // 0 is how ping asks
			if c.knows(token) {
				t.Errorf("token %d is known", token)
			}
		}
		bad := connect()
		_, _ = bad.Write([]byte{9, 0, 0, 0})
		bad.receive()
		synctest.Wait()
		want := runner.Stats{
			Connections: 1, Configurations: 4, ConfigurationBytes: 22,
			Requests: []runner.RequestCount{
				{Plugin: "", Outcome: runner.Denied, Count: 1},
				{Plugin: "p", Outcome: runner.Passed, Count: 3},
				{Plugin: "p", Outcome: runner.Stopped, Count: 2},
				{Plugin: "p", Outcome: runner.Failed, Count: 1},
			},
			TokenNotFound: 1, Panics: 1, FrameErrors: 1,
		}
		if diff := cmp.Diff(want, s.Stats(), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}
