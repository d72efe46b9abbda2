package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"
)

const (
	monitoring = "../../apisix-conf/monitoring/"
	nameScheme = model.UTF8Validation
)

// queries are all that the dashboard and the alerts ask of Prometheus, by where
// they stand. Grafana's variables are written out.
func queries(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	text, err := os.ReadFile(monitoring + "rules.yml")
	if err == nil {
		err = yaml.Unmarshal(text, &rules)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			all["rules.yml: "+r.Alert] = r.Expr
		}
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if text, err = os.ReadFile(monitoring + "grafana/dashboards/auth0-jwt.json"); err == nil {
		err = json.Unmarshal(text, &dashboard)
	}
	if err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$route", ".*")
	for _, p := range dashboard.Panels {
		for i, target := range p.Targets {
			all[fmt.Sprintf("auth0-jwt.json: %s, %d", p.Title, i)] = variables.Replace(target.Expr)
		}
	}
	return all
}

var (
	metricUsed  = regexp.MustCompile(`\b((?:auth0_jwt|process|go)_[a-z0-9_]+)(?:\{([^}]*)\})?`)
	matcherUsed = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	groupedBy   = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
)

// scraped are the labels that Prometheus itself adds.
var scraped = []string{"instance", "job"}

// TestEveryQueryNamesMetricsThatARunnerExports, and labels that they have.
func TestEveryQueryNamesMetricsThatARunnerExports(t *testing.T) {
	o := startObserved(t, "--allow-insecure")
	o.busy()
	families := o.scrape()
	labelsOf := func(metric string) (labels []string, there bool) {
		family, there := families[metric]
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if base, cut := strings.CutSuffix(metric, suffix); cut && !there && families[base].GetType() == dto.MetricType_HISTOGRAM {
				family, there = families[base], true
				labels = append(labels, "le")
			}
		}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName())
			}
		}
		return append(labels, scraped...), there
	}
	all := queries(t)
	if len(all) < 40 {
		t.Errorf("only %d queries were found", len(all))
	}
	for where, query := range all {
		used := metricUsed.FindAllStringSubmatch(query, -1)
		if len(used) == 0 && !strings.HasPrefix(query, "up{") {
			t.Errorf("%s names no metric: %s", where, query)
		}
		var known []string
		for _, m := range used {
			labels, there := labelsOf(m[1])
			if !there {
				t.Errorf("%s: no runner exports %s", where, m[1])
			}
			for _, l := range matcherUsed.FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(labels, l[1]) {
					t.Errorf("%s: %s has no label %s", where, m[1], l[1])
				}
			}
			known = append(known, labels...)
		}
		for _, group := range groupedBy.FindAllStringSubmatch(query, -1) {
			for l := range strings.SplitSeq(group[1], ",") {
				if l = strings.TrimSpace(l); !slices.Contains(known, l) {
					t.Errorf("%s: none of its metrics has the label %s", where, l)
				}
			}
		}
	}
}

// TestPromtoolTakesRulesAndQueries: with Prometheus' own parser, and the tests of
// the rules.
func TestPromtoolTakesRulesAndQueries(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("promtool is not there: install Debian's prometheus")
		}
		t.Skip("promtool is not there")
	}
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []rule
	for _, query := range queries(t) {
		rules = append(rules, rule{fmt.Sprintf("query_%d", len(rules)), query})
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "queries", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	written := filepath.Join(t.TempDir(), "queries.yml")
	if err := os.WriteFile(written, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"check", "rules", written}, {"check", "rules", monitoring + "rules.yml"},
		{"test", "rules", monitoring + "rules_test.yml"}, {"check", "config", monitoring + "prometheus.yml"},
	} {
		if out, err := exec.Command(promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
