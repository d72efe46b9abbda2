package main

import (
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/cmd/playground/page"
)

// goOn waits until the load has had so many more answers.
func (r *rig) goOn(more int64) page.Load {
	r.t.Helper()
	begun := r.bench.Load()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(30 * time.Second); ; {
		select {
		case <-tick.C:
		case <-deadline:
			r.t.Fatalf("the load stands still at %+v", r.bench.Load())
		}
		if now := r.bench.Load(); now.Good+now.Bad >= begun.Good+begun.Bad+more {
			return now
		}
	}
}

func TestNothingBreaksWhateverButtonIsPressedUnderLoad(t *testing.T) {
	r := startRig(t)
	if said := r.act("load-start", ""); !strings.Contains(said, "150") {
		t.Error(said)
	}
	if said := r.act("load-start", ""); !strings.Contains(said, "already") {
		t.Error(said)
	}
	pid := r.bench.Runner().PID
	r.goOn(100)
	for _, b := range []struct{ act, subject, says string }{
		{"rotate-keys", "", "signs with its next key"},
		{"rotate-keys", "", "signs with its next key"},
		{"issuer-sick", "", "answers 503"},
		{"rotate-keys", "", ""}, // done where the runner knows the next key already
		{"restart-runner", "", "not restarted"},
		{"reload-gateway", "", "reloaded"},
		{"issuer-well", "", "gives its keys out again"},
		{"revoke-user", "auth0|alice", "auth0|alice"},
		{"revoke-user", loadSubject, "not revoked"},
		{"restart-runner", "", "took the socket over"},
		{"restart-runner", "", "took the socket over"},
		{"clear-revocations", "", "Nobody"},
		{"reload-gateway", "", "reloaded"},
	} {
		if said := r.act(b.act, b.subject); !strings.Contains(said, b.says) {
			t.Errorf("%s: %s", b.act, said)
		}
		if now := r.goOn(100); now.Wrong+now.Failed > 0 {
			t.Fatalf("after %s: %+v", b.act, now)
		}
	}
	r.act("load-stop", "")
	ended := r.bench.Load()
	if ended.Running || ended.Good == 0 || ended.Bad == 0 || ended.Wrong+ended.Failed > 0 {
		t.Errorf("got %+v", ended)
	}
	if now := r.bench.Runner(); now.PID == pid || now.Start != 3 || !now.Up {
		t.Errorf("the runner is %+v, and was process %d", now, pid)
	}
	t.Logf("%d good and %d bad tokens", ended.Good, ended.Bad)
}

// A check that cannot fail is none: the load notices what it is there for.
func TestTheLoadCountsWhatIsWrongAndWhatFails(t *testing.T) {
	l := &load{}
	for _, one := range []struct {
		v   verdict
		bad bool
	}{{forwarded, false}, {refused, true}, {refused, false}, {forwarded, true}, {forwarded, true}, {failed, true}, {failed, false}} {
		l.judge(one.v, one.bad)
	}
	if got, want := l.count(), (page.Load{Good: 3, Bad: 4, Wrong: 3, Failed: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTheLoadNoticesAGatewayThatLetsEverybodyPassOrNobody(t *testing.T) {
	r := startRig(t)
	for name, plugins := range map[string]string{
		"nobody's plugin": `{}`,
		"another issuer":  `{"ext-plugin-pre-req":{"conf":[{"name":"auth0-jwt","value":"{\"issuer\":\"` + r.other.URL() + `\",\"audience\":\"x\"}"}]}}`,
	} {
		body := `{"uri":"/api/*","plugins":` + plugins + `,"upstream":{"type":"roundrobin","nodes":{"` + r.upstream.Node() + `":1}}}`
		if err := r.bench.PutRoute(t.Context(), "api", []byte(body)); err != nil {
			t.Fatal(err)
		}
		r.act("load-start", "")
		if now := r.goOn(40); now.Wrong+now.Failed == 0 {
			t.Errorf("%s: %+v", name, now)
		}
		r.act("load-stop", "")
	}
}

func TestARevokedUserIsRefusedUntilANewLogin(t *testing.T) {
	r := startRig(t)
	e := r.begin().example(t, "revoked")
	caller := map[string]any{"kind": "minted", "variant": "valid", "claims": map[string]any{"sub": "auth0|alice"}}
	try := func(want string) {
		t.Helper()
		before := r.verdicts()
		got := r.try(e.Config, e.Request, caller)
		r.agrees(t, got, before)
		if got.Answer.Reason != want {
			t.Errorf("got %s, want %s", got.Answer.Reason, want)
		}
	}
	try("forwarded")
	r.act("revoke-user", "auth0|alice")
	try("revoked")
	r.act("restart-runner", "")
	try("revoked") // the successor was told
	r.act("clear-revocations", "")
	try("forwarded")
	r.act("revoke-user", "auth0|alice")
	try("revoked")
	// Tokens have whole seconds: a new one is of the next.
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 100 {
		<-tick.C
		var minted struct{ Token string }
		r.post("mint", map[string]any{"config": e.Config, "variant": "valid", "claims": caller["claims"]}, &minted)
		if got := r.try(e.Config, e.Request, caller); got.Answer.Reason == "forwarded" {
			return
		}
	}
	t.Error("a new login does not work")
}

func TestARotationShowsInTokensFromBefore(t *testing.T) {
	r := startRig(t)
	e := r.begin().example(t, "revoked")
	caller := map[string]any{"kind": "minted", "variant": "valid", "claims": map[string]any{"sub": "auth0|alice"}}
	authorization := func() string {
		got := r.try(e.Config, e.Request, caller)
		if got.Answer.Reason != "forwarded" {
			t.Errorf("got %s", got.Answer.Reason)
		}
		return got.Sent.Headers[len(got.Sent.Headers)-1][1]
	}
	first := authorization()
	if said := r.act("rotate-keys", ""); !strings.Contains(said, "next key") {
		t.Fatal(said)
	}
	if authorization() != first {
		t.Error("the caller has another token")
	}
}
