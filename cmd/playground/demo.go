package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// adminKeyName is the variable that holds the key, in the environment and in
// the file that Compose reads.
const adminKeyName = "ADMIN_KEY"

const pollEvery = 500 * time.Millisecond

// demo shows the steps of the tour on a gateway that runs already, such as the
// APISIX of docker-compose.yml.
type demo struct {
	gateway, admin, issuer string // base URLs
	node                   string // the upstream, as the gateway reaches it
	envFile                string
	once                   bool
	within                 time.Duration
	withoutLogin           bool
}

func demoCommand() *cobra.Command {
	var d demo
	cmd := &cobra.Command{
		Use: "demo", Short: "Put the demo's routes into a gateway that runs already, and say what to try", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context(), cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&d.gateway, "gateway", "http://127.0.0.1:9080", "where clients come in")
	f.StringVar(&d.admin, "admin", "http://127.0.0.1:9180", "the Admin API")
	f.StringVar(&d.issuer, "issuer", "http://127.0.0.1:9000", "the demo's issuer, as it is reached from here")
	f.StringVar(&d.node, "upstream-node", "upstream:9001", "the echo upstream, as the gateway reaches it")
	f.StringVar(&d.envFile, "env-file", ".env", "where "+adminKeyName+" is, if it is not in the environment")
	f.DurationVar(&d.within, "within", time.Minute, "how long the gateway may take to be ready")
	f.BoolVar(&d.once, "once", false, "send the requests, check every answer, and end")
	f.BoolVar(&d.withoutLogin, "without-login", false, "leave out the page behind login, whose runner needs "+appSecretName+" and "+sessionSecretName+" in its environment")
	return cmd
}

func (d *demo) run(ctx context.Context, out io.Writer) error {
	key, where, err := setting(adminKeyName, d.envFile)
	if err != nil {
		return fmt.Errorf("the admin key: %w", err)
	}
	issuer := remoteIssuer(base(d.issuer))
	s := &site{
		gateway: base(d.gateway), admin: base(d.admin), adminKey: key, mintAt: string(issuer), node: d.node,
		mint: issuer.mint, register: issuer.registerClient, withoutLogin: d.withoutLogin,
	}
	if !d.withoutLogin {
		if s.appSecret, _, err = setting(appSecretName, d.envFile); err != nil {
			return fmt.Errorf("the application's secret: %w", err)
		}
	}
	if err := d.prepare(ctx, s, issuer); err != nil {
		return err
	}
	fmt.Fprintf(out, "issuer    %s, reached from here at %s\ngateway   %s\nAdmin API %s\nadmin key %s; send it as X-API-KEY\n\n",
		s.issuer, issuer, s.gateway, s.admin, where)
	if d.once {
		return s.check(ctx, out)
	}
	if err := s.show(out); err != nil {
		return err
	}
	fmt.Fprintln(out, "make down ends it.")
	return nil
}

// setting is the value of a variable and the place where it is. The environment
// comes first, as it does for Compose.
func setting(name, envFile string) (value, where string, err error) {
	if value := os.Getenv(name); value != "" {
		return value, name + " of the environment", nil
	}
	file, err := os.Open(envFile)
	if err != nil {
		return "", "", fmt.Errorf("%w: make up makes it, or set %s", err, name)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if v, found := strings.CutPrefix(lines.Text(), name+"="); found {
			value = v // the last one counts, as it does for Compose
		}
	}
	if err := lines.Err(); err != nil {
		return "", "", err
	}
	if value == "" {
		return "", "", fmt.Errorf("%s has no %s: make up makes it", envFile, name)
	}
	return value, name + " in " + envFile, nil
}

// prepare waits for the issuer, the Admin API and the runner, and puts the
// routes in between.
func (d *demo) prepare(ctx context.Context, s *site, issuer remoteIssuer) error {
	waiting, cancel := context.WithTimeout(ctx, d.within)
	defer cancel()
	for _, stage := range []func(context.Context) error{
		func(ctx context.Context) (err error) { s.issuer, err = issuer.name(ctx); return err },
		func(ctx context.Context) error {
			return s.askAdmin(ctx, http.MethodGet, s.admin+routesPath, nil)
		},
		s.putRoutes,
		s.protects,
	} {
		err := until(waiting, stage)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case waiting.Err() != nil:
			return fmt.Errorf("not ready after %v: %w", d.within, err)
		default:
			return err
		}
	}
	return nil
}

// protects asks every route without a token. Its error is the first answer that
// is not the one to expect: a new route is 404 until the gateway knows it, and
// a runner that does not listen yet is 503.
func (s *site) protects(ctx context.Context) error {
	bares := []step{
		{path: "/api/me", status: http.StatusUnauthorized},
		{path: "/orders/1", status: http.StatusUnauthorized},
		{path: "/public/news", status: http.StatusOK},
	}
	if !s.withoutLogin {
		bares = append(bares, step{path: appPath, status: http.StatusUnauthorized})
	}
	for _, bare := range bares {
		got, err := bare.send(ctx, s.gateway)
		if err != nil {
			return fmt.Errorf("the gateway: %w", err)
		}
		if got != bare.expected() {
			return fmt.Errorf("the gateway answered %s to GET %s without a token, and not %s", got, bare.path, bare.expected())
		}
	}
	return nil
}

// until repeats a stage until it succeeds, until trying again is of no use, or
// until there is no more time: then the error is the last that was no time-out.
func until(ctx context.Context, stage func(context.Context) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var last error
	for {
		err := stage(ctx)
		if err == nil || errors.Is(err, errAdminKey) {
			return err
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		if ctx.Err() != nil {
			return last
		}
		select {
		case <-ctx.Done():
			return last
		case <-tick.C:
		}
	}
}
