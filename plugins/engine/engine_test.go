package engine_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/apisix-go-plugin-runner/pkg/plugin"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/auth0jwt"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/plugins/engine"
)

type named struct {
	plugin.DefaultPlugin
	name string
}

func (n named) Name() string                  { return n.name }
func (n named) ParseConf([]byte) (any, error) { return nil, nil }

func TestAnEngineSaysWhatItCannotServe(t *testing.T) {
	socket := "unix:" + filepath.Join(t.TempDir(), "runner.sock")
	for _, tt := range []struct {
		name, fromAPISIX, ttl string
		opt                   engine.Options
		want                  string
	}{
		{name: "no address", want: "no address to listen on"},
		{name: "an address that is none", opt: engine.Options{Address: "unix:"}, want: "unix:"},
		{name: "a plugin without a name", opt: engine.Options{Address: socket, Plugins: []plugin.Plugin{&named{}}}, want: "has no name"},
		{
			name: "a name twice", want: "two plugins",
			opt: engine.Options{Address: socket, Plugins: []plugin.Plugin{&named{name: auth0jwt.Name}, &named{name: auth0jwt.Name}}},
		},
		{name: "a time that is none", fromAPISIX: socket, ttl: "soon", want: "APISIX_CONF_EXPIRE_TIME"},
		{name: "a time that is over", fromAPISIX: socket, ttl: "0", want: "APISIX_CONF_EXPIRE_TIME"},
		{name: "what APISIX gives", fromAPISIX: socket, ttl: "3600"},
		{name: "one plugin", opt: engine.Options{Address: socket, Plugins: []plugin.Plugin{&named{name: "a"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("APISIX_LISTEN_ADDRESS", tt.fromAPISIX)
			t.Setenv("APISIX_CONF_EXPIRE_TIME", tt.ttl)
			tt.opt.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
			_, err := engine.New(tt.opt)
			if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAnEngineLeavesNoSocketAndRespectsALiveOne(t *testing.T) {
	t.Setenv("APISIX_LISTEN_ADDRESS", "")
	path := filepath.Join(t.TempDir(), "runner.sock")
	opt := engine.Options{Address: "unix:" + path, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	first, err := engine.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	if first.Check() == nil {
		t.Error("it says that it serves before it does")
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- first.Serve(ctx) }()
	for first.Check() != nil {
		select {
		case err := <-served:
			t.Fatal(err)
		default:
		}
	}
	second, err := engine.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Serve(ctx); err == nil {
		t.Error("a live runner's socket was taken")
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
}
