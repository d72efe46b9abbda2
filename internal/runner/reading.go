package runner

import (
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inplace"
)

// conf is a configuration that was read.
type conf struct {
	steps  []step
	denies bool // a step could not be made: no request is let through
}

type step struct {
	plugin *servedPlugin
	conf   any
}

// read reads a configuration with its plugins, for the first time or again.
// Requests are judged by what was read before until it is done.
func (s *confStore) read(k *kept) {
	k.reading.Lock()
	defer k.reading.Unlock()
	c, again := s.steps(k.route, k.entries)
	k.conf.Store(c)
	at := int64(0)
	if again > 0 {
		at = time.Now().Add(again).UnixNano()
	}
	k.retryAt.Store(at)
}

// reload reads all configurations again.
func (s *confStore) reload() {
	s.mu.Lock()
	all := slices.Collect(maps.Values(s.byDigest))
	s.mu.Unlock()
	for _, k := range all {
		<-k.ready
		s.read(k)
	}
	s.log.Info("the configurations were read again", "configurations", len(all))
}

// steps reads every configuration with its plugin, and says after how long to
// do so again, 0 for never. A route whose plugins cannot all run lets nothing
// through: which one was left out is not for the runner to judge.
func (s *confStore) steps(route string, entries []a6.Entry) (read *conf, again time.Duration) {
	log := s.log.With("route", route)
	deny := &conf{denies: true}
	if len(entries) == 0 {
		log.Error("the route's ext-plugin block names no plugin; the route denies every request",
			"remedy", `write "conf": [{"name": "…", "value": "…"}]`)
		return deny, 0
	}
	read = &conf{}
	for _, e := range entries {
		p, known := s.plugins[e.Name]
		if !known {
			log.Error("the route names a plugin that this runner does not have; the route denies every request",
				"plugin", e.Name, "known", strings.Join(slices.Sorted(maps.Keys(s.plugins)), ", "))
			return deny, 0
		}
		c, err := s.parse(p, route, e.Value)
		if wait := retryAfter(c, err); wait > 0 && (again == 0 || wait < again) {
			again = wait
		}
		if err != nil {
			log.Error("a plugin cannot use its configuration; the route denies every request",
				"plugin", e.Name, "error", err.Error(), "tried_again", again > 0)
			return deny, again
		}
		read.steps = append(read.steps, step{p, c})
	}
	return read, again
}

func retryAfter(c any, err error) time.Duration {
	if r, ok := c.(inplace.Retrier); ok {
		return r.RetryAfter()
	}
	if r := inplace.Retrier(nil); errors.As(err, &r) {
		return r.RetryAfter()
	}
	return 0
}

func (s *confStore) parse(p *servedPlugin, route, value string) (c any, err error) {
	defer func() {
		if caught := recover(); caught != nil {
			s.counters.panics.Add(1)
			c, err = nil, fmt.Errorf("panic: %T", caught)
		}
	}()
	if keyed, ok := p.Plugin.(inplace.KeyedParser); ok {
		return keyed.ParseConfFor(route, []byte(value))
	}
	return p.ParseConf([]byte(value))
}

// panicked logs a panic of a plugin: where, and never with what, which may be
// a token.
func (s *Server) panicked(name string, caught any) {
	s.counters.panics.Add(1)
	s.log.Error("a plugin panicked; the request was denied",
		"plugin", name, "panic", fmt.Sprintf("%T", caught), "stack", string(debug.Stack()))
}
