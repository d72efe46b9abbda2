package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/resource"
)

// checking is the command check.
type checking struct {
	inputs

	format format
	online bool
	caFile string
}

func checkCommand() *cobra.Command {
	c := checking{format: formatText}
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Read configurations wherever they stand, and list every error by its JSON path",
		Long: "Reads configurations of auth0-jwt where they stand: alone, in an APISIX route, service or plugin\n" +
			"config, in a list of them as the Admin API gives it, or in an apisix.yaml (YAML or JSON).\n" +
			"- is standard input, and --admin asks an Admin API. A plugin_config_id and a service_id are\n" +
			"looked up in all that was read. Secrets that a configuration refers to are looked up here.\n" +
			"Exit 0: no error. Exit 1: any error; warnings are none. Exit 3: the Admin API could not be read.",
		RunE: func(cmd *cobra.Command, files []string) error { return c.run(cmd, files) },
	}
	c.inputs.flags(cmd)
	cmd.Flags().Var(&c.format, "format", formatUsage)
	cmd.Flags().BoolVar(&c.online, "online", false, "ask the issuers for their documents, and say what is wrong there")
	cmd.Flags().StringVar(&c.caFile, "ca-file", "", caFileUsage)
	return cmd
}

const caFileUsage = "PEM `FILE` of certificate authorities trusted for issuers, besides the system's"

func (c *checking) run(cmd *cobra.Command, files []string) error {
	documents, err := c.read(cmd, files)
	if err != nil {
		return err
	}
	report := inspect.Check(documents, c.opt)
	if c.online {
		roots, err := authorities(c.caFile)
		if err != nil {
			return err
		}
		fetcher := inspect.NewFetcher(c.opt.Config, roots)
		defer fetcher.Close()
		report.Online(cmd.Context(), fetcher)
	}
	if err := c.write(cmd, report, documents); err != nil {
		return cannotRun("%w", err)
	}
	if !report.OK() {
		return &exitError{exitBadInput, errFindings}
	}
	return nil
}

func (c *checking) write(cmd *cobra.Command, report *inspect.Report, documents []inspect.Input) error {
	switch c.format {
	case formatJSON:
		return report.WriteJSON(cmd.OutOrStdout())
	case formatGitHub:
		return report.WriteGitHub(cmd.OutOrStdout())
	}
	if err := report.WriteText(cmd.ErrOrStderr()); err != nil {
		return err
	}
	for _, d := range documents {
		if report.InputOK(d.Name) {
			fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", d.Name)
		}
	}
	return nil
}

// operatorFlags are those settings of run that decide what a configuration may
// say.
func operatorFlags(cmd *cobra.Command, opt *config.Options) {
	cmd.Flags().BoolVar(&opt.AllowInsecure, "allow-insecure", false, "judge as a runner with --allow-insecure does")
	cmd.Flags().Var((*networks)(&opt.AllowNetworks), "allow-network", allowNetworkUsage)
	cmd.Flags().Var((*directory)(&opt.SecretsDir), "secrets-dir", secretsDirUsage)
}

// redisNamed is the flag --redis-url of a command that asks nothing of a Redis:
// what matters is whether the runner has one.
type redisNamed inspect.Options

// Type implements pflag.Value.
func (*redisNamed) Type() string { return "URL" }

func (*redisNamed) String() string { return "" }

// Set implements pflag.Value. An empty URL is a runner without one.
func (n *redisNamed) Set(url string) error {
	if n.Config.Redis = url != ""; n.Config.Redis {
		n.Redis = inspect.RedisKnown
	}
	return nil
}

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the configuration as JSON Schema (draft 2020-12)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(config.Schema)
			return err
		},
	}
}

func metadataCommand() *cobra.Command {
	var from chosen
	var identifier string
	cmd := &cobra.Command{
		Use:   "resource-metadata -c FILE",
		Short: "Print the protected resource metadata to serve (RFC 9728)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			entry, err := from.goodEntry(cmd)
			if err != nil {
				return err
			}
			document, err := resource.Metadata(entry.Config, identifier)
			if err != nil {
				return badInput("--resource: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", document)
			return nil
		},
	}
	from.flags(cmd)
	cmd.Flags().StringVar(&identifier, "resource", "", "the resource's identifier, a `URL` (default by protected_resource, resource_metadata, or the audience)")
	return cmd
}
