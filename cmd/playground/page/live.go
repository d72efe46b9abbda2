package page

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// moment is what the live view shows of one second.
type moment struct {
	At                int64          `json:"at"` // ms since 1970
	Runner            liveRunner     `json:"runner"`
	RequestsPerSecond float64        `json:"requestsPerSecond"`
	Verdicts          []verdict      `json:"verdicts"`
	Latency           latency        `json:"latency"`
	Providers         []provider     `json:"providers"`
	Sessions          sessions       `json:"sessions"`
	Revocations       revocationView `json:"revocations"`
	Cache             cacheView      `json:"cache"`
	Load              Load           `json:"load"`
}

type liveRunner struct {
	Up  bool `json:"up"`
	PID int  `json:"pid"`
}

type verdict struct {
	Reason    string  `json:"reason"`
	Total     int64   `json:"total"` // since the playground's start
	PerSecond float64 `json:"perSecond"`
}

// latency is of the last seconds' decisions, in seconds; 0 where there were none.
type latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

type provider struct {
	Issuer  string  `json:"issuer"`
	Keys    int     `json:"keys"`
	Age     float64 `json:"ageSeconds"` // of the keys; -1 where there never were any
	Healthy bool    `json:"healthy"`    // as the runner sees it
	Sick    bool    `json:"sick"`       // by the button
}

type sessions struct {
	Logins    int64 `json:"logins"`
	Refreshed int64 `json:"refreshed"`
}

type revocationView struct {
	Entries int64 `json:"entries"`
	Refused int64 `json:"refused"`
}

type cacheView struct {
	HitRatio float64 `json:"hitRatio"` // of the last seconds' look-ups; 0 where there were none
}

const (
	latencyOver = 10 // readings that quantiles and the cache's ratio are over
	maxWatchers = 16
)

// live reads the runner's metrics and tells everybody who watches.
type live struct {
	bench Bench
	ended chan struct{}

	// Of run alone.
	last   []sample           // of one runner, the newest at the end
	totals map[string]float64 // counters over all runners so far

	mu       sync.Mutex
	now      moment
	watchers map[chan moment]bool
}

func newLive(bench Bench) *live {
	return &live{bench: bench, ended: make(chan struct{}), totals: map[string]float64{}, watchers: map[chan moment]bool{}, now: moment{Verdicts: []verdict{}, Providers: []provider{}}}
}

// run reads until ctx is done.
func (l *live) run(ctx context.Context, every time.Duration) {
	defer close(l.ended)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		l.read(ctx, every)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *live) read(ctx context.Context, within time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, max(within, time.Second))
	defer cancel()
	runner := l.bench.Runner()
	m := l.newest() // what cannot be read stays as it was
	m.At, m.Runner, m.Load = time.Now().UnixMilli(), liveRunner{runner.Up, runner.PID}, l.bench.Load()
	text, err := l.bench.Metrics(ctx)
	var s sample
	if err == nil {
		s, err = readSample(text, time.Now(), runner.Start)
	}
	// Whoever was read may be the successor already: what is read then counts the
	// next time.
	if err == nil && l.bench.Runner().Start == runner.Start {
		l.fill(&m, s)
	} else {
		m.RequestsPerSecond = 0
	}
	l.tell(m)
}

func (l *live) newest() moment {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// fill takes a reading in. A new runner's counters begin at nothing.
func (l *live) fill(m *moment, s sample) {
	before := sample{at: s.at, start: s.start}
	if n := len(l.last); n > 0 && l.last[n-1].start == s.start {
		before = l.last[n-1]
	} else {
		l.last = nil
	}
	l.last = append(l.last, s)
	if len(l.last) > latencyOver {
		l.last = l.last[1:]
	}
	elapsed := s.at.Sub(before.at).Seconds()
	rate := func(delta float64) float64 {
		if elapsed <= 0 {
			return 0
		}
		return math.Round(delta/elapsed*10) / 10
	}
	grown := func(name string, now, then float64) (total int64, delta float64) {
		delta = max(0, now-then)
		l.totals[name] += delta
		return int64(l.totals[name]), delta
	}
	m.RequestsPerSecond, m.Verdicts = 0, []verdict{}
	then := before.by("decisions_total", "reason")
	for reason, now := range s.by("decisions_total", "reason") {
		total, delta := grown("reason "+reason, now, then[reason])
		m.RequestsPerSecond += rate(delta)
		if total > 0 {
			m.Verdicts = append(m.Verdicts, verdict{reason, total, rate(delta)})
		}
	}
	slices.SortFunc(m.Verdicts, func(a, b verdict) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), strings.Compare(a.Reason, b.Reason))
	})
	first := l.last[0]
	took := since(s.buckets("decision_duration_seconds"), first.buckets("decision_duration_seconds"))
	m.Latency = latency{quantile(0.5, took), quantile(0.99, took)}
	m.Cache.HitRatio = hitRatio(s, first)
	logins, _ := grown("logins", s.by("logins_total", "result")["completed"], before.by("logins_total", "result")["completed"])
	refreshed, _ := grown("refreshed", s.sum("sessions_refreshed_total"), before.sum("sessions_refreshed_total"))
	refused, _ := grown("refused", s.sum("revoked_total"), before.sum("revoked_total"))
	m.Sessions = sessions{logins, refreshed}
	m.Revocations = revocationView{int64(s.sum("revocations")), refused}
	m.Providers = providers(s, l.bench.Sick())
}

// hitRatio is the share of look-ups that hit.
func hitRatio(now, first sample) float64 {
	of := func(result string) float64 {
		return now.by("cache_requests_total", "result")[result] - first.by("cache_requests_total", "result")[result]
	}
	if hits, all := of("hit"), of("hit")+of("miss"); all > 0 {
		return hits / all
	}
	return 0
}

// providers are the issuers whose keys the runner has asked for.
func providers(s sample, sick []string) []provider {
	list := []provider{}
	keys := map[string]int{}
	for _, m := range s.metrics("provider_key_info") {
		keys[label(m, "issuer")]++
	}
	ready, fetched := s.by("provider_ready", "issuer"), s.by("provider_fetched_timestamp_seconds", "issuer")
	failures := s.by("provider_fetch_failures", "issuer")
	for _, name := range slices.Sorted(maps.Keys(ready)) {
		p := provider{Issuer: name, Keys: keys[name], Age: -1, Healthy: ready[name] > 0 && failures[name] == 0, Sick: slices.Contains(sick, name)}
		if fetched[name] > 0 {
			p.Age = math.Round(max(0, float64(s.at.UnixMilli())/1e3-fetched[name])*10) / 10
		}
		list = append(list, p)
	}
	return list
}

// tell gives everybody who watches the newest moment; who is slow misses some.
func (l *live) tell(m moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = m
	for w := range l.watchers {
		select {
		case <-w:
		default:
		}
		w <- m // it has room for one
	}
}

// watch is a channel of moments, with the newest already in it; nil where too many
// watch.
func (l *live) watch() chan moment {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.watchers) >= maxWatchers {
		return nil
	}
	w := make(chan moment, 1)
	if l.now.At != 0 {
		w <- l.now
	}
	l.watchers[w] = true
	return w
}

func (l *live) leave(w chan moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.watchers, w)
}

// serveLive streams moments as server-sent events.
func (s *Server) serveLive(w http.ResponseWriter, r *http.Request) {
	watched := s.live.watch()
	if watched == nil {
		fail(w, http.StatusServiceUnavailable, "Too many pages watch already: close one.")
		return
	}
	defer s.live.leave(watched)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	for {
		select {
		case <-r.Context().Done():
			return
		case m := <-watched:
			text, err := json.Marshal(m)
			if err != nil {
				return
			}
			if _, err := fmt.Fprintf(w, "data: %s\n\n", text); err != nil || flush.Flush() != nil {
				return
			}
		}
	}
}
