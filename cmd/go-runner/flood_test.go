package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// linesPerSecond is how many lines the log has at most for each route and reason.
const linesPerSecond = 10

// badTokens are different tokens for each of eight reasons to refuse one.
func badTokens() map[string][]string {
	bad := map[string][]string{}
	for i := range 100 {
		claims := []string{"sub", fmt.Sprintf(`"user-%d"`, i)}
		with := func(name, value string) string { return observedToken(append(claims, name, value)...) }
		good := observedToken(claims...)
		for reason, token := range map[string]string{
			"missing_token":   "",
			"malformed_token": fmt.Sprintf("opaque-%d", i),
			"bad_signature":   good[:len(good)-86] + strings.Repeat("A", 86),
			"expired":         with("exp", "1000000000"),
			"unknown_issuer":  with("iss", `"https://other.example/"`),
			"bad_audience":    with("aud", `"another"`),
			"unknown_key":     forge.Sign("EdDSA", forge.Ed25519(), forge.Header("EdDSA", fmt.Sprint(i)), forge.Claims(observedIssuer, "api", time.Now(), claims...)),
			"alg_not_allowed": forge.Sign("HS256", []byte("secret"), forge.Header("HS256", "k"), forge.Claims(observedIssuer, "api", time.Now(), claims...)),
		} {
			bad[reason] = append(bad[reason], token)
		}
	}
	return bad
}

// logged are the lines of refusals that a runner wrote so far.
type logged struct {
	mu             sync.Mutex
	lines, leftOut map[string]int // by route and reason
	bytes          int
	misbehaved     chan struct{} // a line about a frame that misbehave sent
}

// read reads the log until it ends.
func (l *logged) read(log *bufio.Reader) {
	for {
		text, err := log.ReadBytes('\n')
		if err != nil {
			return
		}
		var line struct {
			Msg, Route, Reason string
			LeftOut            int `json:"left_out"`
		}
		switch err := json.Unmarshal(text, &line); {
		case err != nil:
		case line.Msg == "refused":
			l.mu.Lock()
			l.lines[line.Route+" "+line.Reason]++
			l.leftOut[line.Route+" "+line.Reason] += line.LeftOut
			l.bytes += len(text)
			l.mu.Unlock()
		case strings.HasPrefix(line.Msg, "a frame of a type"):
			l.misbehaved <- struct{}{}
		}
	}
}

// soFar is how many lines there are, by route and reason and in all, how many they
// say were left out, and their length, when all that the runner logged before was read.
func (l *logged) soFar(o *observed) (kinds map[string]int, lines, leftOut, bytes int) {
	o.misbehave()
	<-l.misbehaved
	l.mu.Lock()
	defer l.mu.Unlock()
	for kind, n := range l.lines {
		lines += n
		leftOut += l.leftOut[kind]
	}
	return maps.Clone(l.lines), lines, leftOut, l.bytes
}

// TestAFloodOfBadTokensWritesFewLines, which say how many were left out, while good
// tokens pass. FLOOD_SECONDS and FLOOD_PER_SECOND make it longer, for the figures of
// docs/operations.md.
func TestAFloodOfBadTokensWritesFewLines(t *testing.T) {
	lasting, perSecond := time.Duration(number("FLOOD_SECONDS", 2))*time.Second, number("FLOOD_PER_SECOND", 10_000)
	all := badTokens()
	for _, tt := range []struct {
		name   string
		routes []string
		tokens map[string][]string
	}{
		{"opaque tokens to one route", []string{"orders"}, map[string][]string{"malformed_token": all["malformed_token"]}},
		{"forged tokens to one route", []string{"orders"}, map[string][]string{"bad_signature": all["bad_signature"]}},
		{"bad tokens of eight kinds to two routes", []string{"orders", "reports"}, all},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := startObserved(t)
			bad := load{clients: 32, perSecond: perSecond, lasting: lasting}
			good := load{clients: 4, perSecond: 400, lasting: lasting}
			var probes [][]byte // one of each route and reason
			for _, name := range tt.routes {
				route := o.route(name, "auth0-jwt", inlineRoute(`,"name":"`+name+`"`))
				good.frames = append(good.frames, frameOf(t, route, observedToken()))
				for _, tokens := range tt.tokens {
					probes = append(probes, frameOf(t, route, tokens[0]))
					for _, token := range tokens {
						bad.frames = append(bad.frames, frameOf(t, route, token))
					}
				}
			}
			rand.Shuffle(len(bad.frames), func(i, j int) { bad.frames[i], bad.frames[j] = bad.frames[j], bad.frames[i] })
			log := &logged{lines: map[string]int{}, leftOut: map[string]int{}, misbehaved: make(chan struct{}, 1)}
			go log.read(o.stderr)

			begin := time.Now()
			waitBad, waitGood := bad.start(t, o.socket), good.start(t, o.socket)
			refused, passed := waitBad(), waitGood()
			kinds, lines, _, written := log.soFar(o)
			seconds := int(time.Since(begin)/time.Second) + 2 // begun, of a clock's

			for _, load := range []loaded{refused, passed} {
				if load.err != nil {
					t.Fatal(load.err)
				}
			}
			if refused.forwarded > 0 || passed.refused > 0 || passed.forwarded == 0 {
				t.Errorf("%d bad tokens were forwarded, and %d good ones refused of %d", refused.forwarded, passed.refused, passed.sum())
			}
			for kind, n := range kinds {
				if n > linesPerSecond*seconds {
					t.Errorf("%s: %d lines in %d seconds", kind, n, seconds)
				}
			}
			if len(kinds) != len(probes) {
				t.Errorf("there are lines about %v alone", slices.Sorted(maps.Keys(kinds)))
			}
			minutes := refused.took.Minutes()
			t.Logf("%d bad tokens in %v, %.0f a second: %.0f lines a minute of %.0f KiB; %d good tokens passed", refused.refused, refused.took.Round(time.Second),
				float64(refused.refused)/refused.took.Seconds(), float64(lines)/minutes, float64(written)/1024/minutes, passed.forwarded)
			everyRefusalIsToldOf(t, o, log, refused.refused, probes)
			if n := value(o.scrape(), "auth0_jwt_log_lines_dropped_total"); n != 0 {
				t.Errorf("%v lines were dropped", n)
			}
		})
	}
}

// everyRefusalIsToldOf by a line, or by the number of those left out, which the
// first line of a later second has.
func everyRefusalIsToldOf(t *testing.T, o *observed, log *logged, refused int, probes [][]byte) {
	t.Helper()
	c := dial(t, o.socket)
	until(t, func() bool {
		for _, probe := range probes {
			if forwarded, err := c.send(probe); err != nil || forwarded {
				t.Fatalf("forwarded %v, %v", forwarded, err)
			}
		}
		refused += len(probes)
		_, lines, leftOut, _ := log.soFar(o)
		if lines+leftOut > refused {
			t.Fatalf("%d lines, and %d left out, of %d refusals", lines, leftOut, refused)
		}
		return lines+leftOut == refused
	})
}
