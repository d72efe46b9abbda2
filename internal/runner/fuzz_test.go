package runner_test

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

// fuzzed is a server that a fuzzer talks to.
type fuzzed struct {
	path  string
	watch *client
}

// FuzzConnection sends whatever it likes, to every driver: the server answers
// or closes, keeps serving others, and never panics.
func FuzzConnection(f *testing.F) {
	r := get(entry("x-in", "in"))
	var all []fuzzed
	for _, d := range drivers {
		opt := runner.Options{Plugins: bothPlugins(), TokenKey: []byte("the same for all")}
		path, _ := d.start(f, opt)
		all = append(all, fuzzed{path, dial(f, path)})
		r.ConfToken = all[len(all)-1].watch.prepare("watch", entry("one-edit", ""))
	}
	payload, err := a6.EncodeRequest(r)
	if err != nil {
		f.Fatal(err)
	}
	frame := func(t a6.Type, payload []byte) []byte {
		b, err := a6.AppendFrame(nil, t, payload)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	call := frame(a6.HTTPReqCall, payload)
	f.Add(call)
	f.Add(append(call[:len(call):len(call)], call...))
	f.Add(bytes.Repeat(call, 40))
	f.Add(append(bytes.Repeat(call, 3), 2, 0, 1))
	f.Add(frame(a6.PrepareConf, a6.EncodePrepareConf("k", []a6.Entry{entry("edits", "set:x=1")})))
	f.Add(frame(a6.HTTPRespCall, a6.EncodeResponse(a6.Response{ID: 1, ConfToken: r.ConfToken})))
	f.Add([]byte{2, 0xff, 0xff, 0xff})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, server := range all {
			server.talk(t, data)
			server.watch.t = t
			if err := server.watch.SetDeadline(time.Now().Add(hangGuard)); err != nil {
				t.Fatal(err)
			}
			if a := server.watch.call(r); a.Rewrite == nil || lines(a.Rewrite.Headers) != "X-User-Id=in" {
				t.Fatalf("another connection was answered %+v", a)
			}
		}
	})
}

func (s fuzzed) talk(t *testing.T, data []byte) {
	c, err := net.Dial("unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(hangGuard)); err != nil {
		t.Fatal(err)
	}
	go func() {
		_, _ = c.Write(data) // the server may close before all is sent
		_ = c.(*net.UnixConn).CloseWrite()
	}()
	if _, err := io.Copy(io.Discard, c); err != nil {
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Fatal("the server neither answers nor closes")
		}
	}
}

// FuzzRequestView holds the view in place to the copying decoder.
func FuzzRequestView(f *testing.F) {
	payload, err := a6.EncodeRequest(get(entry("a", "b"), a6.Entry{Name: "c"}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(payload)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		var v a6.RequestView
		viewErr := v.Read(payload)
		r, err := a6.DecodeRequest(payload)
		if viewErr != nil {
			if err == nil {
				t.Fatalf("the view refuses what the decoder takes: %v", viewErr)
			}
			return
		}
		if err != nil {
			return // the decoder's budget for copies is the tighter one
		}
		if v.ID != r.ID || v.ConfToken != r.ConfToken || v.Method != r.Method || string(v.Path) != r.Path ||
			string(v.SrcIP) != string(r.SrcIP) || !sameEntries(v.Headers, r.Headers) || !sameEntries(v.Args, r.Args) {
			t.Fatalf("view %+v, decoded %+v", v, r)
		}
	})
}

func sameEntries(pairs []a6.Pair, entries []a6.Entry) bool {
	if len(pairs) != len(entries) {
		return false
	}
	for i, p := range pairs {
		if e := entries[i]; string(p.Name) != e.Name || string(p.Value) != e.Value || p.HasValue != e.HasValue {
			return false
		}
	}
	return true
}
