package page_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/cmd/playground/page"
)

// moment is what the live view streams.
type moment struct {
	At     int64
	Runner struct {
		Up  bool
		PID int
	}
	RequestsPerSecond float64
	Verdicts          []struct {
		Reason    string
		Total     int64
		PerSecond float64
	}
	Latency   struct{ P50, P99 float64 }
	Providers []struct {
		Issuer        string
		Keys          int
		AgeSeconds    float64
		Healthy, Sick bool
	}
	Sessions    struct{ Logins, Refreshed int64 }
	Revocations struct{ Entries, Refused int64 }
	Cache       struct{ HitRatio float64 }
	Load        page.Load
}

func (m moment) total(reason string) int64 {
	for _, v := range m.Verdicts {
		if v.Reason == reason {
			return v.Total
		}
	}
	return 0
}

// watch reads moments until one is as it should be.
func watch(t *testing.T, url string) (until func(what string, is func(moment) bool) moment) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"api/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if kind := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || kind != "text/event-stream" {
		t.Fatalf("%d %s", resp.StatusCode, kind)
	}
	lines := bufio.NewScanner(resp.Body)
	return func(what string, is func(moment) bool) (m moment) {
		t.Helper()
		for range 2000 {
			if !lines.Scan() {
				t.Fatalf("%s: the stream ended: %v", what, lines.Err())
			}
			text, found := strings.CutPrefix(lines.Text(), "data: ")
			if !found {
				continue
			}
			m = moment{}
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				t.Fatal(err)
			}
			if is(m) {
				return m
			}
		}
		t.Fatalf("%s: never; the last is %+v", what, m)
		return m
	}
}

const metricsOfARunner = `# TYPE auth0_jwt_decisions_total counter
auth0_jwt_decisions_total{reason="forwarded",route="api"} FORWARDED
auth0_jwt_decisions_total{reason="forwarded",route="try"} 1
auth0_jwt_decisions_total{reason="expired",route="api"} 2
# TYPE auth0_jwt_decision_duration_seconds histogram
auth0_jwt_decision_duration_seconds_bucket{outcome="forwarded",le="0.001"} FORWARDED
auth0_jwt_decision_duration_seconds_bucket{outcome="forwarded",le="0.002"} FORWARDED
auth0_jwt_decision_duration_seconds_bucket{outcome="forwarded",le="+Inf"} FORWARDED
auth0_jwt_decision_duration_seconds_sum{outcome="forwarded"} 1
auth0_jwt_decision_duration_seconds_count{outcome="forwarded"} FORWARDED
# TYPE auth0_jwt_provider_ready gauge
auth0_jwt_provider_ready{issuer="http://127.0.0.1:9000/"} 1
auth0_jwt_provider_ready{issuer="http://127.0.0.1:9003/"} 0
# TYPE auth0_jwt_provider_key_info gauge
auth0_jwt_provider_key_info{issuer="http://127.0.0.1:9000/",kid="a"} 1
auth0_jwt_provider_key_info{issuer="http://127.0.0.1:9000/",kid="b"} 1
# TYPE auth0_jwt_provider_fetched_timestamp_seconds gauge
auth0_jwt_provider_fetched_timestamp_seconds{issuer="http://127.0.0.1:9000/"} 1
auth0_jwt_provider_fetched_timestamp_seconds{issuer="http://127.0.0.1:9003/"} 0
# TYPE auth0_jwt_revocations gauge
auth0_jwt_revocations 3
# TYPE auth0_jwt_revoked_total counter
auth0_jwt_revoked_total 7
# TYPE auth0_jwt_logins_total counter
auth0_jwt_logins_total{result="completed"} 2
auth0_jwt_logins_total{result="failed"} 5
`

func (b *bench) says(forwarded string, runner page.Runner) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.metrics, b.runner = strings.ReplaceAll(metricsOfARunner, "FORWARDED", forwarded), runner
}

func TestTheLiveViewCountsOnThroughARestart(t *testing.T) {
	b := startBench(t)
	first := page.Runner{Up: true, PID: 11, Start: 1}
	b.says("10", first)
	s := serve(t, b)
	until := watch(t, s.URL())
	m := until("the first runner", func(m moment) bool { return m.total("forwarded") == 11 })
	if m.Runner.PID != 11 || !m.Runner.Up || m.total("expired") != 2 || m.Verdicts[0].Reason != "forwarded" {
		t.Errorf("got %+v", m)
	}
	if m.Revocations.Entries != 3 || m.Revocations.Refused != 7 || m.Sessions.Logins != 2 {
		t.Errorf("got %+v", m)
	}
	if p := m.Providers; len(p) != 2 || p[0].Keys != 2 || !p[0].Healthy || p[0].AgeSeconds <= 0 || p[1].Healthy || p[1].AgeSeconds != -1 {
		t.Errorf("got %+v", m.Providers)
	}
	b.says("30", first)
	m = until("twenty more", func(m moment) bool { return m.total("forwarded") == 31 })
	if m.RequestsPerSecond <= 0 || m.Latency.P50 <= 0 || m.Latency.P50 > 0.001 || m.Latency.P99 > 0.001 {
		t.Errorf("got %+v", m)
	}
	b.says("5", page.Runner{Up: true, PID: 12, Start: 2}) // its counters begin anew
	m = until("the second runner", func(m moment) bool { return m.Runner.PID == 12 })
	if m.total("forwarded") != 37 || m.total("expired") != 4 || m.Revocations.Refused != 14 {
		t.Errorf("got %+v", m)
	}
	b.mu.Lock()
	b.metrics, b.runner.Up = "not metrics {", false
	b.mu.Unlock()
	m = until("no runner", func(m moment) bool { return !m.Runner.Up })
	if m.total("forwarded") != 37 || m.RequestsPerSecond != 0 {
		t.Errorf("got %+v", m)
	}
}

func TestOnlySoManyPagesWatch(t *testing.T) {
	s := serve(t, startBench(t))
	for range 16 {
		watch(t, s.URL())("the first moment", func(moment) bool { return true })
	}
	if resp, body := ask(t, "GET", s.URL()+"api/live", ""); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %d %s", resp.StatusCode, body)
	}
}
