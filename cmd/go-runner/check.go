package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
)

var errFindings = errors.New("there are errors")

func checkCommand() *cobra.Command {
	var opt config.Options
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Read configurations, or whole APISIX routes, and list every error by its JSON path",
		Long: "Reads configurations of auth0-jwt, or whole APISIX routes (as the Admin API takes or gives them);\n" +
			"- is standard input. Secrets that a configuration refers to are looked up here.\n" +
			"Exit 0: no error. Exit 1: any error; warnings are none.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			clean := true
			for _, file := range files {
				data, err := readInput(cmd, file)
				if err != nil {
					return err
				}
				report := inspect.Check(data, opt)
				for _, f := range report.Findings {
					fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", file, f)
				}
				if report.OK() {
					fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", file)
				}
				clean = clean && report.OK()
			}
			if !clean {
				return &exitError{exitBadInput, errFindings}
			}
			return nil
		},
	}
	operatorFlags(cmd, &opt)
	return cmd
}

// operatorFlags are those settings of run that decide what a configuration may
// say.
func operatorFlags(cmd *cobra.Command, opt *config.Options) {
	cmd.Flags().BoolVar(&opt.AllowInsecure, "allow-insecure", false, "judge as a runner with --allow-insecure does")
	cmd.Flags().Var((*networks)(&opt.AllowNetworks), "allow-network", allowNetworkUsage)
	cmd.Flags().Var((*directory)(&opt.SecretsDir), "secrets-dir", secretsDirUsage)
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
	var file, resource string
	var opt config.Options
	cmd := &cobra.Command{
		Use:   "resource-metadata -c FILE",
		Short: "Print the protected resource metadata to serve (RFC 9728)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			entry, err := onlyEntry(cmd, file, opt)
			if err != nil {
				return err
			}
			document, err := inspect.ResourceMetadata(entry.Config, resource)
			if err != nil {
				return badInput("--resource: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n", document)
			return nil
		},
	}
	configFlag(cmd, &file)
	cmd.Flags().StringVar(&resource, "resource", "", "the resource's identifier, a `URL` (default by resource_metadata, or the audience)")
	operatorFlags(cmd, &opt)
	return cmd
}

func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "", "`FILE` with a configuration, or an APISIX route; - is standard input")
	_ = cmd.MarkFlagRequired("config") // it fails only for a flag that is not there
}

// onlyEntry is the first configuration in a file; errors are written.
func onlyEntry(cmd *cobra.Command, file string, opt config.Options) (inspect.Entry, error) {
	data, err := readInput(cmd, file)
	if err != nil {
		return inspect.Entry{}, err
	}
	report := inspect.Check(data, opt)
	for _, f := range report.Findings {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", file, f)
	}
	if !report.OK() || len(report.Entries) == 0 {
		return inspect.Entry{}, &exitError{exitBadInput, errFindings}
	}
	return report.Entries[0], nil
}

// maxInput is more than any document that is taken.
const maxInput = 4 << 20

func readInput(cmd *cobra.Command, file string) ([]byte, error) {
	in := cmd.InOrStdin()
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, badInput("%w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxInput))
	if err != nil {
		return nil, badInput("%s: %w", file, err)
	}
	return data, nil
}
