package policy_test

import (
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/identity"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
)

// BenchmarkKnown is what a known session costs beside a known bearer token, in
// the policy alone.
func BenchmarkKnown(b *testing.B) {
	conf := withLogin(func(c *config.Config) {
		c.ClaimHeaders = []identity.ClaimHeader{{Name: "X-User-Id", Claim: ref("sub")}}
	})
	raw := good(b)
	more := []string{"host", "app.example", "accept", "text/html", "user-agent", "x"}
	for _, bb := range []struct {
		name string
		req  *request
	}{
		{"bearer", get(append(more, "authorization", "Bearer "+raw)...)},
		{"session", get(append(more, "cookie", "theme=dark; __Host-auth0_session="+strings.Repeat("s", 2500)+"; lang=en")...)},
	} {
		w := walk{session: live(raw)}
		if got := w.through(conf, bb.req); got != forwarded {
			b.Fatal(got)
		}
		p, req := policy.Compile(conf), &named{request: bb.req}
		for i := range bb.req.headers {
			req.names = append(req.names, bb.req.HeaderName(i))
		}
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			var j policy.Judgement
			for b.Loop() {
				p.Judge(&j, req, clock)
				_, need := j.Next()
				if need.Kind == policy.NeedSession {
					j.Session(w.session)
					_, need = j.Next()
				}
				if _, ok := j.Recall(w.memory); need.Kind != policy.NeedMemory || !ok {
					b.Fatal(need.Kind)
				}
				j.Release()
			}
		})
	}
}

// named is a request that allocates nothing itself.
type named struct {
	*request
	names [][]byte
}

func (n *named) HeaderName(i int) []byte { return n.names[i] }
