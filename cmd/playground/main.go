// Command playground shows the runner at work: without APISIX, by a local
// issuer, an echo upstream and a double of APISIX 3.18 around the real runner
// process; and, as demo, on a gateway that runs already. It is for trying and
// testing; it must never be in the product's image.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/upstream"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "playground: "+err.Error())
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var tour tour
	root := &cobra.Command{
		Use:           "playground",
		Short:         "Show the runner at work without APISIX: issuer, upstream, a double of " + doubled + " and the real runner",
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return tour.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	root.Flags().StringVar(&tour.binary, "runner", "bin/go-runner", "the runner's binary")
	root.Flags().StringVar(&tour.pageAddr, "page-addr", "127.0.0.1:9002", "where the page is served: an address of loopback")
	root.Flags().BoolVar(&tour.once, "once", false, "send the requests, check every answer, and end")
	root.AddCommand(issuerCommand(), upstreamCommand(), gatewayCommand(), demoCommand(), healthCommand())
	return root
}

// serve says in one JSON line that a server is ready, and waits for a signal.
func serve(cmd *cobra.Command, ready map[string]string, server io.Closer) error {
	line, err := json.Marshal(ready)
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), string(line))
	<-cmd.Context().Done()
	return server.Close()
}

func issuerCommand() *cobra.Command {
	var opt issuer.Options
	cmd := &cobra.Command{
		Use: "issuer", Short: "A local issuer in Auth0's shape", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i, err := issuer.Start(opt)
			if err != nil {
				return err
			}
			return serve(cmd, map[string]string{"ready": "issuer", "url": i.URL()}, i)
		},
	}
	cmd.Flags().StringVar(&opt.Addr, "addr", "127.0.0.1:0", "where to listen")
	cmd.Flags().StringVar(&opt.URL, "url", "", "the issuer's name in iss, with a slash at the end (default http://ADDR/)")
	cmd.Flags().StringVar(&opt.BrowserURL, "browser-url", "", "where browsers reach it, with a slash at the end, if that is not --url")
	return cmd
}

func upstreamCommand() *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use: "upstream", Short: "An upstream that echoes what it received", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			u, err := upstream.StartWithPages(addr, pages)
			if err != nil {
				return err
			}
			return serve(cmd, map[string]string{"ready": "upstream", "url": u.URL()}, u)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:0", "where to listen")
	return cmd
}

func gatewayCommand() *cobra.Command {
	var opt gateway.Options
	var runner string
	cmd := &cobra.Command{
		Use: "gateway", Short: "A double of " + doubled + " that speaks its wire protocol", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opt.Cmd = strings.Fields(runner)
			opt.Log = cmd.ErrOrStderr()
			g, err := gateway.Start(opt)
			if err != nil {
				return err
			}
			return serve(cmd, map[string]string{"ready": "gateway", "url": g.URL(), "admin": g.AdminURL()}, g)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Addr, "addr", "127.0.0.1:9080", "where clients come in")
	f.StringVar(&opt.AdminAddr, "admin-addr", "127.0.0.1:9180", "where the Admin API listens")
	f.StringVar(&opt.SocketPath, "socket", "", "a runner's socket (ext-plugin.path_for_test)")
	f.StringVar(&runner, "cmd", "", "a runner's command line (ext-plugin.cmd), instead of --socket")
	cmd.MarkFlagsOneRequired("socket", "cmd")
	cmd.MarkFlagsMutuallyExclusive("socket", "cmd")
	f.IntVar(&opt.Workers, "workers", 2, "worker processes to double")
	f.DurationVar(&opt.KillAfter, "kill-after", time.Second, "from SIGTERM until --cmd's runner is killed, at a reload and at the end")
	f.StringVar(&opt.AdminKey, "admin-key", "", "the X-API-KEY of the Admin API; none asked where empty")
	return cmd
}

func healthCommand() *cobra.Command {
	return &cobra.Command{
		Use: "healthcheck URL", Short: "Exit 0 when URL answers 200", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, args[0], nil)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("%s answered %d", args[0], resp.StatusCode)
			}
			return nil
		},
	}
}
