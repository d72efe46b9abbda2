package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/redis"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
)

// revokeWithin bounds the whole command.
const revokeWithin = time.Minute

// revokedKinds are the flags of which one is given.
var revokedKinds = []revocation.Kind{revocation.Subject, revocation.SID, revocation.Client, revocation.JTI}

func revokeCommand() *cobra.Command {
	var issuer, before string
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "revoke --issuer URL (--sub|--sid|--client|--jti) VALUE [--before TIME]",
		Short: "Refuse tokens before they expire, in every runner",
		Long: "Refuses the tokens of a subject, a session (sid), a client or one token (jti) before they expire. The entry goes\n" +
			"to the Redis of --redis-url, which all runners read; without one, to the runner of --admin-addr alone. Both, and\n" +
			"--admin-token, are read from AUTH0_JWT_... and the file of --config too, as run reads them.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := revocation.Revocation{Issuer: issuer}
			var named []string
			for _, kind := range revokedKinds {
				if f := cmd.Flags().Lookup(kind.String()); f.Changed {
					r.Kind, r.Value = kind, f.Value.String()
					named = append(named, "--"+kind.String())
				}
			}
			if issuer == "" || len(named) != 1 {
				return errors.New("want --issuer URL and exactly one of --sub, --sid, --client and --jti")
			}
			if before != "" {
				var err error
				if r.Before, err = parseTime(before); err != nil {
					return fmt.Errorf("--before: %w", err)
				}
			}
			given := map[string]string{}
			for _, name := range []string{"config", "redis-url", "admin-addr", "admin-token", "revocations-ttl"} {
				if f := cmd.Flags().Lookup(name); f.Changed {
					given[name] = f.Value.String()
				}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), revokeWithin)
			defer cancel()
			return revoke(ctx, r, given, dryRun, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&issuer, "issuer", "", "`URL` that the tokens have as iss, byte for byte")
	f.String("sub", "", "subject `VALUE`: its tokens that were issued and sessions that began up to now, or --before")
	f.String("sid", "", "session `VALUE`: its tokens, whenever they were issued")
	f.String("client", "", "client `VALUE`, azp or client_id: its tokens that were issued up to now, or --before")
	f.String("jti", "", "token `VALUE`: the one with that jti")
	f.StringVar(&before, "before", "", "`TIME` up to which tokens were issued, RFC 3339 or seconds since 1970 (default now)")
	f.BoolVar(&dryRun, "dry-run", false, "check and say what would be revoked, and revoke nothing")
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	(&settings{}).flags(all)
	for _, name := range []string{"config", "redis-url", "admin-addr", "admin-token", "revocations-ttl"} {
		f.AddFlag(all.Lookup(name))
	}
	return cmd
}

func revoke(ctx context.Context, r revocation.Revocation, given map[string]string, dryRun bool, out io.Writer) error {
	if err := r.Check(time.Now()); err != nil {
		return badInput("%w", err)
	}
	s, err := readSettings(given)
	if err != nil {
		return err
	}
	if s.redisURL == "" && s.adminAddr == "" {
		return badInput("give --redis-url, the Redis that the runners share, or --admin-addr, the address of one runner")
	}
	id := revocation.IDOf(r.Issuer, r.Kind, r.Value)
	switch {
	case dryRun:
		fmt.Fprintf(out, "would revoke %s %s\n", r.Kind, id)
		return nil
	case s.redisURL != "":
		err = revokeInRedis(ctx, r, s)
	default:
		err = revokeAtRunner(ctx, r, s)
	}
	if err == nil {
		fmt.Fprintf(out, "revoked %s %s\n", r.Kind, id)
	}
	return err
}

// revokeInRedis reads the feed first, so that the entry is later than what was
// taken back.
func revokeInRedis(ctx context.Context, r revocation.Revocation, s settings) error {
	client, err := redis.Open(s.redisURL)
	if err != nil {
		return badInput("--redis-url: %w", err)
	}
	feed := revocation.Open(revocation.Options{Redis: client, TTL: s.revocationsTTL, Logger: slog.New(slog.DiscardHandler)})
	defer feed.Close()
	for !feed.Up(time.Now()) {
		select {
		case <-ctx.Done():
			return cannotRun("Redis does not answer: see --redis-url")
		case <-time.After(20 * time.Millisecond):
		}
		if isReady(feed) && !feed.Up(time.Now()) {
			return cannotRun("Redis does not answer: see --redis-url")
		}
	}
	if _, err := feed.Revoke(ctx, r); err != nil {
		return cannotRun("%w", err)
	}
	return nil
}

func isReady(feed *revocation.Feed) bool {
	select {
	case <-feed.Ready():
		return true
	default:
		return false
	}
}

func revokeAtRunner(ctx context.Context, r revocation.Revocation, s settings) error {
	document := map[string]string{"issuer": r.Issuer, r.Kind.String(): r.Value}
	if !r.Before.IsZero() {
		document["before"] = r.Before.Format(time.RFC3339Nano)
	}
	body, err := json.Marshal(document)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+adminAddress(s.adminAddr)+"/revocations", bytes.NewReader(body))
	if err != nil {
		return badInput("--admin-addr: want HOST:PORT")
	}
	req.Header.Set("Content-Type", "application/json")
	token, err := adminSecret(s, slog.Default())
	if err != nil {
		return err
	}
	if token != nil {
		req.Header.Set("Authorization", "Bearer "+string(token.Value(time.Now())))
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return cannotRun("no runner answers on --admin-addr: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusCreated {
		return nil
	}
	why, _ := io.ReadAll(io.LimitReader(answer.Body, 4<<10))
	if answer.StatusCode == http.StatusBadRequest {
		return badInput("the runner: %s", strings.TrimSpace(string(why)))
	}
	return cannotRun("the runner answered %d: %s", answer.StatusCode, strings.TrimSpace(string(why)))
}
