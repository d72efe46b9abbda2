package main

import (
	"errors"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
)

type explaining struct {
	chosen

	token, method, url, caFile, cert string
	headers, cookies                 []string
	keys, at                         string
	showClaims                       bool
	format                           format
}

func explainCommand() *cobra.Command {
	e := explaining{format: formatText}
	cmd := &cobra.Command{
		Use:   "explain -c FILE [-t TOKEN|-]",
		Short: "Run every check over one request and show its outcome, the header edits and the answer",
		Long: "Judges one request as the runner would, with the issuer's real keys, and says how every check ended,\n" +
			"why, and what to do about it. Neither the token nor, without --show-claims, the value of a claim is\n" +
			"printed. A session in a cookie is opened with the configuration's session.secret (--cookie), and its\n" +
			"tokens are not printed either. --jwks and --at judge offline and in the past. Exit 0 whatever the outcome, 1 where the\n" +
			"configuration or the input is bad.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.run(cmd) },
	}
	e.chosen.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&e.token, "token", "t", "", "`TOKEN`, put where the configuration looks first; - reads it from standard input")
	f.StringVarP(&e.method, "request", "X", "GET", "`METHOD` of the request")
	f.StringVar(&e.url, "url", "http://localhost/", "`URL` of the request as its client sees it")
	f.StringArrayVarP(&e.headers, "header", "H", nil, "further header, `NAME: VALUE`")
	f.StringArrayVar(&e.cookies, "cookie", nil, "`COOKIE` of the request, NAME=VALUE, or a whole line of them; - reads it from standard input; may be repeated")
	f.StringVar(&e.cert, "client-cert", "", "PEM `FILE` of the client's certificate")
	f.StringVar(&e.caFile, "ca-file", "", caFileUsage)
	f.StringVar(&e.keys, "jwks", "", "`FILE` with the issuer's keys (JWKS), in place of those that it serves")
	f.StringVar(&e.at, "at", "", "`TIME` to judge at, as 2026-03-01T12:00:00Z or in seconds since 1970 (default now)")
	f.BoolVar(&e.showClaims, "show-claims", false, "show what was found beside what was wanted at every check; claims can be personal data")
	f.Var(&e.format, "format", formatUsage)
	return cmd
}

func (e *explaining) run(cmd *cobra.Command) error {
	stdin := 0
	for _, one := range slices.Concat(e.files, e.cookies, []string{e.token}) {
		if one == "-" {
			stdin++
		}
	}
	if stdin > 1 {
		return errors.New("only one of -c, -t and --cookie can read standard input")
	}
	now, err := e.clock()
	if err != nil {
		return err
	}
	entry, others, err := e.withOthers(cmd)
	if err != nil {
		return err
	}
	conf, err := e.withKeys(cmd, entry.Config)
	if err != nil {
		return err
	}
	req, note, err := e.shown(cmd, conf)
	if err != nil {
		return err
	}
	roots, err := authorities(e.caFile)
	if err != nil {
		return err
	}
	g := gate.New(gate.Options{
		Config: e.opt.Config, RootCAs: roots, Now: func() time.Time { return now },
		Logger: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	defer g.Close()
	r, err := g.Route(withoutRedis(conf), nil)
	if err != nil {
		return badInput("the keys cannot be used: %w", err)
	}
	fetcher := inspect.NewFetcher(e.opt.Config, roots)
	defer fetcher.Close()
	x := inspect.Explain(cmd.Context(), inspect.Case{
		Config: conf, Gate: g, Route: r, Request: req, Now: now, Fetch: fetcher, Others: others, Claims: inspect.Claims(e.showClaims),
	})
	if note != "" {
		x.Notes = append([]string{note}, x.Notes...)
	}
	switch e.format {
	case formatJSON:
		return x.WriteJSON(cmd.OutOrStdout())
	case formatGitHub:
		return x.WriteGitHub(cmd.OutOrStdout(), entry.Input)
	}
	return x.WriteText(cmd.OutOrStdout())
}

// withOthers is the configuration, and all that were read beside it.
func (e *explaining) withOthers(cmd *cobra.Command) (entry inspect.Entry, others []*config.Config, err error) {
	all, report, entry, err := e.entryOfAll(cmd)
	if err == nil && (!report.OK() || entry.Config == nil) {
		err = &exitError{exitBadInput, errFindings}
	}
	if err != nil {
		return entry, nil, err
	}
	for _, other := range all.Entries {
		if other.Config != nil && other.Config != entry.Config {
			others = append(others, other.Config)
		}
	}
	return entry, others, nil
}

// withoutRedis is the configuration as a gate without a Redis takes it: explain
// asks for no session there.
func withoutRedis(c *config.Config) *config.Config {
	if c.Login == nil || !c.Login.Session.Redis {
		return c
	}
	own, l := *c, *c.Login
	l.Session.Redis = false
	own.Login = &l
	return &own
}

// clock is the time of --at.
func (e *explaining) clock() (time.Time, error) {
	if e.at == "" {
		return time.Now(), nil
	}
	if seconds, err := strconv.ParseInt(e.at, 10, 64); err == nil {
		return time.Unix(seconds, 0), nil
	}
	at, err := time.Parse(time.RFC3339, e.at)
	if err != nil {
		return time.Time{}, errors.New("--at: want a time such as 2026-03-01T12:00:00Z, or seconds since 1970")
	}
	return at, nil
}

// withKeys is the configuration with the keys of --jwks for every issuer that
// has keys.
func (e *explaining) withKeys(cmd *cobra.Command, c *config.Config) (*config.Config, error) {
	if e.keys == "" {
		return c, nil
	}
	data, err := readInput(cmd, e.keys)
	if err != nil {
		return nil, err
	}
	own := *c
	own.Issuers = slices.Clone(c.Issuers)
	for i := range own.Issuers {
		if issuer := &own.Issuers[i]; len(issuer.Secrets) == 0 {
			issuer.JWKS, issuer.JWKSURI, issuer.DiscoveryURL = data, "", ""
		}
	}
	return &own, nil
}

// shown is the request to judge, and a note about how its token was given.
func (e *explaining) shown(cmd *cobra.Command, c *config.Config) (req *inspect.Request, note string, err error) {
	u, err := url.Parse(e.url)
	if err != nil || u.Host == "" {
		return nil, "", badInput("--url: want a URL such as https://api.example.com/orders?page=2")
	}
	req = &inspect.Request{Verb: e.method, URL: u}
	for _, h := range e.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, "", badInput("--header: want NAME: VALUE")
		}
		req.Headers = append(req.Headers, [2]string{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	if err := e.addCookies(cmd, req); err != nil {
		return nil, "", err
	}
	if e.cert != "" {
		if req.Certificate, err = os.ReadFile(e.cert); err != nil {
			return nil, "", badInput("--client-cert: %w", err)
		}
	}
	token := e.token
	if token == "-" {
		data, err := readInput(cmd, "-")
		if err != nil {
			return nil, "", err
		}
		token = string(data)
	}
	if token, note = inspect.Pasted(token); token != "" {
		req.Carry(c, token)
	}
	return req, note, nil
}

// addCookies adds the line of --cookie: APISIX gives all cookies of a request in
// one.
func (e *explaining) addCookies(cmd *cobra.Command, req *inspect.Request) error {
	var pairs []string
	for _, given := range e.cookies {
		if given == "-" {
			data, err := readInput(cmd, "-")
			if err != nil {
				return err
			}
			given = string(data)
		}
		pair, err := inspect.PastedCookies(given)
		if err != nil {
			return badInput("--cookie: %w", err)
		}
		pairs = append(pairs, pair)
	}
	if len(pairs) > 0 {
		req.Headers = append(req.Headers, [2]string{"cookie", strings.Join(pairs, "; ")})
	}
	return nil
}
