package runner_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

func only(f *filter) runner.Options { return runner.Options{Plugins: []plugin.Plugin{f}} }

func TestARouteThatCannotBeJudgedDenies(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		var log bytes.Buffer
		path, _ := d.start(t, runner.Options{
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Plugins: []plugin.Plugin{
				&filter{name: "passes", run: func(exchange) {}},
				&filter{name: "errs", parse: func([]byte) (any, error) { return nil, errors.New("no such key") }, run: func(exchange) {}},
				&filter{name: "panics-early", parse: func([]byte) (any, error) { panic("boom") }, run: func(exchange) {}},
				&filter{name: "panics", run: func(exchange) { panic("boom") }},
				&filter{name: "status", run: func(x exchange) { x.w.WriteHeader(4711) }},
			},
		})
		c := dial(t, path)
		for _, tt := range []struct {
			name    string
			entries []a6.Entry
			denied  bool
		}{
			{"a plugin that passes", []a6.Entry{entry("passes", "")}, false},
			{"no plugin", nil, true},
			{"an unknown plugin", []a6.Entry{entry("unknown", "")}, true},
			{"an unknown plugin behind one that passes", []a6.Entry{entry("passes", ""), entry("unknown", "")}, true},
			{"a configuration that is an error", []a6.Entry{entry("passes", ""), entry("errs", "secret")}, true},
			{"a configuration that panics", []a6.Entry{entry("panics-early", "")}, true},
			{"a filter that panics", []a6.Entry{entry("panics", "")}, true},
			{"a status that is none", []a6.Entry{entry("status", "")}, true},
		} {
			t.Run(tt.name, func(t *testing.T) {
				c.t = t
				r := get()
				r.ConfToken = c.prepare(tt.name, tt.entries...)
				for range 2 { // the connection survives
					if a := c.call(r); isDenied(a) != tt.denied {
						t.Errorf("answer %+v", a)
					}
				}
			})
		}
		if strings.Contains(log.String(), "secret") || strings.Contains(log.String(), "boom") {
			t.Errorf("the log holds a configuration or a panic's value:\n%s", log.String())
		}
		if !strings.Contains(log.String(), "unknown") || !strings.Contains(log.String(), "no such key") {
			t.Errorf("the log does not say what is wrong:\n%s", log.String())
		}
	})
}

func TestTokensNameTheSameConfigurationInEveryProcess(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		names := &filter{name: "names", run: func(x exchange) { x.w.Header().Set("X-Conf", x.conf.(string)); x.w.WriteHeader(204) }}
		opt := only(names)
		opt.TokenKey = []byte("the key of one socket and another")
		first, _ := d.start(t, opt)
		second, _ := d.start(t, opt)
		before, after := dial(t, first), dial(t, second)
		tokens := map[uint32]string{}
		for n := range 100 {
			conf := fmt.Sprint("conf ", n)
			tokens[before.prepare(conf, entry("names", conf))] = conf
		}
		if len(tokens) != 100 {
			t.Fatalf("%d tokens for 100 configurations", len(tokens))
		}
		// The new process has met none, then every second in another order.
		for n := 98; n >= 0; n -= 2 {
			conf := fmt.Sprint("conf ", n)
			after.prepare(conf, entry("names", conf))
		}
		for token, conf := range tokens {
			r := get()
			r.ConfToken = token
			payload, err := a6.EncodeRequest(r)
			if err != nil {
				t.Fatal(err)
			}
			kind, payload := after.exchange(a6.HTTPReqCall, payload)
			if kind == a6.Error {
				if code, err := a6.DecodeError(payload); err != nil || code != a6.ConfTokenNotFound {
					t.Errorf("code %v, %v", code, err)
				}
				continue
			}
			a, err := a6.DecodeAnswer(payload)
			if err != nil || a.Stop == nil || a.Stop.Headers[0].Value != conf {
				t.Errorf("token of %q: %+v, %v", conf, a, err)
			}
		}
	})
}

func TestAConfigurationIsCompiledOnceHoweverManyAsk(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		var compiled atomic.Int64
		gate := make(chan struct{})
		path, _ := d.start(t, only(&filter{
			name: "slow",
			parse: func(in []byte) (any, error) {
				if string(in) == "slow" {
					compiled.Add(1)
					<-gate
				}
				return nil, nil
			},
			run: func(exchange) {},
		}))
		var workers sync.WaitGroup
		var tokens sync.Map
		for range 8 {
			c := dial(t, path)
			workers.Go(func() { tokens.Store(c.prepare("r", entry("slow", "slow")), true) })
		}
		// Another route's configuration does not wait for the slow one.
		dial(t, path).prepare("other", entry("slow", "fast"))
		close(gate)
		workers.Wait()
		n := 0
		tokens.Range(func(any, any) bool { n++; return true })
		if compiled.Load() != 1 || n != 1 {
			t.Errorf("compiled %d times, %d tokens", compiled.Load(), n)
		}
	})
}

func TestConfigurationsAreBoundedAndAskedForAgain(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		opt := only(&filter{name: "p", run: func(exchange) {}})
		opt.MaxConfs = 50
		path, _ := d.start(t, opt)
		c := dial(t, path)
		var tokens []uint32
		for n := range 200 {
			tokens = append(tokens, c.prepare(fmt.Sprint(n), entry("p", fmt.Sprint(n))))
		}
		known := 0
		for _, token := range tokens {
			r := get()
			r.ConfToken = token
			payload, err := a6.EncodeRequest(r)
			if err != nil {
				t.Fatal(err)
			}
			if kind, _ := c.exchange(a6.HTTPReqCall, payload); kind == a6.HTTPReqCall {
				known++
			}
		}
		if known == 0 || known > 50 {
			t.Errorf("%d configurations are known", known)
		}
	})
}

func TestGarbageCostsTheSenderItsConnectionAndNobodyElse(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		path, _ := d.start(t, only(&filter{name: "p", run: func(exchange) {}}))
		good := dial(t, path)
		r := get()
		r.ConfToken = good.prepare("r", entry("p", ""))
		for name, frame := range map[string][]byte{
			"a type nobody knows":    {9, 0, 0, 0},
			"an answer unasked":      {3, 0, 0, 0},
			"an error":               {0, 0, 0, 0},
			"an empty request":       {2, 0, 0, 0},
			"an offset outside":      append([]byte{2, 0, 0, 8}, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0),
			"an empty configuration": {1, 0, 0, 0},
			"an empty response":      {4, 0, 0, 0},
		} {
			bad := dial(t, path)
			if _, err := bad.Write(frame); err != nil {
				t.Fatal(err)
			}
			kind, _ := bad.receive()
			if kind != a6.Error {
				t.Errorf("%s: answered with type %d", name, kind)
			}
			if _, err := bad.r.ReadByte(); err == nil {
				t.Errorf("%s: the connection stays open", name)
			}
		}
		if a := good.call(r); a.Stop != nil {
			t.Errorf("answer %+v", a)
		}
	})
}

func TestAnAnswerThatNoFrameCarriesDenies(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		path, _ := d.start(t, only(&filter{name: "big", run: func(x exchange) {
			_, _ = x.w.Write(make([]byte, 17<<20))
		}}))
		c := dial(t, path)
		if a := c.route("big", "", get()); !isDenied(a) {
			t.Errorf("status %d, %d bytes", a.Stop.Status, len(a.Stop.Body))
		}
	})
}

func TestPluginsAskAPISIXInTheMiddleOfAnExchange(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		path, _ := d.start(t, only(&filter{name: "asks", waits: true, run: func(x exchange) {
			for range 2 { // the second time from memory
				v, err := x.r.Var("request_uri")
				if err != nil {
					panic(err)
				}
				none, err := x.r.Var("nothing")
				if err != nil || none != nil {
					panic("a variable that is not there")
				}
				body, err := x.r.Body()
				if err != nil {
					panic(err)
				}
				x.r.Header().Set("X-Asked", string(v)+" "+string(body)+" "+x.r.Header().Get("X-Own"))
			}
		}}))
		c := dial(t, path)
		questions := 0
		c.asked = func(q a6.Question) []byte {
			questions++
			switch {
			case q.Body:
				return []byte("the body")
			case q.Var == "request_uri":
				return []byte("/uri")
			}
			return nil
		}
		a := c.route("asks", "", get(entry("x-own", "own")))
		if a.Rewrite == nil || a.Rewrite.Headers[0].Value != "/uri the body own" || questions != 3 {
			t.Errorf("answer %+v after %d questions", a.Rewrite, questions)
		}
	})
}

func TestAPISIXGoneInTheMiddleOfAnExchangeIsAnErrorForThePlugin(t *testing.T) {
	onEachDriver(t, func(t *testing.T, d driver) {
		failed := make(chan error, 1)
		path, _ := d.start(t, only(&filter{name: "asks", waits: true, run: func(x exchange) {
			_, err := x.r.Body()
			if _, again := x.r.Var("x"); again == nil {
				panic("the connection is gone")
			}
			failed <- err
		}}))
		c := dial(t, path)
		r := get()
		r.ConfToken = c.prepare("r", entry("asks", ""))
		payload, err := a6.EncodeRequest(r)
		if err != nil {
			t.Fatal(err)
		}
		c.send(a6.HTTPReqCall, payload)
		if kind, _, err := a6.ReadFrame(c.r, nil); kind != a6.ExtraInfo || err != nil {
			t.Fatal(kind, err)
		}
		c.Close()
		if err := <-failed; err == nil {
			t.Error("no error")
		}
	})
}
