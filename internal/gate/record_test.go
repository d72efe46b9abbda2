package gate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// recording is a gate with a clock that a test moves, and its log as JSON lines.
type recording struct {
	*gate.Gate
	now time.Time
	log bytes.Buffer
}

func newRecording(t *testing.T, opt gate.Options) *recording {
	t.Helper()
	r := &recording{now: now}
	opt.Now = func() time.Time { return r.now }
	opt.Logger = slog.New(slog.NewJSONHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	opt.Cache = gate.NewCache(1 << 20)
	r.Gate = gate.New(opt)
	t.Cleanup(r.Close)
	return r
}

// lines are the lines of refusals since the last call, without their time.
func (r *recording) lines(t *testing.T) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(r.log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		if fields["msg"] == "refused" {
			delete(fields, "time")
			all = append(all, fields)
		}
	}
	r.log.Reset()
	return all
}

// full is a request as a gateway shows it.
type full struct {
	request
	path, ip string
	headers  [][2]string
}

func (r *full) Path() string             { return r.path }
func (r *full) IP() string               { return r.ip }
func (r *full) NumHeader() int           { return len(r.headers) }
func (r *full) HeaderName(i int) []byte  { return []byte(r.headers[i][0]) }
func (r *full) HeaderValue(i int) string { return r.headers[i][1] }

func fullRequest(token string, more ...[2]string) *full {
	if token != "" {
		more = append(more, [2]string{"authorization", "Bearer " + token})
	}
	return &full{path: "/orders", ip: "192.0.2.7", headers: more}
}

// tokenWithKid is a token whose header names a key; kid is the inside of a JSON
// string.
func tokenWithKid(kid string) string {
	return forge.Sign("RS256", forge.RSA(), `{"alg":"RS256","typ":"JWT","kid":"`+kid+`"}`, forge.Claims(issuer, audience, now))
}

func TestARefusalLeavesOneLineThatSaysWhatAnOperatorNeeds(t *testing.T) {
	r := newRecording(t, gate.Options{})
	named := r.CompileFor("orders/1#v2", document(`,"name":"orders"`))
	r.log.Reset()
	r.Decide(named, fullRequest(token("exp", "1000000000", "sub", `"auth0|marked-subject"`), [2]string{"x-request-id", "0f1e-2d"}))
	lines := r.lines(t)
	if len(lines) != 1 {
		t.Fatalf("%d lines: %v", len(lines), lines)
	}
	subject, _ := lines[0]["subject"].(string)
	if len(subject) != 32 || strings.Contains(fmt.Sprint(lines), "marked-subject") {
		t.Errorf("subject %q", subject)
	}
	delete(lines[0], "subject")
	want := map[string]any{
		"level": "INFO", "msg": "refused", "route": "orders", "reason": "expired", "status": 401.0,
		"method": "GET", "path": "/orders", "ip": "192.0.2.7", "request_id": "0f1e-2d",
		"issuer": map[string]any{"index": 0.0, "name": issuer}, "kid": "k",
	}
	if diff := cmp.Diff(want, lines[0]); diff != "" {
		t.Error(diff)
	}
}

// TestWhatTheLogCallsARoute: its name, else APISIX's key for it, also where the
// configuration cannot be used.
func TestWhatTheLogCallsARoute(t *testing.T) {
	for _, tt := range []struct{ key, more, want string }{
		{"orders/1#v2", `,"name":"orders"`, "orders"},
		{"orders/1#v2", ``, "orders/1#v2"},
		{"", ``, ""},
		{"orders/1#v2", `,"unknown":1`, "orders/1#v2"},
		{"orders/1#v2", `,"name":"orders","unknown":1`, "orders"},
		{"orders/1#v2", `,"name":"ord\ners"`, "orders/1#v2"},
	} {
		r := newRecording(t, gate.Options{})
		route := r.CompileFor(tt.key, document(tt.more))
		if route.Err() != nil && !strings.Contains(r.log.String(), fmt.Sprintf(`"route":%q`, tt.want)) {
			t.Errorf("%+v: the configuration's errors do not name the route: %s", tt, &r.log)
		}
		r.log.Reset()
		r.Decide(route, fullRequest(""))
		if lines := r.lines(t); len(lines) != 1 || lines[0]["route"] != tt.want {
			t.Errorf("%+v: %v", tt, lines)
		}
	}
}

func TestAFloodOfRefusalsLeavesTenLinesASecondAndTheirNumber(t *testing.T) {
	r := newRecording(t, gate.Options{})
	route, other := r.CompileFor("a", document("")), r.CompileFor("b", document(""))
	r.log.Reset()
	for range 1000 {
		r.Known(route, fullRequest(""))
	}
	if n := len(r.lines(t)); n != 10 {
		t.Errorf("%d lines in a second", n)
	}
	r.Known(other, fullRequest(""))
	r.Decide(route, fullRequest("a.b.c"))
	if lines := r.lines(t); len(lines) != 2 || lines[0]["left_out"] != nil || lines[1]["left_out"] != nil {
		t.Errorf("another route and another reason have limits of their own: %v", lines)
	}
	r.now = r.now.Add(time.Second)
	r.Known(route, fullRequest(""))
	r.Known(route, fullRequest(""))
	if lines := r.lines(t); len(lines) != 2 || lines[0]["left_out"] != 990.0 || lines[1]["left_out"] != nil {
		t.Errorf("a second later: %v", lines)
	}
}

// TestWhatAClientMayWriteIntoTheLogIsBounded.
func TestWhatAClientMayWriteIntoTheLogIsBounded(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	for _, tt := range []struct {
		name, field string
		req         *full
		want        any
	}{
		{"a long path", "path", &full{path: "/" + long}, "/" + long[:255] + "…"},
		{"a long request id", "request_id", fullRequest("", [2]string{"X-Request-ID", long}), nil},
		{"a request id that is a token", "request_id", fullRequest("", [2]string{"X-Request-ID", "eyJh.eyJz.c2ln"}), nil},
		{"a request id with a line break", "request_id", fullRequest("", [2]string{"X-Request-ID", "a\nb"}), nil},
		{"a long kid", "kid", fullRequest(tokenWithKid(long)), long[:64] + "..."},
		{"a kid with a line break", "kid", fullRequest(tokenWithKid(`k\n1\u2028`)), "k?1???"},
		{"the kid of nobody's token", "kid", fullRequest(token("iss", `"https://other.example/"`)), nil},
		{"the subject of a forged token", "subject", fullRequest(token("sub", `"s"`) + "AAAA"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecording(t, gate.Options{})
			route := r.CompileFor("a", document(""))
			r.log.Reset()
			r.Decide(route, tt.req)
			if lines := r.lines(t); len(lines) != 1 || lines[0][tt.field] != tt.want {
				t.Errorf("%v", lines)
			}
		})
	}
}

func TestSubjectsAreHashedUnlessTheOperatorWantsThem(t *testing.T) {
	expired := func(sub string) *full { return fullRequest(token("exp", "1000000000", "sub", `"`+sub+`"`)) }
	subjects := func(opt gate.Options) (all []any) {
		r := newRecording(t, opt)
		route := r.CompileFor("a", document(""))
		r.log.Reset()
		for _, sub := range []string{"alice", "bob", "alice"} {
			r.Decide(route, expired(sub))
		}
		for _, line := range r.lines(t) {
			all = append(all, line["subject"])
		}
		return all
	}
	if got := subjects(gate.Options{Subjects: gate.RawSubjects}); !cmp.Equal(got, []any{"alice", "bob", "alice"}) {
		t.Errorf("raw: %v", got)
	}
	first, second := subjects(gate.Options{}), subjects(gate.Options{})
	if first[0] != first[2] || first[0] == first[1] || first[0] == second[0] {
		t.Errorf("hashed: %v, and with another key %v", first, second)
	}
}

func TestDecisionsAreCountedByTheNamesOfRoutes(t *testing.T) {
	r := newRecording(t, gate.Options{})
	named, same, unnamed := r.CompileFor("1", document(`,"name":"orders"`)), r.CompileFor("2", document(`,"name":"orders"`)), r.CompileFor("3", document(""))
	broken := r.CompileFor("4", document(`,"name":"broken","unknown":1`))
	good := token()
	for range 2 {
		r.Decide(named, fullRequest(good))
		r.Decide(same, fullRequest(""))
		r.Decide(unnamed, fullRequest(""))
		r.Decide(broken, fullRequest(good))
	}
	if _, decided := r.Known(named, fullRequest(good)); !decided {
		t.Error("the token is not known")
	}
	got := map[string]uint64{}
	for _, c := range r.Records().Decisions() {
		if c.N > 0 {
			got[c.Route+" "+c.Reason] = c.N
		}
	}
	want := map[string]uint64{"orders forwarded": 3, "orders missing_token": 2, " missing_token": 2, "broken config_invalid": 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	took := r.Records().Durations()
	if n := [3]uint64{took[gate.Forwarded].Count, took[gate.Refused].Count, took[gate.Failed].Count}; n != [3]uint64{3, 4, 2} {
		t.Errorf("timed: %v", n)
	}
}

// TestNamesAndLimitsAreBounded: configurations come without end.
func TestNamesAndLimitsAreBounded(t *testing.T) {
	r := newRecording(t, gate.Options{})
	for i := range 1200 {
		route := r.CompileFor("k", document(fmt.Sprintf(`,"name":"route %d"`, i)))
		r.Decide(route, fullRequest(""))
	}
	names := map[string]bool{}
	beyond := uint64(0)
	for _, c := range r.Records().Decisions() {
		names[c.Route] = true
		if c.Route == "" && c.Reason == "missing_token" {
			beyond = c.N
		}
	}
	if len(names) != 1001 || beyond != 200 {
		t.Errorf("%d names, %d without", len(names), beyond)
	}
}

func TestReportsAreCountedByRuleAndLoggedWithinBounds(t *testing.T) {
	r := newRecording(t, gate.Options{})
	route := r.CompileFor("a", document(`,"name":"orders","rules":[{"expression":"true"},{"expression":"false","report_only":true}]`))
	r.log.Reset()
	good := token()
	for range 30 {
		r.Decide(route, fullRequest(good))
	}
	if diff := cmp.Diff([]gate.RuleCount{{Route: "orders", Rule: 1, N: 30}}, r.Records().Reports()); diff != "" {
		t.Error(diff)
	}
	if n := strings.Count(r.log.String(), "report_only"); n != 10 || !strings.Contains(r.log.String(), `"route":"orders","rule":1`) {
		t.Errorf("%d lines: %s", n, &r.log)
	}
}

// TestCountsOutliveAGate: settings that are read again make another gate.
func TestCountsOutliveAGate(t *testing.T) {
	records := gate.NewRecords()
	for range 2 {
		r := newRecording(t, gate.Options{Records: records})
		r.Decide(r.CompileFor("a", document("")), fullRequest(""))
	}
	if n := newRecording(t, gate.Options{Records: records}).Decisions()["missing_token"]; n != 2 {
		t.Errorf("counted %d", n)
	}
}

func TestEveryDecisionIsTracedWithoutTheToken(t *testing.T) {
	var spans []gate.Decided
	r := newRecording(t, gate.Options{Trace: func(d gate.Decided) { spans = append(spans, d) }})
	route := r.CompileFor("a", document(`,"name":"orders"`))
	good, parent := token(), [2]string{"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	r.Decide(route, fullRequest(good, parent))
	r.Known(route, fullRequest(good, parent))
	r.Known(route, fullRequest(""))
	want := []gate.Decided{
		{Begin: now, Route: "orders", Reason: "forwarded", Traceparent: parent[1]},
		{Begin: now, Route: "orders", Reason: "forwarded", Traceparent: parent[1]},
		{Begin: now, Route: "orders", Reason: "missing_token", Status: 401},
	}
	if diff := cmp.Diff(want, spans); diff != "" {
		t.Error(diff)
	}
}
