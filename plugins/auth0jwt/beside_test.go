package auth0jwt_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"
	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// script is a plugin of somebody else, before or after auth0-jwt in a route. It
// does what its configuration says, line by line:
//
//	set NAME VALUE     Header().Set
//	del NAME           Header().Del
//	put NAME VALUE     View()[NAME] = VALUE, the name as it is
//	see NAME           tells what Get and the map say, in X-Saw of the response
//	path PATH          SetPath; without a PATH, an empty one
type script struct{ plugin.DefaultPlugin }

func (*script) Name() string                     { return "script" }
func (*script) ParseConf(in []byte) (any, error) { return string(in), nil }

func (*script) RequestFilter(conf any, _ http.ResponseWriter, r pkgHTTP.Request) {
	for line := range strings.SplitSeq(conf.(string), "\n") {
		what, rest, _ := strings.Cut(line, " ")
		name, value, _ := strings.Cut(rest, " ")
		switch what {
		case "set":
			r.Header().Set(name, value)
		case "del":
			r.Header().Del(name)
		case "put":
			r.Header().View()[name] = []string{value}
		case "see":
			r.RespHeader().Set("X-Saw", fmt.Sprintf("%s %s", r.Header().Get(name), r.Header().View()[http.CanonicalHeaderKey(name)]))
		case "path":
			r.SetPath([]byte(rest))
		}
	}
}

// step is one plugin of a route.
type step struct{ name, conf string }

func scripted(lines ...string) step { return step{"script", strings.Join(lines, "\n")} }

func guard(more string) step { return step{"auth0-jwt", string(conf(more))} }

// gateway is APISIX as one runner knows it.
type gateway struct {
	*worker
	vars  map[string]string
	asked []string
}

// inBothRunners runs a test on our engine and on the official runner.
func inBothRunners(t *testing.T, run func(t *testing.T, g *gateway)) {
	for _, kind := range []string{"engine", "official"} {
		t.Run(kind, func(t *testing.T) {
			p := startProcess(t, kind, 0)
			g := &gateway{worker: dial(t, p.path)}
			defer g.Close()
			run(t, g)
		})
	}
}

func (g *gateway) route(t *testing.T, steps ...step) (conf uint32) {
	t.Helper()
	var entries []a6.Entry
	for _, s := range steps {
		entries = append(entries, a6.Entry{Name: s.name, Value: s.conf, HasValue: true})
	}
	if err := a6.WriteFrame(g, a6.PrepareConf, a6.EncodePrepareConf(fmt.Sprint(steps), entries)); err != nil {
		t.Fatal(err)
	}
	_, answer, err := a6.ReadFrame(g.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	conf, err = a6.DecodePrepareConfResp(answer)
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

// call shows a request to the runner and answers its questions.
func (g *gateway) call(t *testing.T, r a6.Request) a6.Answer {
	t.Helper()
	r.ID, r.Method, r.SrcIP = 7, "GET", []byte{10, 1, 2, 3}
	if r.Path == "" && len(r.Args) == 0 {
		r.Path = "/orders"
	}
	payload, err := a6.EncodeRequest(r)
	if err != nil {
		t.Fatal(err)
	}
	kind := a6.HTTPReqCall
	for {
		if err := a6.WriteFrame(g, kind, payload); err != nil {
			t.Fatal(err)
		}
		var answer []byte
		if kind, answer, err = a6.ReadFrame(g.r, nil); err != nil {
			t.Fatal(err)
		}
		switch kind {
		case a6.HTTPReqCall:
			a, err := a6.DecodeAnswer(answer)
			if err != nil {
				t.Fatal(err)
			}
			return a
		case a6.ExtraInfo:
			q, err := a6.DecodeExtraInfoReq(answer)
			if err != nil {
				t.Fatal(err)
			}
			g.asked = append(g.asked, q.Var)
			payload = a6.EncodeExtraInfoResp([]byte(g.vars[q.Var]))
		default:
			t.Fatalf("a frame of type %d", kind)
		}
	}
}

// reaches is what APISIX makes of the request's headers: entries in the order
// sent; one without a value, or with an empty one, deletes; another replaces
// every header of its name in any letter case. Of all that, the values whose
// names upstreams may take for name.
func reaches(name string, sent []a6.Entry, a a6.Answer) (values []string) {
	type pair struct{ name, value string }
	var now []pair
	for _, e := range sent {
		now = append(now, pair{strings.ToLower(e.Name), e.Value})
	}
	if a.Rewrite != nil {
		for _, e := range a.Rewrite.Headers {
			var kept []pair
			for _, p := range now {
				if p.name != strings.ToLower(e.Name) {
					kept = append(kept, p)
				}
			}
			if now = kept; e.Value != "" {
				now = append(now, pair{strings.ToLower(e.Name), e.Value})
			}
		}
	}
	for _, p := range now {
		if strings.ReplaceAll(p.name, "_", "-") == strings.ToLower(name) {
			values = append(values, p.value)
		}
	}
	return values
}

func saw(a a6.Answer) string {
	if a.Rewrite != nil {
		for _, e := range a.Rewrite.RespHeaders {
			if strings.EqualFold(e.Name, "X-Saw") {
				return e.Value
			}
		}
	}
	return ""
}

func field(name, value string) a6.Entry { return a6.Entry{Name: name, Value: value, HasValue: true} }

// Map order decides what the official runner sends first: each case is tried
// often enough to meet every order.
const often = 200

func TestPluginsThatFollowSeeReplaceAndDeleteTheIdentity(t *testing.T) {
	clients := map[string][]a6.Entry{
		"nothing":               nil,
		"the right value":       {field("x-user-id", "alice")},
		"another value":         {field("x-user-id", "admin")},
		"the right value first": {field("x-user-id", "alice"), field("x-user-id", "admin")},
		"the right value last":  {field("x-user-id", "admin"), field("x-user-id", "alice")},
		"the next one's first":  {field("x-user-id", "bob"), field("x-user-id", "admin")},
		"an empty value first":  {field("x-user-id", ""), field("x-user-id", "admin")},
		"capitals":              {field("X-USER-ID", "admin"), field("X-User-Id", "alice"), field("X_User_ID", "admin")},
		"underscores":           {field("x_user_id", "bob"), field("x-user_id", "admin"), field("x-user-id", "alice"), field("x-user-id", "alice")},
	}
	next := []struct {
		name string
		step step
		want []string
	}{
		{"reads", scripted("see X-User-Id"), []string{"alice"}},
		{"replaces", scripted("see X-User-Id", "set X-User-Id bob"), []string{"bob"}},
		{"replaces in lower case", scripted("see X-User-Id", "set x-user-id bob"), []string{"bob"}},
		{"sets the same", scripted("see X-User-Id", "set X-User-Id alice"), []string{"alice"}},
		{"deletes", scripted("see X-User-Id", "del X-User-Id"), nil},
		{"deletes and sets", scripted("see X-User-Id", "del X-User-Id", "set X-User-Id bob"), []string{"bob"}},
		{"empties", scripted("see X-User-Id", "set X-User-Id"), nil},
	}
	inBothRunners(t, func(t *testing.T, g *gateway) {
		bearer := field("authorization", "Bearer "+token(t, key()))
		for _, n := range next {
			conf := g.route(t, guard(``), n.step)
			for client, headers := range clients {
				for range often {
					r := a6.Request{ConfToken: conf, Headers: append([]a6.Entry{bearer}, headers...)}
					a := g.call(t, r)
					if got := saw(a); got != "alice [alice]" {
						t.Fatalf("%s, client sends %s: the next plugin sees %q", n.name, client, got)
					}
					if diff := cmp.Diff(n.want, reaches("x-user-id", r.Headers, a)); diff != "" {
						t.Fatalf("%s, client sends %s: the upstream gets (-want +got)\n%s\nby %+v", n.name, client, diff, a.Rewrite)
					}
				}
			}
		}
	})
}

func TestWhatAClientSentIsGoneWhateverTheNextPluginSets(t *testing.T) {
	inBothRunners(t, func(t *testing.T, g *gateway) {
		for lines, want := range map[string][]string{"see X-User-Id": nil, "set X-User-Id guest": {"guest"}} {
			conf := g.route(t, guard(`,"unauth_action":"pass"`), scripted(lines))
			for range often {
				r := a6.Request{ConfToken: conf, Headers: []a6.Entry{field("x-user-id", "guest"), field("x-user-id", "admin"), field("x_user_id", "guest")}}
				if diff := cmp.Diff(want, reaches("x-user-id", r.Headers, g.call(t, r))); diff != "" {
					t.Fatalf("%s: the upstream gets (-want +got)\n%s", lines, diff)
				}
			}
		}
	})
}

func TestWhatAnEarlierPluginDidToAnIdentityHeaderIsReplaced(t *testing.T) {
	inBothRunners(t, func(t *testing.T, g *gateway) {
		bearer := field("authorization", "Bearer "+token(t, key()))
		for _, before := range []step{
			scripted("del X-User-Id"),
			scripted("set X-User-Id admin"),
			scripted("set X-User-Id alice"),
			scripted("put x-user-id admin"),
			scripted("put X-USER-ID admin", "put x_user_id admin"),
			scripted("see X-User-Id", "del X-User-Id", "put x-user-id alice"),
		} {
			conf := g.route(t, before, guard(``))
			for _, headers := range [][]a6.Entry{nil, {field("x-user-id", "alice"), field("x-user-id", "admin")}, {field("x-user-id", "admin")}} {
				for range often {
					r := a6.Request{ConfToken: conf, Headers: append([]a6.Entry{bearer}, headers...)}
					if diff := cmp.Diff([]string{"alice"}, reaches("x-user-id", r.Headers, g.call(t, r))); diff != "" {
						t.Fatalf("%q, client sends %v: the upstream gets (-want +got)\n%s", before.conf, headers, diff)
					}
				}
			}
		}
	})
}

func TestAHundredHeadersAreTooManyWhateverAnEarlierPluginDeleted(t *testing.T) {
	inBothRunners(t, func(t *testing.T, g *gateway) {
		bearer := field("authorization", "Bearer "+token(t, key()))
		for _, tt := range []struct {
			name   string
			before step
			shown  int
			status uint16 // 0 passes
		}{
			{"nothing before", scripted(""), 100, 431},
			{"reads", scripted("see X-1"), 100, 431},
			{"deletes one", scripted("del X-1"), 100, 431},
			{"deletes a repeated one", scripted("del X-0"), 100, 431},
			{"deletes one of few", scripted("del X-1"), 99, 0},
		} {
			conf := g.route(t, tt.before, guard(``))
			r := a6.Request{ConfToken: conf, Headers: []a6.Entry{bearer}}
			for i := range tt.shown - 1 {
				r.Headers = append(r.Headers, field(fmt.Sprint("x-", i/2), "1"))
			}
			a, status := g.call(t, r), uint16(0)
			if a.Stop != nil {
				status = a.Stop.Status
			}
			if status != tt.status {
				t.Errorf("%s: %d shown: status %d, want %d", tt.name, tt.shown, status, tt.status)
			}
		}
	})
}
