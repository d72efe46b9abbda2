package rule_test

import (
	"encoding/json"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
)

// What is no call when it is evaluated, or has to see errors.
func TestEveryFunctionHasAPrice(t *testing.T) {
	got := rule.Unpriced()
	slices.Sort(got)
	want := []string{
		"@not_strictly_false", "_&&_", "_?._", "_?_:_", "_[?_]", "_[_]", "__not_strictly_false__", "_||_", "matches",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("functions without an entry in works (-want +got):\n%s", diff)
	}
}

// hostile is a token of 12 KiB of claims and a request of 60 KiB, at their worst
// for what is done with them below.
func hostile() *rule.Facts {
	return rule.NewFacts(hostileClaims(), func() rule.Request {
		return rule.Request{
			Method: "GET", Path: "/" + strings.Repeat("p", 8_000),
			Headers: map[string][]string{"x": slices.Repeat([]string{"y"}, 90)},
			Query: map[string][]string{
				"q": {strings.Repeat("q", 20_000), strings.Repeat("q", 20_000) + "r"},
				"s": slices.Repeat([]string{""}, 100),
			},
		}
	}, time.Unix(1_800_000_060, 0))
}

func hostileClaims() map[string]any {
	many := make([]any, 4000)
	texts := make([]any, 2500)
	objects := make([]any, 3500)
	for i := range many {
		many[i] = json.Number("7")
	}
	for i := range texts {
		texts[i] = string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
	}
	for i := range objects {
		objects[i] = map[string]any{}
	}
	long := strings.Repeat("a", 12_000)
	claims := map[string]any{
		"many": many, "texts": texts, "objects": objects, "long": long, "half": long[:6000] + "b", "one": "a", "empty": "",
		"twin": strings.Repeat("a", 12_000), "nested": []any{many, many}, "big": json.Number("100000000"), "tz": "Europe/Berlin",
		"distinct": texts[:250], "words": strings.Repeat("ab ", 4000), "names": members(1500),
	}
	return claims
}

func members(n int) map[string]any {
	m := make(map[string]any, n)
	for i := range n {
		m[strings.Repeat("m", 4)+string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676))] = json.Number("7")
	}
	return m
}

// dear are expressions that did much work for few units of CEL's own cost, with
// what they made of a hostile token or request before their work was charged.
var dear = map[string]string{
	"distinct":               `claims.many.map(x, string(x) + "a").distinct().size() > 0`,
	"distinct texts":         `claims.texts.distinct().size() == 2500`,
	"distinct objects":       `claims.objects.distinct().size() == 1`,
	"sets.contains":          `sets.contains(claims.texts, claims.texts)`,
	"sets.equivalent":        `sets.equivalent(claims.texts, claims.texts)`,
	"sets.intersects":        `sets.intersects(claims.texts, claims.many)`,
	"hasAll":                 `claims.texts.hasAll(claims.texts)`,
	"hasAny":                 `claims.texts.hasAny(claims.many)`,
	"hasOnly":                `claims.texts.hasOnly(claims.texts)`,
	"hasExactly":             `claims.texts.hasExactly(claims.texts)`,
	"replace nothing":        `claims.long.replace("", claims.long).size() > 0`,
	"replace all":            `claims.long.replace("a", claims.long).size() > 0`,
	"replace some":           `claims.long.replace("a", claims.long, 10000).size() > 0`,
	"replace of a request":   `request.query.q[0].replace("q", request.path).size() > 0`,
	"matches":                `claims.long.matches("(a*)*(a|b)*[ab]{1,100}c")`,
	"matches, many":          `claims.texts.all(x, !claims.long.matches("^(a|b)*c"))`,
	"indexOf":                `claims.long.indexOf(claims.half) == -1`,
	"lastIndexOf":            `claims.long.lastIndexOf("b" + claims.half) == -1`,
	"indexOf from":           `request.query.q[0].indexOf(request.query.q[1].substring(10000), 1) == -1`,
	"lastIndexOf from":       `claims.long.lastIndexOf("b" + claims.half, 9000) == -1`,
	"split":                  `claims.texts.all(x, claims.long.split("").size() > 0)`,
	"split into some":        `claims.texts.all(x, claims.long.split("", 9000).size() > 0)`,
	"join":                   `claims.texts.all(x, claims.texts.join().size() > 0)`,
	"join with":              `claims.texts.join(claims.long).size() > 0`,
	"format":                 `claims.texts.all(x, "%s".format([claims.texts]).size() > 0)`,
	"format precisely":       `claims.texts.all(x, "%.99f%.99f%.99f%.99f".format([1e300, 1e300, 1e300, 1e300]).size() > 0)`,
	"lowerAscii":             `claims.texts.all(x, claims.long.lowerAscii().size() > 0)`,
	"upperAscii":             `claims.texts.all(x, claims.long.upperAscii().size() > 0)`,
	"reverse":                `claims.texts.all(x, claims.long.reverse().size() > 0)`,
	"reverse a list":         `claims.texts.all(x, claims.many.reverse().size() > 0)`,
	"trim":                   `claims.texts.all(x, claims.long.trim().size() > 0)`,
	"charAt":                 `claims.texts.all(x, claims.long.charAt(11999) == "a")`,
	"substring":              `claims.texts.all(x, claims.long.substring(1).size() > 0)`,
	"substring to":           `claims.texts.all(x, claims.long.substring(1, 11000).size() > 0)`,
	"strings.quote":          `claims.texts.all(x, strings.quote(claims.long).size() > 0)`,
	"sort":                   `claims.texts.sort().size() > 0 && claims.texts.reverse().sort().size() > 0`,
	"sort long texts":        `claims.texts.map(x, claims.one + claims.long).sort().size() > 0`,
	"sortBy":                 `claims.texts.sortBy(x, x + "a").size() > 0`,
	"flatten":                `[claims.many, claims.many, claims.many, claims.many, claims.many, claims.many, claims.many, claims.many, claims.many].flatten().size() > 0`,
	"flatten shared":         `claims.many.map(x, claims.many).flatten().size() > 0`,
	"flatten deep":           `claims.many.map(x, claims.nested).flatten(9).size() > 0`,
	"lists.range":            `lists.range(claims.big).size() > 0`,
	"slice":                  `claims.texts.all(x, claims.many.slice(1, 3999).size() > 0)`,
	"contains":               `claims.texts.all(x, !claims.long.contains(claims.half))`,
	"startsWith":             `claims.texts.all(x, claims.long.startsWith(claims.twin))`,
	"endsWith":               `claims.texts.all(x, claims.long.endsWith(claims.twin))`,
	"equal texts":            `claims.texts.all(x, claims.long == claims.twin && claims.long == claims.twin)`,
	"unequal texts":          `claims.texts.all(x, !(claims.long != claims.twin))`,
	"equal lists":            `claims.texts.all(x, claims.many == claims.many)`,
	"equal maps":             `claims.texts.all(x, claims.names == claims.names)`,
	"equal shared":           `claims.many.map(x, claims.many) == claims.many.map(x, claims.many)`,
	"equal requests":         `claims.texts.all(x, request == request)`,
	"less":                   `claims.texts.all(x, claims.long <= claims.twin && claims.long >= claims.twin)`,
	"in":                     `claims.texts.all(x, !("zzz" in claims.many))`,
	"in, shared":             `claims.many in claims.many.map(x, claims.many)`,
	"in, literal":            `request.query.q.all(x, claims.texts.all(y, !(request.query.q[1] in ["a", "b"])))`,
	"in, map":                `claims.texts.all(x, !(claims.long in claims))`,
	"key":                    `claims.texts.all(x, !has(claims.long.x) || claims[claims.long] == 1)`,
	"optional key":           `claims.texts.all(x, claims[?request.query.q[0]].orValue(true))`,
	"concatenation":          `claims.texts.all(x, (claims.long + claims.long + claims.long).size() > 0)`,
	"lists added":            `claims.texts.all(x, (claims.many + claims.many + claims.many)[11999] == 7)`,
	"doubled texts":          `[claims.long].map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x)[0].size() > 0`,
	"doubled lists":          `[claims.many].map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x).map(x, x + x)[0].size() > 0`,
	"doubled lists, shared":  `[claims.many].map(x, [x, x]).map(x, [x, x]).map(x, [x, x]).map(x, [x, x]).map(x, [x, x]).all(x, x == x)`,
	"string of a text":       `claims.texts.all(x, string(claims.long) == claims.twin)`,
	"bytes":                  `claims.texts.all(x, bytes(claims.long).size() > 0)`,
	"string of bytes":        `claims.texts.all(x, string(bytes(claims.long)).size() > 0)`,
	"number of a text":       `claims.texts.all(x, [0].exists(y, int(claims.long) == 0) || true)`,
	"time of a text":         `claims.texts.all(x, [0].exists(y, timestamp(claims.long) == now) || true)`,
	"duration of a text":     `claims.texts.all(x, [0].exists(y, duration(claims.long) == duration("1s")) || true)`,
	"address of a text":      `claims.texts.all(x, !isIP(claims.long) && !isCIDR(claims.long))`,
	"addresses":              `claims.texts.all(x, cidr("10.0.0.0/8").containsIP("10.1.2.3") && cidr("2001:db8::/32").containsIP(ip("2001:db8::1")))`,
	"time zones":             `claims.texts.all(x, now.getHours(claims.tz) >= 0)`,
	"macros":                 `claims.many.all(a, claims.many.all(b, a == b))`,
	"macros over a map":      `claims.names.all(a, claims.names.all(b, claims.names[a] == 7))`,
	"macros that do nothing": `claims.many.all(a, claims.many.all(b, true))`,
	"one of many":            `claims.many.map(a, claims.many.exists_one(b, false)).size() > 0`,
	"filters":                `claims.many.all(a, claims.many.filter(b, true).size() > 0)`,
	"selections":             `claims.many.all(a, request.headers.x[0] == "y" && request.query.q[0] != "")`,
	"missing headers":        `claims.many.all(a, [0].exists(y, request.headers["nope"] == []) || true)`,
	"optional values":        `claims.many.all(a, claims.?nested[?0][?0].orValue(1) == 7)`,
	"maps made":              `claims.many.all(a, {"a": a, "b": claims.long, claims.long: 1}.size() > 0)`,
	"conditions":             `claims.many.all(a, a == 7 ? (a == 7 ? claims.many[3999] == 7 : false) : false)`,
	"numbers":                `claims.many.all(a, a * 3 / 2 % 5 - 1 + 2 < 100 && -a < 1u && double(a) > 0.5 && !(a > 8))`,
	"constants":              `claims.many.all(a, claims.many.all(b, ` + strings.Repeat("true && ", 100) + `true))`,
	"constant conditions":    `claims.many.all(a, claims.many.all(b, ` + strings.Repeat("(true ? true : false) && ", 60) + `true))`,
	"one of many, at length": `claims.many.exists_one(a, claims.many.exists_one(b, ` + strings.Repeat("(false ? true : false) || ", 60) + `false))`,
	"address in a network":   `claims.texts.all(x, [0].exists(y, cidr("10.0.0.0/8").containsIP(claims.long)) || true)`,
	"size of a text":         `claims.many.all(a, claims.many.all(b, claims.long.size() > 0 && request.query.q[0].size() > 0))`,
	"format a map":           `claims.many.all(a, "%s".format([claims.names]).size() > 0)`,
	"format bytes":           `claims.many.all(a, "%x%X".format([claims.long, bytes(claims.long)]).size() > 0)`,
	"presence":               `claims.many.all(a, claims.many.all(b, has(request.headers.x) && has(claims.names.x) == false))`,
	"keys of a literal":      `claims.many.all(a, claims.many.all(b, {"a": 1, "b": 2}[?claims.long].orValue(1) == 1))`,
	"times as texts":         `claims.many.all(a, string(now) != string(duration("1h")) && string(1.5e300) != string(a))`,
	"numbers of other types": `claims.many.all(a, int(1.5) == 1 && uint(a) == 7u && double("1e300") > 0.0 && int(now) > 0)`,
	"empty texts":            `claims.many.all(a, claims.many.all(b, "".split("") == [] && "".replace("", "") == ""))`,
	"unwrapped":              `claims.texts.all(x, optional.unwrap([optional.of(claims.many), optional.none()])[0] == claims.many)`,
	"lists made":             `claims.many.all(a, [a, a, a, a, a, a, a, a][7] == 7)`,
	"times":                  `claims.many.all(a, now + duration("1s") > now && now.getFullYear() > 2000 && now - now == duration("0s"))`,
	"types":                  `claims.many.all(a, type(a) == int && dyn(a) == 7)`,
	"paths":                  `claims.many.all(a, request.path.startsWith("/") && request.path.size() > 3)`,
}

// No expression costs more than the limit, whatever it is given: what would is
// an error before the work is done. Some of these took 9 s and 1.1 GB.
func TestWorkIsChargedBeforeItIsDone(t *testing.T) {
	passing := map[string]bool{"key": true}
	for name, text := range dear {
		e, err := rule.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		facts := hostile()
		_ = e.Holds(facts) // the facts are made into CEL's types with the first
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		cost, err := rule.Cost(e, facts)
		runtime.ReadMemStats(&after)
		over := err != nil && strings.Contains(err.Error(), "cost limit exceeded")
		if passing[name] == over || !over && cost > rule.CostLimit {
			t.Errorf("%s: cost %d, %v", name, cost, err)
		}
		if after.TotalAlloc-before.TotalAlloc > 16<<20 {
			t.Errorf("%s: allocated %d bytes", name, after.TotalAlloc-before.TotalAlloc)
		}
	}
}

func TestUsualWorkIsWithinTheLimit(t *testing.T) {
	roles := make([]any, 200)
	for i := range roles {
		roles[i] = "role:" + string(rune('a'+i%26)) + string(rune('a'+i/26))
	}
	claims := map[string]any{
		"roles": roles, "email": "some.one@department.example.com", "scope": strings.Repeat("read:something ", 100),
		"sub": "auth0|5f7c8ec7c33c6c004bbafe82", "n": json.Number("7"), "text": strings.Repeat("word ", 400),
	}
	facts := rule.NewFacts(claims, func() rule.Request { return rule.Request{Method: "GET", Path: "/a/b/c"} }, time.Unix(1_800_000_060, 0))
	for _, text := range []string{
		`claims.roles.exists(r, r == "role:rh" || r.startsWith("admin:"))`,
		`claims.roles.all(r, r.size() > 3 && r.matches("^role:[a-z]+$"))`,
		`sets.contains(claims.roles, ["role:aa", "role:ba", "role:ca", "role:da"])`,
		`claims.roles.map(r, r.substring(5)).filter(r, r != "zz").size() == 200`,
		`claims.roles.distinct().size() == 200`,
		`claims.roles.sort()[0] == "role:aa"`,
		`claims.email.matches("^[a-z0-9._%+-]+@[a-z0-9.-]+[.][a-z]{2,63}$")`,
		`"read:something" in claims.scope.split(" ")`,
		`claims.text.replace(" ", "-").lowerAscii().indexOf("d-w") > 0`,
		`claims.roles.join(",").contains("role:rh")`,
		`"%s has %d roles".format([claims.sub, claims.roles.size()]) != ""`,
		`request.method in ["GET", "HEAD"] && request.path.split("/")[1] == "a"`,
		`now.getHours("Europe/Berlin") >= 0`,
	} {
		e, err := rule.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if err := e.Holds(facts); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestARequestThatIsTooLargeIsAnError(t *testing.T) {
	e, err := rule.Compile(`request.method == "GET"`)
	if err != nil {
		t.Fatal(err)
	}
	for length, holds := range map[int]bool{60_000: true, 65_536: false} {
		err := e.Holds(rule.NewFacts(nil, func() rule.Request {
			return rule.Request{Method: "GET", Query: map[string][]string{"q": {strings.Repeat("q", length)}}}
		}, time.Time{}))
		if (err == nil) != holds || rule.IsFalse(err) {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

// BenchmarkWorstRequest shows how long a rule or a schema may take for one token
// and request: an expression until it is through or over the limit, a schema with
// as much of each claim as passes.
func BenchmarkWorstRequest(b *testing.B) {
	for name, text := range dear {
		e, err := rule.Compile(text)
		if err != nil {
			b.Fatal(name, err)
		}
		b.Run("rule/"+name, func(b *testing.B) {
			facts := hostile()
			before := cpu(b)
			for b.Loop() {
				_ = e.Holds(facts)
			}
			b.ReportMetric((cpu(b)-before)/float64(b.N), "cpu-ms/op")
		})
	}
	for name, text := range dearSchemas() {
		s, err := rule.CompileSchema(document(b, text))
		if err != nil {
			b.Fatal(name, err)
		}
		b.Run("schema/"+name, func(b *testing.B) {
			claims := hostileClaims()
			for rule.SchemaWork(s, claims) > rule.ValidationLimit && smaller(claims) {
			}
			before := cpu(b)
			for b.Loop() {
				s.Fits(claims)
			}
			b.ReportMetric((cpu(b)-before)/float64(b.N), "cpu-ms/op")
		})
	}
}
