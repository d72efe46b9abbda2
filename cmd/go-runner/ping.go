package main

import (
	"bufio"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/a6"
)

const pingTimeout = 2 * time.Second

func pingCommand() *cobra.Command {
	var listen string
	timeout := seconds(pingTimeout)
	cmd := &cobra.Command{
		Use:   "ping",
		Short: "Ask the runner on a socket for one exchange, for health checks",
		Long: "Connects to the runner's socket and sends one request that names no configuration.\n" +
			"Exit 0: the runner answered. Exit 3: it did not in time.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			path, err := socketPath(listen)
			if err != nil {
				return err
			}
			return ping(path, time.Duration(timeout))
		},
	}
	cmd.Flags().StringVar(&listen, "listen", os.Getenv(listenEnv), "the runner's `address`, unix:PATH; default $APISIX_LISTEN_ADDRESS")
	cmd.Flags().Var(&timeout, "timeout", "how long the runner may take")
	return cmd
}

func ping(path string, timeout time.Duration) error {
	conn, err := net.DialTimeout("unix", path, timeout)
	if err != nil {
		return cannotRun("no runner answers: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return cannotRun("ping: %w", err)
	}
	// No configuration has the token 0, so that the answer is always the same
	// and nothing is left behind, in the runner or in its log.
	payload, err := a6.EncodeRequest(a6.Request{SrcIP: []byte{127, 0, 0, 1}, Method: "GET", Path: "/"})
	if err != nil {
		return cannotRun("ping: %w", err)
	}
	if err := a6.WriteFrame(conn, a6.HTTPReqCall, payload); err != nil {
		return cannotRun("the runner did not take the question: %w", err)
	}
	kind, payload, err := a6.ReadFrame(bufio.NewReader(conn), nil)
	if err != nil {
		return cannotRun("the runner did not answer: %w", err)
	}
	if code, err := a6.DecodeError(payload); kind != a6.Error || err != nil || code != a6.ConfTokenNotFound {
		return cannotRun("the runner answered with frame type %d, which is not the answer to a ping", kind)
	}
	return nil
}
