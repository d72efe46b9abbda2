package main

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/telemetry"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

const (
	listenEnv  = "APISIX_LISTEN_ADDRESS"
	confTTLEnv = "APISIX_CONF_EXPIRE_TIME"
	otlpEnv    = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envPrefix  = "AUTH0_JWT_"
)

// settings are what run takes. Each is a flag, AUTH0_JWT_NAME in the
// environment and a key in the file of --config, in this order of precedence.
type settings struct {
	listen         string
	socketMode     octal
	socketGroup    string
	takeover       bool
	confTTL        seconds
	maxConfs       int
	maxConfsSize   size
	maxConnections int
	loops          int
	logLevel       string
	logFormat      string
	logSubjects    bool
	otlpEndpoint   string
	allowInsecure  bool
	allowNetworks  networks
	maxStale       time.Duration
	caFile         string
	proxy          proxyURL
	adminAddr      string
	redisURL       string
	secretsDir     directory
	cacheSize      size
	pprof          bool
	adminToken     string

	revocationsTTL    time.Duration
	revocationsStrict bool

	// startedByAPISIX says that the address is the one that APISIX gives the
	// runner that it starts.
	startedByAPISIX bool
	flagSet         *pflag.FlagSet
}

// directory is the absolute path of a directory that is there.
type directory string

const secretsDirUsage = "`directory` that the files of configurations' secrets have to be below (default any file)"

func (d *directory) String() string { return string(*d) }
func (d *directory) Type() string   { return "directory" }

func (d *directory) Set(text string) error {
	if text == "" { // it must not come to mean any file
		return errors.New("want a directory")
	}
	path, err := filepath.Abs(text)
	if err != nil {
		return err
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is no directory", path)
	}
	*d = directory(path)
	return nil
}

func (s *settings) flags(f *pflag.FlagSet) {
	f.String("config", "", "YAML `file` with the same keys as the flags")
	s.confTTL = seconds(time.Hour)
	f.StringVar(&s.listen, "listen", "", "Unix socket to listen on, unix:PATH (default $APISIX_LISTEN_ADDRESS)")
	s.socketMode = octal(runner.DefaultSocketMode)
	f.Var(&s.socketMode, "socket-mode", "mode of the socket")
	f.StringVar(&s.socketGroup, "socket-group", "", "group of the socket, by name or number (default the process's own; for root that of the user nobody)")
	f.BoolVar(&s.takeover, "takeover", false, "take the socket of a live runner over, without a gap (default only where the address is $APISIX_LISTEN_ADDRESS)")
	f.IntVar(&s.maxConfs, "max-confs", runner.DefaultMaxConfs, "how many distinct configurations are kept")
	s.maxConfsSize = runner.DefaultMaxConfBytes
	f.Var(&s.maxConfsSize, "max-confs-size", "how many bytes of configurations are kept")
	f.IntVar(&s.maxConnections, "max-connections", runner.DefaultMaxConnections, "how many connections are served at a time; one more is closed")
	f.IntVar(&s.loops, "loops", 1, "how many event loops serve the connections, on Linux; 0 is a goroutine for each connection")
	f.Var(&s.confTTL, "conf-ttl", "how long APISIX keeps a configuration token (default $APISIX_CONF_EXPIRE_TIME, or 1h)")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&s.logFormat, "log-format", "json", "json or console")
	f.BoolVar(&s.logSubjects, "log-subjects", false, "name the subjects of refused tokens in the log as they are, and not by a hash")
	f.StringVar(&s.otlpEndpoint, "otlp-endpoint", "", "`URL` of an OpenTelemetry collector that gets a span of every decision, such as http://127.0.0.1:4318 (default $OTEL_EXPORTER_OTLP_ENDPOINT, or none)")
	f.BoolVar(&s.allowInsecure, "allow-insecure", false, "admit http:// URLs, private addresses and ssl_verify: false in configurations")
	f.Var(&s.allowNetworks, "allow-network", allowNetworkUsage)
	f.Var(&s.secretsDir, "secrets-dir", secretsDirUsage)
	f.StringVar(&s.caFile, "ca-file", "", "PEM `file` of certificate authorities trusted for issuers, besides the system's")
	f.Var(&s.proxy, "proxy", "`URL` of the proxy that issuers are asked through, http, https or socks5 (default $HTTPS_PROXY); $NO_PROXY excepts hosts")
	f.StringVar(&s.adminAddr, "admin-addr", "", "`address` for /metrics, /healthz, /readyz and /revocations, such as 127.0.0.1:9100; without a host loopback (default off)")
	s.cacheSize = auth0jwt.DefaultCacheSize
	f.Var(&s.cacheSize, "cache-size", "bound of what is remembered of verified tokens; 0 remembers nothing")
	f.StringVar(&s.redisURL, "redis-url", "", "`URL` of the Redis that several gateways share, redis://, rediss:// or unix://, with Sentinel or Cluster in its query (default this process's own memory)")
	f.BoolVar(&s.pprof, "pprof", false, "serve /debug/pprof/ on --admin-addr too")
	f.StringVar(&s.adminToken, "admin-token", "", "`reference` to the bearer token of /revocations on --admin-addr, $env://NAME or $file:///PATH (default none: on a loopback address alone)")
	f.DurationVar(&s.revocationsTTL, "revocations-ttl", revocation.DefaultTTL, "how long revocations are kept at least; longer than the longest token")
	f.BoolVar(&s.revocationsStrict, "revocations-strict", false, "answer 503 while new revocations cannot be heard of for over 10s")
	f.DurationVar(&s.maxStale, "max-stale", 24*time.Hour, "how long an issuer's last good keys stay in use")
}

// readSettings are the flags that were given, and for the others the
// environment, then the file, then what APISIX itself sets.
func readSettings(given map[string]string) (settings, error) {
	var s settings
	s.flagSet = pflag.NewFlagSet("run", pflag.ContinueOnError)
	s.flags(s.flagSet)
	file, there := given["config"]
	if !there {
		file = os.Getenv(envName("config"))
	}
	values, err := readFile(file)
	if err != nil {
		return s, err
	}
	if err := s.known(file, values); err != nil {
		return s, err
	}
	s.flagSet.VisitAll(func(f *pflag.Flag) {
		if f.Name == "config" {
			return
		}
		if value, there := given[f.Name]; there {
			err = errors.Join(err, s.flagSet.Set(f.Name, value))
			return
		}
		for _, source := range []struct{ name, value string }{
			{"environment variable " + envName(f.Name), os.Getenv(envName(f.Name))},
			{file + ": " + f.Name, values[f.Name]},
			{"environment variable " + elsewhere[f.Name], os.Getenv(elsewhere[f.Name])},
		} {
			if source.value == "" || f.Changed || err != nil {
				continue
			}
			if setErr := f.Value.Set(source.value); setErr != nil {
				err = badInput("%s: %w", source.name, setErr)
			}
			f.Changed = true
			s.startedByAPISIX = s.startedByAPISIX || f.Name == "listen" && source.name == "environment variable "+listenEnv
		}
	})
	if err != nil {
		return s, err
	}
	if !s.flagSet.Changed("takeover") {
		s.takeover = s.startedByAPISIX
	}
	return s, s.inRange()
}

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// known reports as an error what is set and is no setting.
func (s *settings) known(file string, values map[string]string) error {
	var unknown []error
	envs := map[string]bool{}
	s.flagSet.VisitAll(func(f *pflag.Flag) { envs[envName(f.Name)] = true })
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, envPrefix) && !envs[name] {
			unknown = append(unknown, fmt.Errorf("environment variable %s: there is no such setting; go-runner run --help lists them", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if name == "config" || s.flagSet.Lookup(name) == nil {
			unknown = append(unknown, fmt.Errorf("%s: unknown key %q", file, name))
		}
	}
	if len(unknown) > 0 {
		return badInput("%w", errors.Join(unknown...))
	}
	return nil
}

// The most of what is counted that makes any sense.
const (
	maxCount = 10_000_000
	maxLoops = 64

	maxRevocationsTTL = 366 * 24 * time.Hour
)

func (s *settings) inRange() error {
	for _, n := range []struct {
		flag  string
		value int
	}{{"max-confs", s.maxConfs}, {"max-connections", s.maxConnections}} {
		if n.value < 1 || n.value > maxCount {
			return badInput("--%s %d: want a number from 1 to %d", n.flag, n.value, maxCount)
		}
	}
	if s.loops < 0 || s.loops > maxLoops {
		return badInput("--loops %d: want a number from 0 to %d", s.loops, maxLoops)
	}
	if s.maxConfsSize < 1<<20 {
		return badInput("--max-confs-size %s: want at least 1MiB, the longest configuration", s.maxConfsSize.String())
	}
	if s.maxStale < time.Second {
		return badInput("--max-stale %s: want at least 1s", s.maxStale)
	}
	if s.revocationsTTL < time.Minute || s.revocationsTTL > maxRevocationsTTL {
		return badInput("--revocations-ttl %s: want a duration from 1m to %s", s.revocationsTTL, maxRevocationsTTL)
	}
	return nil
}

// values are all settings as text.
func (s *settings) values() map[string]string {
	values := map[string]string{}
	s.flagSet.VisitAll(func(f *pflag.Flag) { values[f.Name] = f.Value.String() })
	return values
}

// plugin is what the settings say to the plugin.
func (s *settings) plugin(logger *slog.Logger) (auth0jwt.Options, error) {
	roots, err := authorities(s.caFile)
	if err != nil {
		return auth0jwt.Options{}, err
	}
	if err := auth0jwt.CheckRedisURL(s.redisURL); err != nil {
		return auth0jwt.Options{}, badInput("--redis-url: %w", err)
	}
	return auth0jwt.Options{
		AllowInsecure: s.allowInsecure, AllowNetworks: s.allowNetworks, MaxStale: s.maxStale, RootCAs: roots, RedisURL: s.redisURL,
		RevocationsTTL: s.revocationsTTL, RevocationsStrict: s.revocationsStrict,
		SecretsDir: string(s.secretsDir), CacheSize: s.cacheSize.orNone(), Logger: logger, LogSubjects: s.logSubjects,
	}, nil
}

func (s *settings) profiling() telemetry.Profiling {
	if s.pprof {
		return telemetry.WithProfiles
	}
	return telemetry.WithoutProfiles
}

// elsewhere are the names of settings that others gave them.
var elsewhere = map[string]string{"listen": listenEnv, "conf-ttl": confTTLEnv, "otlp-endpoint": otlpEnv}

// readFile reads the scalars of a YAML mapping.
func readFile(file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, badInput("--config: %w", err)
	}
	var raw map[string]yaml.Node
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return nil, badInput("--config: %s: %w", file, err)
	}
	values := map[string]string{}
	for name, v := range raw {
		switch v.ShortTag() {
		case "!!str", "!!bool", "!!int":
			values[name] = v.Value // as it was written: 0660 is a mode
		default:
			return nil, badInput("--config: %s: %s: want a string, a number or true or false", file, name)
		}
	}
	return values, nil
}
