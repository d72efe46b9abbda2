package main

import (
	"log/slog"
	"maps"
	"reflect"
	"slices"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

// changeable are the settings that a running runner takes over at SIGHUP.
var changeable = map[string]bool{
	"config": true, "log-level": true, "log-subjects": true, "allow-insecure": true, "allow-network": true, "ca-file": true,
	"max-stale": true, "redis-url": true, "secrets-dir": true, "cache-size": true, "revocations-ttl": true, "revocations-strict": true,
	"admin-token": true,
}

// reloader is what SIGHUP changes.
type reloader struct {
	given    map[string]string
	settings settings
	plugin   *auth0jwt.Plugin
	opt      auth0jwt.Options
	level    *slog.LevelVar
	server   *runner.Server
	revoking *revocations
	log      *slog.Logger
}

// reload reads settings, certificate authorities, and all configurations with
// their secrets again. Settings with an error leave everything as it was.
func (r *reloader) reload() {
	next, err := readSettings(r.given)
	if err != nil {
		r.log.Error("the settings could not be read again and stay as they were", "error", err.Error())
		return
	}
	level, err := parseLevel(next.logLevel)
	if err != nil {
		r.log.Error("the settings could not be read again and stay as they were", "error", err.Error())
		return
	}
	opt, err := next.plugin(r.log)
	if err != nil {
		r.log.Error("the settings could not be read again and stay as they were", "error", err.Error())
		return
	}
	token, err := adminSecret(next, r.log)
	if err != nil {
		r.log.Error("the settings could not be read again and stay as they were", "error", err.Error())
		return
	}
	opt.Trace = r.opt.Trace
	before, after := r.settings.values(), next.values()
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if before[name] != after[name] && !changeable[name] {
			r.log.Warn("this setting cannot change while the runner runs; restart it", "setting", name)
		}
	}
	r.level.Set(level)
	r.revoking.token.Store(token)
	if changed(r.opt, opt) {
		r.plugin.Configure(opt)
		r.log.Info("the settings changed", "allow_insecure", next.allowInsecure)
	}
	r.opt = opt
	r.server.Reload()
}

// changed reports whether the plugin needs to be configured anew. Keys and
// caches of the time before are lost then, so that it is not done for nothing.
func changed(a, b auth0jwt.Options) bool {
	authoritiesChanged := !a.RootCAs.Equal(b.RootCAs)
	a.RootCAs, b.RootCAs = nil, nil
	a.Trace, b.Trace = nil, nil // it stays the same
	return authoritiesChanged || !reflect.DeepEqual(a, b)
}
