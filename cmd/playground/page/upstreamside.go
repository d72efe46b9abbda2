package page

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

// upstreamSide is what the upstream received, beside what the client had sent.
type upstreamSide struct {
	Method   string           `json:"method"`
	Path     string           `json:"path"`
	Headers  []upstreamHeader `json:"headers"`
	Stripped []namedValue     `json:"stripped"`
}

type upstreamHeader struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Mark  string `json:"mark"` // identity: the runner's; kept: the client's; gateway: APISIX's
}

type namedValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// upstreamOf reads the echo of a request that reached the upstream; nil where none
// did.
func upstreamOf(sent request, got received) *upstreamSide {
	var echo upstream.Echo
	if got.status != http.StatusOK || json.Unmarshal(got.body, &echo) != nil || echo.Kind != "upstream" {
		return nil
	}
	u := &upstreamSide{Method: echo.Method, Path: echo.Path, Headers: []upstreamHeader{}, Stripped: []namedValue{}}
	if echo.Query != "" {
		u.Path += "?" + echo.Query
	}
	echo.Headers["Host"] = []string{echo.Host}
	identity := map[string]bool{}
	if got.wire != nil && got.wire.Answer.Rewrite != nil {
		for _, h := range got.wire.Answer.Rewrite.Headers {
			identity[strings.ToLower(h.Name)] = h.HasValue && !strings.EqualFold(h.Name, "cookie")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(echo.Headers)) {
		for _, value := range echo.Headers[name] {
			u.Headers = append(u.Headers, upstreamHeader{name, value, markOf(name, identity, sent)})
		}
	}
	for _, h := range sent.Headers {
		if !arrived(h, echo.Headers) {
			u.Stripped = append(u.Stripped, namedValue{h[0], h[1]})
		}
	}
	return u
}

func markOf(name string, identity map[string]bool, sent request) string {
	switch {
	case identity[strings.ToLower(name)]:
		return "identity"
	case slices.ContainsFunc(sent.Headers, func(h [2]string) bool { return strings.EqualFold(h[0], name) }):
		return "kept"
	}
	return "gateway"
}

// arrived reports whether the upstream has a header as the client sent it.
func arrived(h [2]string, headers map[string][]string) bool {
	for name, values := range headers {
		if strings.EqualFold(name, h[0]) && slices.Contains(values, strings.Trim(h[1], " \t")) {
			return true
		}
	}
	return false
}
