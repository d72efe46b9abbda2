package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

const (
	listenEnv  = "APISIX_LISTEN_ADDRESS"
	confTTLEnv = "APISIX_CONF_EXPIRE_TIME"
	envPrefix  = "AUTH0_JWT_"
)

// settings are what run takes. Each is a flag, AUTH0_JWT_NAME in the
// environment and a key in the file of --config, in this order of precedence.
type settings struct {
	listen        string
	socketMode    octal
	socketGroup   string
	confTTL       seconds
	maxConfs      int
	logLevel      string
	logFormat     string
	allowInsecure bool
	maxStale      time.Duration
	caFile        string
	adminAddr     string
	redisURL      string
	secretsDir    directory
	cacheSize     size
	pprof         bool
}

// seconds is a duration given as a Go duration string or as a number of
// seconds, as APISIX gives it.
type seconds time.Duration

func (s *seconds) String() string { return time.Duration(*s).String() }
func (s *seconds) Type() string   { return "duration" }

func (s *seconds) Set(text string) error {
	d, err := time.ParseDuration(text)
	if n, numErr := strconv.Atoi(text); numErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < time.Second {
		return errors.New(`want a duration such as "3600s", or a number of seconds, of at least 1`)
	}
	*s = seconds(d)
	return nil
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
	s.confTTL = seconds(time.Hour)
	f.StringVar(&s.listen, "listen", "", "Unix socket to listen on, unix:PATH (default $APISIX_LISTEN_ADDRESS)")
	s.socketMode = octal(runner.DefaultSocketMode)
	f.Var(&s.socketMode, "socket-mode", "mode of the socket")
	f.StringVar(&s.socketGroup, "socket-group", "", "group of the socket, by name or number (default the process's own; for root that of the user nobody)")
	f.IntVar(&s.maxConfs, "max-confs", runner.DefaultMaxConfs, "how many distinct configurations are kept")
	f.Var(&s.confTTL, "conf-ttl", "how long APISIX keeps a configuration token (default $APISIX_CONF_EXPIRE_TIME, or 1h)")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&s.logFormat, "log-format", "json", "json or console")
	f.BoolVar(&s.allowInsecure, "allow-insecure", false, "admit http:// URLs, private addresses and ssl_verify: false in configurations")
	f.Var(&s.secretsDir, "secrets-dir", secretsDirUsage)
	f.StringVar(&s.caFile, "ca-file", "", "PEM `file` of certificate authorities trusted for issuers, besides the system's")
	f.StringVar(&s.adminAddr, "admin-addr", "", "`address` for /metrics, /healthz and /readyz, such as 127.0.0.1:9100 (default off)")
	s.cacheSize = auth0jwt.DefaultCacheSize
	f.Var(&s.cacheSize, "cache-size", "bound of what is remembered of verified tokens; 0 remembers nothing")
	f.StringVar(&s.redisURL, "redis-url", "", "redis:// or rediss:// `URL` of a memory of DPoP proofs that several gateways share (default this process's own)")
	f.BoolVar(&s.pprof, "pprof", false, "serve /debug/pprof/ on --admin-addr too")
	f.DurationVar(&s.maxStale, "max-stale", 24*time.Hour, "how long an issuer's last good keys stay in use")
}

// load fills in what no flag gave: the environment first, then the file, then
// what APISIX itself sets.
func (s *settings) load(cmd *cobra.Command, file string) error {
	values, err := readFile(file)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "config" || f.Name == "help" {
			return
		}
		known[f.Name] = true
		env := envPrefix + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		for _, source := range []struct{ name, value string }{
			{"environment variable " + env, os.Getenv(env)},
			{file + ": " + f.Name, values[f.Name]},
			{"environment variable " + apisixEnv[f.Name], os.Getenv(apisixEnv[f.Name])},
		} {
			if f.Changed || source.value == "" || failed != nil {
				continue
			}
			if err := f.Value.Set(source.value); err != nil {
				failed = badInput("%s: %w", source.name, err)
			}
			f.Changed = true
		}
	})
	for name := range values {
		if !known[name] && failed == nil {
			failed = badInput("%s: unknown key %q", file, name)
		}
	}
	return failed
}

var apisixEnv = map[string]string{"listen": listenEnv, "conf-ttl": confTTLEnv}

// readFile reads the scalars of a YAML mapping.
func readFile(file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, badInput("--config: %w", err)
	}
	var raw map[string]any
	if err := yaml.Unmarshal(data, &raw); err != nil {
		return nil, badInput("--config: %s: %w", file, err)
	}
	values := map[string]string{}
	for name, v := range raw {
		switch v.(type) {
		case string, bool, int:
			values[name] = fmt.Sprint(v)
		default:
			return nil, badInput("--config: %s: %s: want a string, a number or true or false", file, name)
		}
	}
	return values, nil
}
