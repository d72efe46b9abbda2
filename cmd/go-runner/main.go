// Command go-runner is the plugin runner that APISIX starts, or that runs
// beside it, with the plugin auth0-jwt in it. It knows flags, environment and
// the order of start and stop; it must not know how anything is decided.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes, as documented.
const (
	exitBadInput   = 1
	exitUsage      = 2
	exitCannotRun  = 3
	commandSummary = "An Apache APISIX plugin runner that verifies Auth0 and OpenID Connect access tokens"
)

// exitError carries the exit code of an error that is not about usage.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func cannotRun(format string, args ...any) error {
	return &exitError{exitCannotRun, fmt.Errorf(format, args...)}
}

func badInput(format string, args ...any) error {
	return &exitError{exitBadInput, fmt.Errorf(format, args...)}
}

func main() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }

func execute(args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "go-runner",
		Short:         commandSummary,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.Version = versionLine()
	root.SetVersionTemplate("{{.Version}}\n")
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(
		runCommand(stderr), checkCommand(), explainCommand(), routeCommand(), convertCommand(), schemaCommand(), metadataCommand(), revokeCommand(), pingCommand(), versionCommand(),
	)
	err := root.Execute()
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "go-runner: "+err.Error())
	if coded := (*exitError)(nil); errors.As(err, &coded) {
		return coded.code
	}
	fmt.Fprintln(stderr, "Try 'go-runner --help'.")
	return exitUsage
}

// flagError is what is wrong with a flag. Of a proxy the text is left out, which may
// hold a password.
func flagError(_ *cobra.Command, err error) error {
	wrong, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	if _, secret := wrong.GetFlag().Value.(*proxyURL); secret {
		return fmt.Errorf("--%s: %w", wrong.GetFlag().Name, wrong.Unwrap())
	}
	return err
}
