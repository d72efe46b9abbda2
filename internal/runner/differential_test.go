package runner_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

// bothPlugins are what both servers serve.
func bothPlugins() []plugin.Plugin {
	return append(examples(),
		&filter{name: "nothing", run: func(exchange) {}},
		&filter{name: "edits", run: edits},
		&filter{name: "one-edit", run: func(x exchange) {
			x.r.Header().Set("X-User-Id", x.r.Header().Get("X-In"))
		}},
		&filter{name: "asks", waits: true, run: func(x exchange) {
			v, err := x.r.Var("request_uri")
			body, bodyErr := x.r.Body()
			x.r.Header().Set("X-Asked", fmt.Sprint(string(v), string(body), err, bodyErr))
		}},
	)
}

// edits does what its configuration says, word by word.
func edits(x exchange) {
	for word := range strings.FieldsSeq(x.conf.(string)) {
		what, rest, _ := strings.Cut(word, ":")
		name, value, _ := strings.Cut(rest, "=")
		switch what {
		case "set":
			x.r.Header().Set(name, value)
		case "del":
			x.r.Header().Del(name)
		case "arg":
			x.r.Args().Set(name, value)
		case "noarg":
			x.r.Args().Del(name)
		case "path":
			x.r.SetPath([]byte(name))
		case "resp":
			x.r.RespHeader().Set(name, value)
		case "status":
			x.w.WriteHeader(len(name))
		case "head":
			x.w.Header().Set(name, value)
		case "body":
			_, _ = x.w.Write([]byte(name))
		}
	}
}

// effect is what APISIX makes of an answer, so that two answers that do the
// same are the same: names in lower case, edits by name, no order where none
// matters.
type effect struct {
	Stop    string
	Path    string
	Headers map[string]string
	Args    map[string]string
	Resp    map[string]string
}

func effectOf(a a6.Answer) effect {
	if a.Stop != nil {
		return effect{Stop: fmt.Sprint(a.Stop.Status, sortedLines(a.Stop.Headers), string(a.Stop.Body))}
	}
	if a.Rewrite == nil {
		a.Rewrite = &a6.Rewrite{}
	}
	return effect{
		Path: a.Rewrite.Path, Headers: byName(a.Rewrite.Headers, true),
		Args: byName(a.Rewrite.Args, false), Resp: byName(a.Rewrite.RespHeaders, true),
	}
}

func sortedLines(entries []a6.Entry) []string {
	all := strings.Fields(lines(entries))
	slices.Sort(all)
	return all
}

func byName(entries []a6.Entry, fold bool) map[string]string {
	m := map[string]string{}
	for _, e := range entries {
		if fold {
			e.Name = strings.ToLower(e.Name)
		}
		m[e.Name] = fmt.Sprint(e.HasValue, e.Value)
	}
	return m
}

// TestTheSameAsTheOfficialRunner feeds both servers the same frames. Not fed is
// where the engine is meant to do otherwise; each line has a test of its own in
// this package or in the end-to-end suite.
//
//   - an unknown plugin name denies (official: skipped)
//   - a ParseConf error denies (official: skipped)
//   - a route without any plugin denies (official: passes)
//   - a panic denies and keeps the connection (official: closes it)
//   - every value of a repeated header counts in the diff (official: the first)
//   - several values of a header are joined (official: the first is sent)
//   - names are sent as the plugin gave them (official: canonical)
//   - frames of every legal size (official: up to what one read brings)
//   - an answer over 16 MiB denies (official: is cut)
//   - tokens are hashes of the content (official: count from 1)
//   - headers that are only read cause no rewrite (official: an empty one)
//   - a frame that breaks the protocol costs the connection (official: panics, or continues)
//   - SIGTERM answers what is in flight (official: drops it)
func TestTheSameAsTheOfficialRunner(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		ourPath, _ := d.start(t, runner.Options{Plugins: bothPlugins()})
		ours, theirs := dial(t, ourPath), dial(t, startOfficial(t))
		apisix := func(q a6.Question) []byte {
			if q.Body || q.RespBody {
				return []byte("the body")
			}
			return []byte("value of " + q.Var)
		}
		ours.asked, theirs.asked = apisix, apisix
		compare := func(t *testing.T, r a6.Request, entries ...a6.Entry) {
			t.Helper()
			key := fmt.Sprint(entries)
			r.ConfToken = ours.prepare(key, entries...)
			got := effectOf(ours.call(r))
			r.ConfToken = theirs.prepare(key, entries...)
			want := effectOf(theirs.call(r))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v on %+v (-official +ours):\n%s", entries, r, diff)
			}
		}
		for name, entries := range map[string][]a6.Entry{
			"say":                    {entry("say", `{"body":"hello"}`)},
			"say nothing":            {entry("say", `{}`)},
			"fault":                  {entry("fault-injection", `{"http_status":503,"body":"away"}`)},
			"fault without a body":   {entry("fault-injection", `{"http_status":404}`)},
			"no fault":               {entry("fault-injection", `{"http_status":404,"percentage":0}`)},
			"limit":                  {entry("limit-req", `{"rate":1000,"burst":10}`)},
			"over the limit":         {entry("limit-req", `{"rate":0,"burst":0}`)},
			"two plugins":            {entry("nothing", ``), entry("say", `{"body":"second"}`)},
			"the first stops":        {entry("say", `{"body":"first"}`), entry("say", `{"body":"second"}`)},
			"questions":              {entry("asks", ``)},
			"the edits of a chain":   {entry("edits", `set:X-A=1`), entry("edits", `set:X-B=2 del:X-A`)},
			"edits and then a stop":  {entry("edits", `set:X-A=1`), entry("say", `{"body":"stop"}`)},
			"a response-only plugin": {entry("response-rewrite", `{}`)},
		} {
			t.Run(name, func(t *testing.T) {
				compare(t, get(entry("accept", "*/*"), entry("x-in", "in")), entries...)
			})
		}
		t.Run("generated", func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			for range 3000 {
				compare(t, randomRequest(random), entry("edits", randomScript(random)))
			}
		})
		t.Run("responses", func(t *testing.T) {
			for _, conf := range []string{
				`{"body":"new"}`, `{"headers":{"X-A":"1","Server":"x"}}`, `{"status":200,"body":"b"}`,
				`{"filters":[{"regex":"b.d","scope":"once","replace":"B"}]}`, `{"filters":[{"regex":"zzz"}]}`,
			} {
				compareResponses(t, ours, theirs, conf)
			}
		})
	})
}

func compareResponses(t *testing.T, ours, theirs *client, conf string) {
	t.Helper()
	var answers [2]string
	for i, c := range []*client{ours, theirs} {
		r := a6.Response{ID: 3, Status: 201, Headers: []a6.Entry{entry("Server", "u"), entry("X-Up", "1")}}
		r.ConfToken = c.prepare(conf, entry("response-rewrite", conf))
		kind, payload := c.exchange(a6.HTTPRespCall, a6.EncodeResponse(r))
		a, err := a6.DecodeResponseAnswer(payload)
		if kind != a6.HTTPRespCall || err != nil {
			t.Fatal(kind, err)
		}
		answers[i] = fmt.Sprint(a.ID, a.Status, sortedLines(a.Headers), string(a.Body))
	}
	if answers[0] != answers[1] {
		t.Errorf("%s: ours %s, official %s", conf, answers[0], answers[1])
	}
}

var names = []string{"x-a", "x-b", "X-C", "x_a", "cookie", "accept", "host"}

// randomRequest has no header twice: the official runner compares first values.
func randomRequest(r *rand.Rand) a6.Request {
	req := get()
	req.Path = "/p" + fmt.Sprint(r.IntN(3))
	for _, i := range r.Perm(len(names))[:r.IntN(len(names))] {
		req.Headers = append(req.Headers, entry(strings.ToLower(names[i]), fmt.Sprint(r.IntN(3))))
	}
	for range r.IntN(4) {
		req.Args = append(req.Args, entry(fmt.Sprint("a", r.IntN(3)), fmt.Sprint(r.IntN(2))))
	}
	return req
}

func randomScript(r *rand.Rand) string {
	verbs := map[string]func() string{
		"set":   func() string { return names[r.IntN(len(names))] + "=" + fmt.Sprint(r.IntN(3)) },
		"del":   func() string { return names[r.IntN(len(names))] },
		"arg":   func() string { return fmt.Sprint("a", r.IntN(4), "=", r.IntN(2)) },
		"noarg": func() string { return fmt.Sprint("a", r.IntN(4)) },
		"path":  func() string { return "/q" },
		"resp":  func() string { return fmt.Sprint("X-R", r.IntN(2), "=", r.IntN(2)) },
		"head":  func() string { return fmt.Sprint("X-H", r.IntN(2), "=", r.IntN(2)) },
	}
	if r.IntN(8) == 0 {
		verbs["status"] = func() string { return strings.Repeat("s", 200+r.IntN(300)) }
		verbs["body"] = func() string { return "body" }
	}
	all := slices.Sorted(maps.Keys(verbs))
	var words []string
	for range r.IntN(6) {
		verb := all[r.IntN(len(all))]
		words = append(words, verb+":"+verbs[verb]())
	}
	return strings.Join(words, " ")
}
