package runner

import (
	"net/http"
	"slices"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

// response is pkg/http.Response: the upstream's answer, for ResponseFilter.
type response struct {
	peer peer
	sent a6.Response

	status int
	header *responseHeader
	body   []byte
	wrote  bool

	vars    map[string][]byte
	origin  []byte
	hasBody bool
}

var _ pkgHTTP.Response = (*response)(nil)

// responseHeader is pkg/http.Header over a map alone.
type responseHeader struct{ http.Header }

func (h *responseHeader) View() http.Header { return h.Header }

func (r *response) ID() uint32 { return r.sent.ID }

func (r *response) StatusCode() int {
	if r.status == 0 {
		return int(r.sent.Status)
	}
	return r.status
}

func (r *response) Header() pkgHTTP.Header {
	if r.header == nil {
		r.header = &responseHeader{r.sentHeader()}
	}
	return r.header
}

func (r *response) sentHeader() http.Header {
	h := http.Header{}
	for _, e := range r.sent.Headers {
		h.Add(e.Name, e.Value)
	}
	return h
}

func (r *response) Var(name string) ([]byte, error) {
	if value, asked := r.vars[name]; asked {
		return value, nil
	}
	value, err := r.peer.ask(a6.Question{Var: name})
	if err != nil {
		return nil, err
	}
	if r.vars == nil {
		r.vars = map[string][]byte{}
	}
	r.vars[name] = value
	return value, nil
}

func (r *response) ReadBody() ([]byte, error) {
	if !r.hasBody {
		body, err := r.peer.ask(a6.Question{RespBody: true})
		if err != nil {
			return nil, err
		}
		r.origin, r.hasBody = body, true
	}
	return r.origin, nil
}

func (r *response) Write(b []byte) (int, error) {
	r.wrote = true
	r.body = append(r.body, b...)
	return len(b), nil
}

// WriteHeader sets the status; the first call counts.
func (r *response) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *response) changed() bool { return r.wrote || r.status != 0 || r.header != nil }

// respond runs the plugins of a configuration on the upstream's response. A
// plugin that fails here cannot let a request through any more; APISIX answers
// 503 to the error.
func (x *exchange) respond(conf *conf) {
	r := &response{peer: x.peer, sent: x.sent}
	x.sent = a6.Response{}
	for i := range conf.steps {
		if !x.filterResponse(&conf.steps[i], r) {
			x.fail(a6.ServiceUnavailable)
			return
		}
		if r.changed() {
			break
		}
	}
	if conf.denies || r.status < 0 || r.status > 999 {
		x.fail(a6.ServiceUnavailable)
		return
	}
	x.reply(a6.HTTPRespCall, a6.EncodeResponseAnswer(a6.ResponseAnswer{
		ID: r.sent.ID, Status: uint16(r.status), Headers: r.headerEdits(), Body: r.body,
	}))
}

func (x *exchange) filterResponse(step *step, r *response) (ok bool) {
	defer x.caught(step, &ok)
	step.plugin.ResponseFilter(step.conf, r)
	return true
}

// headerEdits are the headers that changed. APISIX adds the second value of a
// name to the first here, so that all of them go out.
func (r *response) headerEdits() []a6.Entry {
	if r.header == nil {
		return nil
	}
	var edits []a6.Entry
	sent := r.sentHeader()
	for _, name := range sortedNames(sent) {
		if len(r.header.Header[name]) == 0 {
			edits = append(edits, a6.Entry{Name: name})
		}
	}
	for _, name := range sortedNames(r.header.Header) {
		if slices.Equal(sent[name], r.header.Header[name]) {
			continue
		}
		for _, v := range r.header.Header[name] {
			edits = append(edits, a6.Entry{Name: name, Value: v, HasValue: true})
		}
	}
	return edits
}
