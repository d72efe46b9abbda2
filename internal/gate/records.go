package gate

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/latency"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// What is kept about routes is bounded, since configurations come without end.
const (
	// maxNames is how many names routes have in metrics. The routes with names
	// beyond that are counted together with those that have none.
	maxNames = 1000
	// maxLabels is how many routes the limits of the log are kept for. Beyond
	// that they begin anew.
	maxLabels = 4096
	// maxRules is how many rules of one name are told apart; a configuration has
	// at most so many.
	maxRules = 100
)

// numKinds is more than there are kinds of refusal: an array needs a constant.
const numKinds = 64

// slot is where a kind is counted.
func slot(k refusal.Kind) int {
	if int(k) >= numKinds {
		k = refusal.Internal
	}
	return int(k)
}

// numStripes is how many processors can count without being in each other's
// way.
const numStripes = 16

// stripe is one part of what every request counts, alone in its cache lines.
type stripe struct {
	n atomic.Int64
	_ [120]byte
}

type striped [numStripes]stripe

func (s *striped) add(n int64) { s[rand.Uint32()%numStripes].n.Add(n) }

func (s *striped) sum() (n int64) {
	for i := range s {
		n += s[i].n.Load()
	}
	return n
}

// Outcome is how a decision ended, for its duration.
type Outcome string

// The outcomes.
const (
	Forwarded Outcome = "forwarded"
	Refused   Outcome = "refused" // 3xx and 4xx: it was the request's turn
	Failed    Outcome = "failed"  // 5xx: nobody could decide
)

// Records are what gates count, time and log of their decisions. They may be
// given to one gate after the other. Their methods may be called by any
// goroutine.
type Records struct {
	inFlight striped
	took     struct{ forwarded, refused, failed latency.Histogram }
	logins   logins
	unnamed  tallied
	nobody   routeRecords // of a route that nobody compiled

	mu     sync.Mutex // of the maps, when a configuration is read and when metrics are
	names  map[string]*tallied
	limits map[string]*limits
	key    subjectKey
}

// NewRecords makes records with nothing in them.
func NewRecords() *Records {
	r := &Records{names: map[string]*tallied{}, limits: map[string]*limits{}, key: newSubjectKey()}
	r.nobody = routeRecords{tallied: &r.unnamed, limits: &limits{}}
	return r
}

// tallied is what is counted for the routes of one name.
type tallied struct {
	forwarded striped
	refused   [numKinds]atomic.Uint64     // by refusal.Kind
	answers   [len(reasons)]atomic.Uint64 // of login's
	reports   [maxRules]atomic.Uint64     // by rule
}

// routeRecords are where a route's decisions are counted, and what the log says
// of it.
type routeRecords struct {
	*tallied
	limits *limits
	label  string // in the log: the configuration's name, or APISIX's key
}

// of is where the decisions of a route are counted: by its name in the
// configuration; APISIX's key is for the log alone.
func (r *Records) of(name, key string) *routeRecords {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := &routeRecords{label: labelOf(name, key)}
	if of.tallied = r.names[name]; of.tallied == nil {
		of.tallied = &r.unnamed
		if name != "" && len(r.names) < maxNames {
			of.tallied = &tallied{}
			r.names[name] = of.tallied
		}
	}
	if of.limits = r.limits[of.label]; of.limits == nil {
		if len(r.limits) >= maxLabels {
			clear(r.limits)
		}
		of.limits = &limits{}
		r.limits[of.label] = of.limits
	}
	return of
}

// record is where a route is counted.
func (r *Records) record(route *Route) *routeRecords {
	if route == nil || route.records == nil {
		return &r.nobody
	}
	return route.records
}

func (r *Records) histogram(o Outcome) *latency.Histogram {
	switch o {
	case Forwarded:
		return &r.took.forwarded
	case Refused:
		return &r.took.refused
	case Failed:
	}
	return &r.took.failed
}

// Count is how many requests to the routes of one name ended with one reason.
type Count struct {
	Route  string // the name key of the configurations; "" for all that have none
	Reason string // "forwarded", or why not
	N      uint64
}

// RuleCount is how often a rule with report_only would have denied a request.
type RuleCount struct {
	Route string
	Rule  int
	N     uint64
}

// each calls f for the routes without a name, and for each name.
func (r *Records) each(f func(name string, c *tallied)) {
	f("", &r.unnamed)
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, c := range r.names {
		f(name, c)
	}
}

// Decisions counts the decisions so far. Reasons that no request of a named route
// has met are left out.
func (r *Records) Decisions() (all []Count) {
	r.each(func(name string, c *tallied) {
		all = append(all, Count{name, string(Forwarded), uint64(c.forwarded.sum())})
		byReason := map[string]uint64{} // two kinds may share theirs
		for _, kind := range refusal.Kinds() {
			byReason[kind.Reason()] += c.refused[slot(kind)].Load()
		}
		for i, reason := range reasons {
			byReason[reason] += c.answers[i].Load()
		}
		for reason, n := range byReason {
			if name == "" || n > 0 {
				all = append(all, Count{name, reason, n})
			}
		}
	})
	return all
}

// Reports counts the rules with report_only that would have denied a request.
func (r *Records) Reports() (all []RuleCount) {
	r.each(func(name string, c *tallied) {
		for i := range c.reports {
			if n := c.reports[i].Load(); n > 0 {
				all = append(all, RuleCount{name, i, n})
			}
		}
	})
	return all
}

// Durations are how long decisions took, by their outcome.
func (r *Records) Durations() map[Outcome]latency.Snapshot {
	return map[Outcome]latency.Snapshot{
		Forwarded: r.took.forwarded.Snapshot(), Refused: r.took.refused.Snapshot(), Failed: r.took.failed.Snapshot(),
	}
}

// outcomeOf is that of an answer; 0 is that the request is forwarded.
func outcomeOf(status int) Outcome {
	switch {
	case status == 0:
		return Forwarded
	case status >= 500:
		return Failed
	}
	return Refused
}

// Records are what was counted and timed.
func (g *Gate) Records() *Records { return g.records }

// InFlight is the number of requests that are being decided and may wait.
func (g *Gate) InFlight() int64 { return g.records.inFlight.sum() }

// Decisions counts the requests so far by outcome, whatever their route:
// "forwarded", or the reason of the refusal.
func (g *Gate) Decisions() map[string]uint64 {
	counts := map[string]uint64{}
	for _, c := range g.records.Decisions() {
		counts[c.Reason] += c.N
	}
	return counts
}

// Reported is how often a rule with report_only would have denied a request.
func (g *Gate) Reported() (n uint64) {
	for _, c := range g.records.Reports() {
		n += c.N
	}
	return n
}
