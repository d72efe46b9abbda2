// Command official is an ordinary go-runner of the official kind with the
// plugin auth0-jwt in it, as anyone would build their own: the end-to-end suite
// runs with it too. It must know nothing that a user of the plugin could not.
package main

import (
	"os"
	"slices"
	"time"

	"github.com/apache/apisix-go-plugin-runner/pkg/log"
	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"
	"github.com/apache/apisix-go-plugin-runner/pkg/runner"
	"go.uber.org/zap/zapcore"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
)

// The official runner returns at SIGTERM with requests in flight; APISIX
// kills it a second later.
const (
	drainTime = 900 * time.Millisecond
	quietTime = 100 * time.Millisecond
	step      = 10 * time.Millisecond
)

func main() {
	log.NewLogger(zapcore.WarnLevel, zapcore.AddSync(os.Stderr))
	p := auth0jwt.New(auth0jwt.Options{AllowInsecure: slices.Contains(os.Args, "--allow-insecure")})
	if err := plugin.RegisterPlugin(p); err != nil {
		log.Fatalf("auth0-jwt: %s", err)
	}
	runner.Run(runner.RunnerConfig{LogLevel: zapcore.WarnLevel, LogOutput: zapcore.AddSync(os.Stderr)})
	quiet := time.Duration(0)
	for waited := time.Duration(0); waited < drainTime && quiet < quietTime; waited += step {
		time.Sleep(step)
		if quiet += step; p.Gate().InFlight() > 0 {
			quiet = 0
		}
	}
}
