package auth0jwt

import (
	"context"
	"errors"
	"net/http"
	"strings"

	pkgHTTP "github.com/apache/apisix-go-plugin-runner/pkg/http"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
)

var (
	errPanic    = errors.New("reading the configuration panicked")
	errNoPolicy = errors.New("the runner gave a configuration that is not this plugin's")
)

// view shows a request of the official runner to the policy.
type view struct {
	r       pkgHTTP.Request
	ctx     context.Context
	headers []identity.Header
}

var _ policy.Request = (*view)(nil)

// shown flattens the runner's map: one entry per value.
func shown(r pkgHTTP.Request) []identity.Header {
	var entries []identity.Header
	for name, values := range r.Header().View() {
		for _, v := range values {
			entries = append(entries, identity.Header{Name: name, Value: v})
		}
	}
	return entries
}

func (v *view) Context() context.Context { return v.ctx }
func (v *view) Method() string           { return v.r.Method() }
func (v *view) NumHeader() int           { return len(v.headers) }

func (v *view) Header(i int) (name, value string) {
	return v.headers[i].Name, v.headers[i].Value
}

func (v *view) Args(name string) []string       { return v.r.Args()[name] }
func (v *view) Var(name string) ([]byte, error) { return v.r.Var(name) }

// apply hands edits to the runner. The official runner compares the first
// value of a header with what came in and sends nothing when they are equal,
// so that a client who sends the right value first would keep the others. An
// entry under another spelling of the same name is new to it: it sends the
// deletion, and then the value.
func apply(e identity.Edits, r pkgHTTP.Request) {
	if len(e.DeleteHeaders) > 0 || len(e.SetHeaders) > 0 {
		headers := r.Header().View()
		for _, name := range e.DeleteHeaders {
			delete(headers, name)
		}
		for _, h := range e.SetHeaders {
			delete(headers, http.CanonicalHeaderKey(h.Name))
			headers[unlikeCanonical(h.Name)] = []string{h.Value}
		}
	}
	for _, name := range e.DeleteArgs {
		delete(r.Args(), name)
	}
}

// unlikeCanonical spells name in a way that Go's canonical form never does.
// The configuration refuses names without a letter.
func unlikeCanonical(name string) string {
	if lower := strings.ToLower(name); lower != http.CanonicalHeaderKey(name) {
		return lower
	}
	return strings.ToUpper(name)
}
