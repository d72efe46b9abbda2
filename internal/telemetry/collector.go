package telemetry

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("auth0_jwt_"+name, help, labels, nil)
}

var (
	decisions      = describe("decisions_total", "Requests by the name of their route and by outcome: forwarded, or the reason of the refusal.", "route", "reason")
	took           = describe("decision_duration_seconds", "How long decisions took: forwarded, refused (3xx and 4xx) and failed (5xx).", "outcome")
	reported       = describe("rule_reports_total", "Rules with report_only that would have denied a request.", "route", "rule")
	loginsTotal    = describe("logins_total", "Logins that came back from the issuer, by what came of them.", "result")
	refreshed      = describe("sessions_refreshed_total", "Sessions that got new tokens from the issuer.")
	storeUp        = describe("session_store_up", "1 when the store of sessions answered when it was last asked, or when there is none to ask.")
	cacheRequests  = describe("cache_requests_total", "Look-ups of verified tokens and of decisions.", "cache", "result")
	cacheEvictions = describe("cache_evictions_total", "What was forgotten for want of room.", "cache")
	cacheEntries   = describe("cache_entries", "What is remembered.", "cache")
	cacheSize      = describe("cache_size_bytes", "About how much memory that takes.", "cache")
	revocations    = describe("revocations", "Tokens, sessions, subjects and clients that are revoked.")
	revocationUp   = describe("revocation_feed_up", "1 when new revocations could be heard of in the last 10 s.")
	revokedTotal   = describe("revoked_total", "Requests refused since their token was revoked.")
	revocationLost = describe("revocations_lost_total", "Revocations of other runners that could not be kept.")
	providerReady  = describe("provider_ready", "1 when the runner has usable keys of an issuer.", "issuer")
	providerKeys   = describe("provider_key_info", "1 for every usable key of an issuer.", "issuer", "kid")
	providerSkip   = describe("provider_keys_skipped", "Keys of an issuer's set that are not used.", "issuer")
	providerFetch  = describe("provider_fetched_timestamp_seconds", "When an issuer's keys were fetched last, in Unix time; 0 is never.", "issuer")
	providerFail   = describe("provider_fetch_failures", "Fetches of an issuer's keys that failed in a row, by the last one's kind.", "issuer", "kind")
	providerNext   = describe("provider_next_fetch_timestamp_seconds", "When an issuer's keys are fetched next, in Unix time.", "issuer")
)

// collector reads the sources when Prometheus asks.
type collector struct{ s Sources }

func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		decisions, took, reported, loginsTotal, refreshed, storeUp, cacheRequests, cacheEvictions,
		revocations, revocationUp, revokedTotal, revocationLost,
		cacheEntries, cacheSize, providerReady, providerKeys, providerSkip, providerFetch, providerFail, providerNext,
	} {
		out <- d
	}
	describeRunner(out)
}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	for _, d := range c.s.Decisions() {
		count(decisions, d.Count, d.Route, d.Reason)
	}
	for _, d := range c.s.Durations() {
		out <- newHistogram(took, d.Snapshot, d.Outcome)
	}
	for _, r := range c.s.Reports() {
		count(reported, r.Count, r.Route, strconv.Itoa(r.Rule))
	}
	sessions := c.s.Sessions()
	for _, l := range sessions.Logins {
		count(loginsTotal, l.Count, l.Result)
	}
	count(refreshed, sessions.Refreshed)
	gauge(storeUp, oneIf(sessions.StoreUp))
	for _, m := range c.s.Caches() {
		count(cacheRequests, m.Hits, m.Kind, "hit")
		count(cacheRequests, m.Misses, m.Kind, "miss")
		count(cacheEvictions, m.Evictions, m.Kind)
		gauge(cacheEntries, float64(m.Entries), m.Kind)
		gauge(cacheSize, float64(m.SizeBytes), m.Kind)
	}
	r := c.s.Revocations()
	gauge(revocations, float64(r.Entries))
	gauge(revocationUp, oneIf(r.Up))
	count(revokedTotal, r.Refused)
	count(revocationLost, r.Lost)
	collectRunner(c.s, gauge, count)
	for _, p := range unique(c.s.Providers()) {
		gauge(providerReady, oneIf(p.Ready), p.Issuer)
		gauge(providerSkip, float64(p.Skipped), p.Issuer)
		gauge(providerFetch, seconds(p.Fetched), p.Issuer)
		gauge(providerNext, seconds(p.NextTry), p.Issuer)
		gauge(providerFail, float64(p.Failures), p.Issuer, p.LastError)
		seen := map[string]bool{}
		for _, kid := range p.KeyIDs {
			if !seen[kid] {
				seen[kid] = true
				gauge(providerKeys, 1, p.Issuer, kid)
			}
		}
	}
}

// unique keeps one provider an issuer, the one that is not ready where there
// is one: several routes may name the same issuer with keys from elsewhere,
// and a metric with one set of labels cannot be there twice.
func unique(all []Provider) []Provider {
	byIssuer := map[string]int{}
	var kept []Provider
	for _, p := range all {
		i, there := byIssuer[p.Issuer]
		switch {
		case !there:
			byIssuer[p.Issuer] = len(kept)
			kept = append(kept, p)
		case kept[i].Ready && !p.Ready:
			kept[i] = p
		}
	}
	return kept
}

func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1e3
}
