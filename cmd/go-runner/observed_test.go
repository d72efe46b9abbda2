package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// observed is a runner with an admin address, and a connection as APISIX has one.
type observed struct {
	*process
	admin string
	conn  net.Conn
	in    *bufio.Reader
}

func startObserved(t *testing.T, args ...string) *observed {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &observed{admin: "http://" + l.Addr().String()}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o.process = startRunner(t, append([]string{"--admin-addr", strings.TrimPrefix(o.admin, "http://")}, args...)...)
	if o.conn, err = net.Dial("unix", o.socket); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.conn.Close() })
	o.in = bufio.NewReader(o.conn)
	return o
}

// exchange sends a frame and reads its answer.
func (o *observed) exchange(kind a6.Type, payload []byte) []byte {
	o.t.Helper()
	if err := a6.WriteFrame(o.conn, kind, payload); err != nil {
		o.t.Fatal(err)
	}
	_, answer, err := a6.ReadFrame(o.in, nil)
	if err != nil {
		o.t.Fatal(err)
	}
	return answer
}

// route prepares a configuration, as APISIX does for a route that it calls key.
func (o *observed) route(key, plugin, conf string) (token uint32) {
	o.t.Helper()
	token, err := a6.DecodePrepareConfResp(o.exchange(a6.PrepareConf, a6.EncodePrepareConf(key, []a6.Entry{{Name: plugin, Value: conf, HasValue: true}})))
	if err != nil {
		o.t.Fatal(err)
	}
	return token
}

// request sends one, and gives the status of the answer; 0 is that it is forwarded.
func (o *observed) request(route uint32, path string, headers ...a6.Entry) int {
	o.t.Helper()
	payload, err := a6.EncodeRequest(a6.Request{ID: 1, ConfToken: route, SrcIP: []byte{192, 0, 2, 7}, Method: "GET", Path: path, Headers: headers})
	if err != nil {
		o.t.Fatal(err)
	}
	answer, err := a6.DecodeAnswer(o.exchange(a6.HTTPReqCall, payload))
	if err != nil {
		o.t.Fatal(err)
	}
	if answer.Stop == nil {
		return 0
	}
	return int(answer.Stop.Status)
}

func bearer(token string) a6.Entry {
	return a6.Entry{Name: "authorization", Value: "Bearer " + token, HasValue: true}
}

// scrape reads the metrics as Prometheus does.
func (o *observed) scrape() map[string]*dto.MetricFamily {
	o.t.Helper()
	answer, err := http.Get(o.admin + "/metrics")
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close()
	parser := expfmt.NewTextParser(nameScheme)
	families, err := parser.TextToMetricFamilies(answer.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return families
}

// value is that of the metric with these labels, "name=value"; 0 where it is not
// there.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) (sum float64) {
	for _, m := range families[name].GetMetric() {
		var has []string
		for _, l := range m.GetLabel() {
			has = append(has, l.GetName()+"="+l.GetValue())
		}
		if !slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(has, l) }) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

const observedIssuer = "https://tenant.example/"

func inlineRoute(more string) string {
	return fmt.Sprintf(`{"issuer":%q,"audience":"api","algorithms":["EdDSA"],"jwks":%s%s}`, observedIssuer, forge.JWKS(forge.JWK(forge.Ed25519(), "kid", "k")), more)
}

func observedToken(changes ...string) string {
	return forge.Sign("EdDSA", forge.Ed25519(), forge.Header("EdDSA", "k"), forge.Claims(observedIssuer, "api", time.Now(), changes...))
}

// busy sends requests of many kinds, with a mark in whatever a client chooses.
func (o *observed) busy() {
	o.t.Helper()
	named := o.route("1", "auth0-jwt", inlineRoute(`,"name":"orders","rules":[{"expression":"false","report_only":true}]`))
	unnamed := o.route("2", "auth0-jwt", inlineRoute(""))
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(forge.JWKS(forge.JWK(forge.Ed25519(), "kid", "k")))
	}))
	defer keys.Close()
	fetched := o.route("3", "auth0-jwt", fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q,"audience":"api","algorithms":["EdDSA"]}`, observedIssuer, keys.URL))
	broken := o.route("4", "auth0-jwt", `{"MARKED":1}`)
	for _, route := range []uint32{named, unnamed, broken} {
		for _, token := range []string{
			observedToken("sub", `"MARKED"`), observedToken("exp", "1000000000"), "MARKED", observedToken("iss", `"https://MARKED.example/"`),
			forge.Sign("EdDSA", forge.Ed25519(), forge.Header("EdDSA", "MARKED"), forge.Claims(observedIssuer, "api", time.Now())),
		} {
			for range 2 {
				o.request(route, "/MARKED", bearer(token), a6.Entry{Name: "x-request-id", Value: "MARKED", HasValue: true})
			}
		}
	}
	if status := o.request(fetched, "/", bearer(observedToken())); status != 0 {
		o.t.Errorf("status %d", status)
	}
}

// TestTheMetricsAreThoseThatAreDocumented: names and labels are a golden file
// that dashboards of users depend on, and no label holds what a client chose.
func TestTheMetricsAreThoseThatAreDocumented(t *testing.T) {
	o := startObserved(t, "--allow-insecure")
	o.busy()
	families := o.scrape()
	var got strings.Builder
	for _, name := range slices.Sorted(maps.Keys(families)) {
		if !strings.HasPrefix(name, "auth0_jwt_") {
			continue
		}
		labels := map[string]bool{}
		for _, m := range families[name].GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = true
				if strings.Contains(l.GetValue(), "MARKED") {
					t.Errorf("%s: a client chose the label %s", name, l)
				}
			}
		}
		fmt.Fprintf(&got, "%s{%s} %s\n", name, strings.Join(slices.Sorted(maps.Keys(labels)), ","), strings.ToLower(families[name].GetType().String()))
	}
	golden := filepath.Join("testdata", "metrics.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("testdata/metrics.golden (-documented +exported):\n%s", diff)
	}
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(got.String()) {
		if name, _, _ := strings.Cut(line, "{"); !strings.Contains(string(page), "`"+name) {
			t.Errorf("docs/operations.md does not tell of %s", name)
		}
	}
}

func TestDeniedRequestsOfAnUnknownPluginAreCounted(t *testing.T) {
	o := startObserved(t)
	route := o.route("5", "auth0-jtw", "{}")
	for range 7 {
		if status := o.request(route, "/"); status != http.StatusInternalServerError {
			t.Errorf("status %d", status)
		}
	}
	if n := value(o.scrape(), "auth0_jwt_runner_requests_total", "plugin=", "outcome=denied"); n != 7 {
		t.Errorf("counted %v", n)
	}
}

// TestARunnerLogsRefusalsByTheKeyOfTheRoute, with the settings that change what it
// says.
func TestARunnerLogsRefusalsByTheKeyOfTheRoute(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, `"msg":"refused","route":"orders/1#v2","reason":"expired","status":401,"method":"GET","path":"/orders","ip":"192.0.2.7","issuer":{"index":0,"name":"` + observedIssuer + `"},"kid":"k","subject":"`},
		{[]string{"--log-subjects"}, `"subject":"auth0|alice"`},
		{[]string{"--log-format", "console"}, `msg=refused route=orders/1#v2 reason=expired status=401 method=GET path=/orders ip=192.0.2.7 issuer.index=0 issuer.name=` + observedIssuer + ` kid=k subject=`},
	} {
		o := startObserved(t, tt.args...)
		route := o.route("orders/1#v2", "auth0-jwt", inlineRoute(""))
		o.request(route, "/orders", bearer(observedToken("exp", "1000000000")))
		line := o.says("refused")
		if !strings.Contains(line, tt.want) {
			t.Errorf("%v: %s", tt.args, line)
		}
		if len(tt.args) == 0 && strings.Contains(line, "alice") {
			t.Errorf("the subject is not hashed: %s", line)
		}
	}
}

// TestARunnerSendsSpansToACollector, named by the environment as every other
// program has it.
func TestARunnerSendsSpansToACollector(t *testing.T) {
	spans := make(chan []byte, 100)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	collector := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil {
			spans <- body
		}
	})}
	go func() { _ = collector.Serve(l) }()
	defer collector.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+l.Addr().String())
	o := startObserved(t)
	route := o.route("1", "auth0-jwt", inlineRoute(`,"name":"orders"`))
	token := observedToken("sub", `"MARKED"`)
	for range 2 {
		o.request(route, "/", bearer(token), a6.Entry{Name: "traceparent", Value: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", HasValue: true})
	}
	select {
	case body := <-spans:
		parent := string([]byte{0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7})
		if n := strings.Count(string(body), parent); n != 2 {
			t.Errorf("%d spans under the client's", n)
		}
		if strings.Contains(string(body), "MARKED") || strings.Contains(string(body), strings.Split(token, ".")[1]) {
			t.Error("a span holds a claim or the token")
		}
	case <-time.After(hangGuard):
		t.Fatal("no spans came")
	}
}
