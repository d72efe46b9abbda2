package auth0jwt_test

import (
	"crypto/ecdsa"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// BenchmarkGrowth is how the cost of a request grows with what there is, over
// the socket: each group in interleaved rounds, ratios to its first row.
func BenchmarkGrowth(b *testing.B) {
	issuers := newIssuers(b)
	groups := []struct {
		name string
		rows []grown
	}{
		{"routes, each with a known token", growing(1, 10_000, 10, func(n int) grown {
			g := grown{tokens: []string{benchToken(benchKey(), 1)}}
			for i := range n {
				g.confs = append(g.confs, benchConf(fmt.Sprintf(`,"realm":"route-%d"`, i)))
			}
			return g
		})},
		{"providers, each with a route and a known token", growing(1, 1000, 10, func(n int) (g grown) {
			for i := range n {
				g.confs = append(g.confs, issuers.conf(i))
				g.tokens = append(g.tokens, issuers.token(i))
			}
			return g
		})},
		{"distinct tokens (ES256), one of them at a time", growing(1, 1_000_000, 10, distinct())},
		{"KiB of a known token", growing(1, 32, 2, sized(1))},
		{"KiB of a new token", growing(1, 32, 2, sized(300))},
		{"connections, known token", growing(1, 256, 4, func(n int) grown {
			return grown{confs: []string{benchConf("")}, tokens: []string{benchToken(benchKey(), 1)}, connections: n}
		})},
	}
	for b.Loop() {
		for _, group := range groups {
			measureGroup(b, group.name, group.rows)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// grown is one row: request n goes to route n with token n, round about.
type grown struct {
	label         string
	confs, tokens []string
	connections   int   // 0 is 8
	cache         int64 // bytes; 0 is the default
}

func growing(from, to, factor int, row func(n int) grown) (rows []grown) {
	for n := from; n <= to; n *= factor {
		g := row(n)
		if g.label == "" {
			g.label = strconv.Itoa(n)
		}
		rows = append(rows, g)
	}
	return rows
}

// sized makes rows of tokens of n/2 KiB; several are new each time.
func sized(several int) func(n int) grown {
	return func(n int) grown {
		g := grown{label: strconv.FormatFloat(float64(n)/2, 'g', -1, 64), confs: []string{benchConf("")}}
		if several > 1 {
			g.cache = 1 // not even one token fits
		}
		for i := range several {
			bare := benchToken(benchKey(), i)
			// Three bytes of a claim are four of the token.
			pad := max(0, (n*512-len(bare))*3/4-12)
			g.tokens = append(g.tokens, paddedToken(i, pad))
		}
		return g
	}
}

func paddedToken(n, pad int) string {
	return signed("RS256", benchKey(), map[string]any{
		"iss": "https://i.example/", "aud": "api", "sub": "auth0|user-" + strconv.Itoa(n),
		"exp": time.Now().Add(time.Hour).Unix(), "pad": strings.Repeat("x", pad),
	})
}

// distinct signs tokens once for all rows: ES256, since RSA takes too long.
func distinct() func(n int) grown {
	signer := forge.P256()
	var tokens []string
	return func(n int) grown {
		for i := len(tokens); i < n; i++ {
			tokens = append(tokens, es256Token(signer, i))
		}
		return grown{confs: []string{es256Conf(signer)}, tokens: tokens[:n]}
	}
}

func es256Conf(signer *ecdsa.PrivateKey) string {
	return fmt.Sprintf(`{"issuer":"https://i.example/","audience":"api","algorithms":["ES256"],"claim_headers":{"X-User-Id":"sub"},
		"jwks":%s}`, forge.JWKS(forge.JWK(signer, "kid", "k")))
}

func es256Token(signer *ecdsa.PrivateKey, n int) string {
	return signed("ES256", signer, map[string]any{
		"iss": "https://i.example/", "aud": "api", "sub": "auth0|user-" + strconv.Itoa(n), "iat": time.Now().Unix(),
		"exp": time.Now().Add(time.Hour).Unix(), "scope": "read:orders write:orders", "azp": "spa", "roles": []string{"a", "b"},
	})
}

// issuers is a server with as many issuers as anyone asks for, all with one key.
type issuers struct{ url string }

func newIssuers(b *testing.B) issuers {
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	b.Cleanup(s.Close)
	mux.HandleFunc("GET /{n}/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"issuer":"%s/%s/","jwks_uri":"%s/%s/jwks"}`, s.URL, r.PathValue("n"), s.URL, r.PathValue("n"))
	})
	mux.HandleFunc("GET /{n}/jwks", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(keySet()) })
	return issuers{s.URL}
}

func (s issuers) conf(n int) string {
	return fmt.Sprintf(`{"issuer":"%s/%d/","audience":"api","claim_headers":{"X-User-Id":"sub"}}`, s.url, n)
}

func (s issuers) token(n int) string {
	return signed("RS256", benchKey(), map[string]any{
		"iss": fmt.Sprintf("%s/%d/", s.url, n), "aud": "api", "sub": "auth0|user", "exp": time.Now().Add(time.Hour).Unix(),
	})
}

// measureGroup prints a table of one group's rows.
func measureGroup(b *testing.B, name string, rows []grown) {
	const rounds = 5
	ready := make([]*readyRow, len(rows))
	for i, row := range rows {
		ready[i] = row.start(b)
	}
	results := make([][]measured, len(rows))
	for range rounds {
		for i, row := range ready {
			results[i] = append(results[i], row.load(b))
		}
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%s; medians of %d rounds\n%12s %12s %8s %8s %8s %8s %8s\n", name, rounds, "", "requests/s", "spread", "ratio", "CPU us", "ratio", "MiB")
	first := middle(results[0])
	for i, row := range rows {
		m := middle(results[i])
		fmt.Fprintf(&table, "%12s %12.0f %7.0f%% %8.2f %8.1f %8.2f %8d\n", row.label,
			m.perSecond, spread(results[i]), m.perSecond/first.perSecond, m.cpu, m.cpu/first.cpu, ready[i].on.memory("VmRSS"))
	}
	fmt.Println(table.String())
	for _, row := range ready {
		row.on.stop()
	}
}

// readyRow is a row whose runner has seen every route and token.
type readyRow struct {
	grown
	on    process
	confs []uint32
}

func (g grown) start(b *testing.B) *readyRow {
	r := &readyRow{grown: g, on: startProcess(b, "engine", g.cache)}
	w := dial(b, r.on.path)
	defer w.Close()
	for _, conf := range g.confs {
		r.confs = append(r.confs, w.prepare(b, "auth0-jwt", conf))
	}
	for i := range max(len(g.confs), len(g.tokens)) {
		if !w.passes(r.frame(i)) {
			b.Fatalf("request %d of row %s is refused", i, g.label)
		}
	}
	return r
}

func (r *readyRow) frame(n int) []byte {
	return frameOf(r.confs[n%len(r.confs)], r.tokens[n%len(r.tokens)])
}

// load is half a second of requests. Each connection has frames of its own, so
// that no client waits for another's.
func (r *readyRow) load(b *testing.B) measured {
	connections := r.connections
	if connections == 0 {
		connections = 8
	}
	all := max(len(r.confs), len(r.tokens))
	few := all <= 10_000 // more are made as they are sent
	var mu sync.Mutex
	var clients sync.WaitGroup
	total := 0
	frames := make([][][]byte, connections)
	workers := make([]*worker, connections)
	for c := range connections {
		workers[c] = dial(b, r.on.path)
		for i := c; few && i < max(all, connections); i += connections {
			frames[c] = append(frames[c], r.frame(i))
		}
	}
	before, begin := r.on.cpu(), time.Now()
	for c, w := range workers {
		clients.Go(func() {
			defer w.Close()
			n := 0
			for at := c; time.Since(begin) < 500*time.Millisecond; n++ {
				if few {
					w.do(frames[c][n%len(frames[c])])
					continue
				}
				w.do(r.frame(at % all))
				at += 7919 // a prime: all over the place
			}
			mu.Lock()
			defer mu.Unlock()
			total += n
		})
	}
	clients.Wait()
	return measured{float64(total) / time.Since(begin).Seconds(), float64((r.on.cpu() - before).Microseconds()) / float64(total)}
}
