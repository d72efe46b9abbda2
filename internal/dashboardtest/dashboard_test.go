package dashboardtest_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	scrapeInterval = "1s"
	rateInterval   = "4s" // four scrapes, as Grafana has it
)

var (
	picture = flag.String("picture", "", "draw the dashboard into this PNG file")
	lasting = flag.Duration("lasting", 12*time.Second, "how long there are requests")
)

// panel is one of the dashboard's, as far as it is drawn.
type panel struct {
	Type, Title, Description string
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct {
		Defaults struct {
			Unit       string
			Thresholds struct {
				Steps []struct {
					Color string
					Value *float64
				}
			}
			Mappings []struct {
				Options map[string]struct{ Text string }
			}
		}
	}
	Targets []struct {
		Expr, LegendFormat string
		Instant            bool
	}
	series []series // of all targets
}

// series is one line of a panel, or one row.
type series struct {
	labels map[string]string
	legend string
	points []point
}

type point struct{ at, value float64 } // seconds

func readDashboard(t *testing.T) (panels []*panel) {
	t.Helper()
	var dashboard struct{ Panels []*panel }
	text, err := os.ReadFile("../../apisix-conf/monitoring/grafana/dashboards/auth0-jwt.json")
	if err == nil {
		err = json.Unmarshal(text, &dashboard)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dashboard.Panels
}

// TestEveryPanelOfTheDashboardShowsSomething of a runner that is used: each of its
// queries has a value that is a number. With -picture the dashboard is drawn.
func TestEveryPanelOfTheDashboardShowsSomething(t *testing.T) {
	s := startStack(t, need(t, "prometheus"))
	panels := readDashboard(t)
	begin := time.Now()
	s.run(*lasting)
	end := time.Now()
	shown := 0
	for _, p := range panels {
		for i, target := range p.Targets {
			found := s.ask(target.Expr, target.Instant || p.Type != "timeseries", begin, end)
			if len(found) == 0 {
				t.Errorf("%s, query %d has no data: %s", p.Title, i, target.Expr)
			}
			for _, one := range found {
				one.legend = legend(target.LegendFormat, one.labels)
				p.series = append(p.series, one)
			}
			shown++
		}
	}
	if shown < 30 {
		t.Errorf("only %d queries were asked", shown)
	}
	if *picture != "" {
		draw(t, panels, begin, end, *picture)
	}
}

// need is the path of a program. Nothing is skipped in CI.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	switch {
	case err == nil:
	case os.Getenv("CI") != "":
		t.Fatalf("this test needs %s (Debian: apt-get install %s)", program, program)
	default:
		t.Skipf("this test needs %s (Debian: apt-get install %s)", program, program)
	}
	return path
}

// ask asks Prometheus, as Grafana does, and gives what is a number: the whole time,
// or what is the case now.
func (s *stack) ask(expr string, now bool, begin, end time.Time) (all []series) {
	s.t.Helper()
	query := strings.NewReplacer("$__rate_interval", rateInterval, "$instance", ".*", "$route", ".*").Replace(expr)
	path, values := "query_range", url.Values{"query": {query}, "start": {unix(begin)}, "end": {unix(end)}, "step": {"1"}}
	if now {
		path, values = "query", url.Values{"query": {query}, "time": {unix(end)}}
	}
	resp, err := http.Get(s.prometheus + "/api/v1/" + path + "?" + values.Encode())
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Value  []any
				Values [][]any
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Error != "" {
		s.t.Fatalf("%s: %v %s", expr, err, answer.Error)
	}
	for _, r := range answer.Data.Result {
		one := series{labels: r.Metric}
		if r.Value != nil {
			r.Values = append(r.Values, r.Value)
		}
		for _, v := range r.Values {
			at, _ := v[0].(float64)
			text, _ := v[1].(string)
			if value, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(value) && !math.IsInf(value, 0) {
				one.points = append(one.points, point{at, value})
			}
		}
		if len(one.points) > 0 {
			all = append(all, one)
		}
	}
	sort.Slice(all, func(i, j int) bool { return fmt.Sprint(all[i].labels) < fmt.Sprint(all[j].labels) })
	return all
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1e3, 'f', 3, 64) }

var inLegend = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// legend writes a series' labels into a legendFormat.
func legend(format string, labels map[string]string) string {
	return strings.TrimSpace(inLegend.ReplaceAllStringFunc(format, func(name string) string {
		return labels[inLegend.FindStringSubmatch(name)[1]]
	}))
}
