package runner_test

import (
	"net/http"
	"testing"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inplace"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

// driver is a way to serve connections.
type driver struct {
	name  string
	loops int
	// inPlace has every plugin decide at once that does not wait.
	inPlace bool
}

var drivers = []driver{
	{name: "goroutines"},
	{name: "one loop", loops: 1},
	{name: "three loops", loops: 3},
	{name: "in place", loops: 1, inPlace: true},
}

func onEachDriver(t *testing.T, test func(t *testing.T, d driver)) {
	for _, d := range drivers {
		t.Run(d.name, func(t *testing.T) { test(t, d) })
	}
}

// options has the server use this driver.
func (d driver) options(opt runner.Options) runner.Options {
	opt.Loops = d.loops
	if d.inPlace {
		plugins := make([]plugin.Plugin, len(opt.Plugins))
		for i, p := range opt.Plugins {
			plugins[i] = p
			if f, ok := p.(*filter); ok && !f.waits {
				plugins[i] = atOnce{f}
			}
		}
		opt.Plugins = plugins
	}
	return opt
}

// atOnce is a filter that decides at once.
type atOnce struct{ *filter }

var _ inplace.Plugin = atOnce{}

func (f atOnce) FilterNow(conf any, w http.ResponseWriter, r inplace.View) bool {
	f.run(exchange{conf, w, r})
	return true
}
