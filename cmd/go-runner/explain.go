package main

import (
	"log/slog"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
)

type explaining struct {
	config, token, method, url, caFile, cert string
	headers                                  []string
	opt                                      config.Options
}

func explainCommand() *cobra.Command {
	var e explaining
	cmd := &cobra.Command{
		Use:   "explain -c FILE [-t TOKEN|-]",
		Short: "Run every check over one request and show its outcome, the header edits and the answer",
		Long: "Judges one request as the runner would, with the issuer's real keys, and says how every check ended.\n" +
			"The token is never printed; claims are where a header carries them. Exit 0 whatever the outcome,\n" +
			"1 where the configuration or the input is bad.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.run(cmd) },
	}
	configFlag(cmd, &e.config)
	f := cmd.Flags()
	f.StringVarP(&e.token, "token", "t", "", "`TOKEN`, put where the configuration looks first; - reads it from standard input")
	f.StringVarP(&e.method, "request", "X", "GET", "`METHOD` of the request")
	f.StringVar(&e.url, "url", "http://localhost/", "`URL` of the request as its client sees it")
	f.StringArrayVarP(&e.headers, "header", "H", nil, "further header, `NAME: VALUE`")
	f.StringVar(&e.cert, "client-cert", "", "PEM `FILE` of the client's certificate")
	f.StringVar(&e.caFile, "ca-file", "", "PEM `FILE` of certificate authorities trusted for issuers, besides the system's")
	operatorFlags(cmd, &e.opt)
	return cmd
}

func (e *explaining) run(cmd *cobra.Command) error {
	entry, err := onlyEntry(cmd, e.config, e.opt)
	if err != nil {
		return err
	}
	req, err := e.shown(cmd, entry.Config)
	if err != nil {
		return err
	}
	roots, err := authorities(e.caFile)
	if err != nil {
		return err
	}
	g := gate.New(gate.Options{
		Config: e.opt, RootCAs: roots,
		Logger: slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	defer g.Close()
	r := g.Compile(entry.Raw)
	if r.Err() != nil {
		return badInput("%s: the configuration cannot be used", e.config)
	}
	return inspect.Explain(cmd.OutOrStdout(), entry.Config, g, r, req)
}

// shown is the request to judge.
func (e *explaining) shown(cmd *cobra.Command, c *config.Config) (*inspect.Request, error) {
	u, err := url.Parse(e.url)
	if err != nil || u.Host == "" {
		return nil, badInput("--url: want a URL such as https://api.example.com/orders?page=2")
	}
	req := &inspect.Request{Verb: e.method, URL: u}
	for _, h := range e.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok {
			return nil, badInput("--header: want NAME: VALUE")
		}
		req.Headers = append(req.Headers, [2]string{strings.TrimSpace(name), strings.TrimSpace(value)})
	}
	if e.cert != "" {
		if req.Certificate, err = os.ReadFile(e.cert); err != nil {
			return nil, badInput("--client-cert: %w", err)
		}
	}
	token := e.token
	if token == "-" {
		data, err := readInput(cmd, "-")
		if err != nil {
			return nil, err
		}
		token = strings.TrimSpace(string(data))
	}
	if token != "" {
		req.Carry(c, token)
	}
	return req, nil
}
