package page

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
)

type tryCall struct {
	Config  string  `json:"config"`
	Request request `json:"request"`
	Caller  caller  `json:"caller"`
}

// tryAnswer is what happened to one request, from the client to the upstream.
type tryAnswer struct {
	Sent     request                  `json:"sent"`
	Shown    *request                 `json:"shown"`  // what APISIX showed the runner; null where it asked none
	Runner   *runnerAnswer            `json:"runner"` // null likewise
	Checks   []inspect.ExplainedCheck `json:"checks"`
	Notes    []string                 `json:"notes"`
	Session  []string                 `json:"session"`
	Login    []string                 `json:"login"`
	Reports  []string                 `json:"reports"`
	Answer   clientAnswer             `json:"answer"`
	Upstream *upstreamSide            `json:"upstream"`
	Share    share                    `json:"share"`
}

// runnerAnswer is what the runner told APISIX to do.
type runnerAnswer struct {
	Kind    string      `json:"kind"` // stop, rewrite or none
	Status  int         `json:"status,omitempty"`
	Headers [][2]string `json:"headers"`
	Edits   []edit      `json:"edits"`
}

type edit struct {
	Op    string `json:"op"` // set, delete or delete-argument
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// clientAnswer is what the client got.
type clientAnswer struct {
	Status     int         `json:"status"`
	Reason     string      `json:"reason"`
	Headers    [][2]string `json:"headers"`
	Body       string      `json:"body"`
	Challenges []challenge `json:"challenges"`
	Location   string      `json:"location,omitempty"`
}

// try puts the configuration on the route, sends the request through the gateway
// and the runner, and tells what went over every wire.
func (s *Server) try(r *http.Request, asked tryCall) (any, error) {
	if err := asked.Request.validate(); err != nil {
		return nil, err
	}
	_, conf := inspected(asked.Config)
	site := s.opt.Bench.Site()
	sent := request{Method: asked.Request.Method, Path: asked.Request.Path}
	host, _ := strings.CutPrefix(site.Gateway, "http://")
	sent.Headers = append([][2]string{{"Host", host}}, asked.Request.Headers...)
	notes, err := s.present(&sent, asked.Caller, conf, r)
	if err != nil {
		return nil, err
	}
	if err := (request{sent.Method, sent.Path, sent.Headers[1:]}).validate(); err != nil {
		return nil, err // where the configuration looks for a token is for its author to say
	}
	leave, err := s.enter(r.Context())
	if err != nil {
		return nil, err
	}
	defer leave()
	body, err := s.place(r.Context(), asked.Config)
	if err != nil {
		return nil, err
	}
	got, err := send(r.Context(), site, s.opt.Wire, sent)
	if err != nil {
		return nil, err
	}
	answer := tryAnswer{
		Sent: sent, Notes: notes, Checks: []inspect.ExplainedCheck{}, Session: []string{}, Login: []string{}, Reports: []string{},
		Answer: answered(got), Share: s.shareOf(asked.Config, body, conf, asked.Caller, sent),
	}
	answer.Upstream = upstreamOf(sent, got)
	if got.wire == nil {
		answer.Notes = append(answer.Notes, noRunner(got.status))
		return answer, nil
	}
	answer.Shown, answer.Runner = shownOf(got.wire.Shown), runnerOf(got.wire.Answer)
	req, err := newShown(sent, site.Gateway, got.wire.Shown)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	x, err := s.second.explain(ctx, s.opt.Bench, asked.Config, conf, req)
	if err != nil {
		return nil, err
	}
	answer.walked(x)
	return answer, nil
}

// walked adds the walk of the second gate.
func (t *tryAnswer) walked(x *inspect.Explanation) {
	t.Notes = append(t.Notes, x.Notes...)
	t.Checks = append(t.Checks, x.Checks...)
	t.Session = append(t.Session, x.Session...)
	t.Login = append(t.Login, x.Login...)
	t.Reports = append(t.Reports, x.Reports...)
	status, reason := http.StatusOK, "forwarded"
	switch {
	case x.Own:
		t.Answer.Reason = "login"
		return
	case x.SentToLogin:
		status, reason = http.StatusFound, x.Reason
	case !x.Forward:
		status, reason = x.Answer.Status, x.Reason
	}
	forwarded := t.Runner.Kind != "stop"
	if forwarded != x.Forward || !forwarded && status != t.Answer.Status {
		t.Notes = append(t.Notes, fmt.Sprintf("the runner decided otherwise than the checks below, which end with %d %s: they are made by a second gate, whose memory (keys, used proofs, sessions) is another one", status, reason))
		return
	}
	t.Answer.Reason = reason
}

// noRunner says why nobody asked the runner.
func noRunner(status int) string {
	if status == http.StatusServiceUnavailable {
		return "the gateway found no runner, and so it answers 503: without one nothing passes"
	}
	return "the gateway answered itself: it asked no runner about this request"
}

// enter waits for the route, which one try has at a time.
func (s *Server) enter(ctx context.Context) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, &callError{http.StatusServiceUnavailable, "Other tries are under way: try again."}
	}
}

// placed is what is on the route now. Whoever has the turn may use it.
type placed struct{ body string }

// place puts a configuration on the route where it is not there already, and is
// the Admin API's body.
func (s *Server) place(ctx context.Context, text string) ([]byte, error) {
	body, err := routeBody(text, s.opt.Bench.Site().Node)
	if err != nil {
		return nil, err
	}
	if s.route.body == string(body) {
		return body, nil
	}
	s.route.body = ""
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if err := s.opt.Bench.PutRoute(ctx, routeID, body); err != nil {
		return nil, err
	}
	s.route.body = string(body)
	return body, nil
}

// login puts the route and says which page a person opens to log in.
func (s *Server) login(r *http.Request, asked struct {
	Config string `json:"config"`
},
) (any, error) {
	_, conf := inspected(asked.Config)
	if conf == nil || conf.Login == nil {
		return nil, badCall("This configuration has no login, or has errors.")
	}
	leave, err := s.enter(r.Context())
	if err != nil {
		return nil, err
	}
	defer leave()
	if _, err := s.place(r.Context(), asked.Config); err != nil {
		return nil, err
	}
	open := s.opt.Bench.Site().Gateway + DonePath
	if conf.UnauthAction != config.UnauthAuth && strings.HasPrefix(conf.Login.LoginPath, tryPrefix) {
		open = s.opt.Bench.Site().Gateway + conf.Login.LoginPath + "?return_to=" + url.QueryEscape(DonePath)
	}
	return map[string]string{"open": open}, nil
}

// DonePath is where a login ends: the upstream has a page there.
const DonePath = tryPrefix + "done"

// answered is the answer as a client reads it.
func answered(got received) clientAnswer {
	a := clientAnswer{Status: got.status, Headers: got.headers, Body: string(got.body), Challenges: []challenge{}}
	for _, h := range got.headers {
		switch strings.ToLower(h[0]) {
		case "www-authenticate":
			a.Challenges = append(a.Challenges, challenges(h[1])...)
		case "location":
			a.Location = h[1]
		}
	}
	return a
}

// shownOf is a request as APISIX showed it.
func shownOf(shown a6.Request) *request {
	r := &request{Method: shown.Method, Path: shown.Path, Headers: sortedPairs(shown.Headers)}
	args := url.Values{}
	for _, arg := range shown.Args {
		args.Add(arg.Name, arg.Value)
	}
	if len(args) > 0 {
		r.Path += "?" + args.Encode()
	}
	return r
}

func runnerOf(a a6.Answer) *runnerAnswer {
	r := &runnerAnswer{Kind: "none", Headers: [][2]string{}, Edits: []edit{}}
	switch {
	case a.Stop != nil:
		r.Kind, r.Status = "stop", int(a.Stop.Status)
		r.Headers = pairs(a.Stop.Headers)
	case a.Rewrite != nil:
		r.Kind, r.Headers = "rewrite", pairs(a.Rewrite.RespHeaders)
		for _, h := range a.Rewrite.Headers {
			if h.HasValue {
				r.Edits = append(r.Edits, edit{"set", h.Name, h.Value})
			} else {
				r.Edits = append(r.Edits, edit{"delete", h.Name, ""})
			}
		}
		for _, arg := range a.Rewrite.Args {
			if !arg.HasValue {
				r.Edits = append(r.Edits, edit{"delete-argument", arg.Name, ""})
			}
		}
	}
	return r
}

// proofFor is a proof for a request that is sent to the gateway.
func (s *Server) proofFor(sent request, token string) string {
	return s.keys.proof(sent.Method, s.opt.Bench.Site().Gateway+sent.Path, token, time.Now())
}
