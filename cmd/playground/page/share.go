package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// routeID is the route of the tries.
const routeID = "try"

// share is what was tried, to take away: no token and no secret is in it.
type share struct {
	Curl    string `json:"curl"`
	Explain string `json:"explain"`
	Compose string `json:"compose"`
	Helm    string `json:"helm"`
}

// routeBody is the Admin API's body of the route. What is no JSON is put there too,
// as it is: the runner then denies every request, and that is what the try shows.
func routeBody(text, node string) ([]byte, error) {
	placement := inspect.Placement{
		Name: routeID, URIs: []string{tryPrefix + "*"}, Upstream: node, UpstreamScheme: "http", Phase: "ext-plugin-pre-req",
	}
	if json.Valid([]byte(text)) {
		return inspect.Route([]byte(text), placement)
	}
	return json.Marshal(map[string]any{
		"name": routeID, "uri": tryPrefix + "*",
		"plugins":  map[string]any{placement.Phase: map[string]any{"conf": []any{map[string]string{"name": "auth0-jwt", "value": text}}}},
		"upstream": map[string]any{"type": "roundrobin", "nodes": map[string]int{node: 1}},
	})
}

func (s *Server) shareOf(text string, body []byte, conf *config.Config, c caller, sent request) share {
	site := s.opt.Bench.Site()
	names := secretNames(text)
	return share{
		Curl: fmt.Sprintf("curl -sS --fail-with-body -X PUT %s/apisix/admin/routes/%s \\\n  -H \"X-API-KEY: $ADMIN_KEY\" -H 'Content-Type: application/json' \\\n  -d %s",
			site.Admin, routeID, quoted(string(bytes.TrimSpace(body)))),
		Explain: explainLine(text, site.Gateway, c, conf, sent),
		Compose: compose(names), Helm: helm(names),
	}
}

// explainLine is the same request for the command. What proves the caller comes by
// standard input, or as a variable: every user of a machine can read the arguments
// of its processes.
func explainLine(text, gateway string, c caller, conf *config.Config, sent request) string {
	var b strings.Builder
	// Quoted, and no here-document, which a line of the text could end.
	fmt.Fprintf(&b, "printf '%%s\\n' %s >route.json\n", quoted(strings.TrimRight(text, "\n")))
	given := ""
	switch {
	case c.Kind == "minted", c.Kind == "pasted":
		b.WriteString("printf %s \"$TOKEN\" | ")
		given = " -t -"
	case c.Kind == "session" && conf != nil:
		b.WriteString("printf %s \"$COOKIE\" | ")
		given = " --cookie -"
	}
	path, _, _ := strings.Cut(sent.Path, "?")
	if conf == nil || conf.TokenFrom[0].Kind != token.Query {
		path = sent.Path
	}
	fmt.Fprintf(&b, "go-runner explain -c route.json --allow-insecure --show-claims%s \\\n  -X %s --url %s", given, sent.Method, quoted(gateway+path))
	for _, h := range sent.Headers {
		switch name := strings.ToLower(h[0]); {
		case name == "host", slices.Contains(proving, name), conf != nil && strings.EqualFold(conf.TokenFrom[0].Name, name):
		case name == "dpop":
			b.WriteString(" \\\n  -H \"DPoP: $PROOF\"")
		default:
			fmt.Fprintf(&b, " \\\n  -H %s", quoted(h[0]+": "+h[1]))
		}
	}
	return b.String()
}

// proving are the headers that a caller proves itself with.
var proving = []string{"authorization", "cookie"}

// quoted is a text as a shell takes it in one word.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

var reference = regexp.MustCompile(`\$env://([A-Za-z_][A-Za-z0-9_]*)`)

// secretNames are the variables that a configuration refers to.
func secretNames(text string) (names []string) {
	for _, found := range reference.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, found[1]) {
			names = append(names, found[1])
		}
	}
	return names
}

// compose is the part of a docker-compose.yml that runs the runner beside APISIX,
// as the repository's own does.
func compose(names []string) string {
	var b strings.Builder
	b.WriteString(`services:
  runner:
    image: apisix-auth0-jwt:local
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    read_only: true
    restart: unless-stopped
    environment:
      APISIX_LISTEN_ADDRESS: "unix:/run/auth0-jwt/runner.sock"
`)
	for _, name := range names {
		fmt.Fprintf(&b, "      %[1]s: \"${%[1]s:?set %[1]s}\"\n", name)
	}
	b.WriteString(`    volumes: ["socket:/run/auth0-jwt"]
    healthcheck:
      test: [CMD, /go-runner, ping]
      interval: 2s
      timeout: 3s
      retries: 30

  apisix:
    image: apache/apisix:3.18.0-debian
    volumes:
      - ./apisix-conf/sidecar/config.yaml:/usr/local/apisix/conf/config.yaml:ro
      - socket:/run/auth0-jwt
    depends_on:
      runner: {condition: service_healthy}

volumes:
  socket:
`)
	return b.String()
}

// helm is the part of the chart's values that runs the runner beside APISIX, as
// apisix-conf/kubernetes/values.yaml does.
func helm(names []string) string {
	var b strings.Builder
	b.WriteString(`extraInitContainers:
  - name: go-runner
    image: ghcr.io/apisix-auth0-jwt/apisix-auth0-jwt:0.1.0
    restartPolicy: Always
    args:
      - run
      - --listen=unix:/run/auth0-jwt/runner.sock
      - --admin-addr=0.0.0.0:9100
`)
	if len(names) > 0 {
		b.WriteString("    env:\n")
	}
	for _, name := range names {
		fmt.Fprintf(&b, "      - name: %[1]s\n        valueFrom: {secretKeyRef: {name: auth0-jwt, key: %[1]s}}\n", name)
	}
	b.WriteString(`    ports:
      - {name: runner-metrics, containerPort: 9100}
    startupProbe:
      httpGet: {path: /readyz, port: runner-metrics}
      periodSeconds: 1
      failureThreshold: 60
    readinessProbe:
      httpGet: {path: /readyz, port: runner-metrics}
      periodSeconds: 5
    volumeMounts:
      - {name: auth0-jwt-socket, mountPath: /run/auth0-jwt}

extraVolumes:
  - name: auth0-jwt-socket
    emptyDir: {medium: Memory, sizeLimit: 1Mi}
extraVolumeMounts:
  - {name: auth0-jwt-socket, mountPath: /run/auth0-jwt}
`)
	return b.String()
}
