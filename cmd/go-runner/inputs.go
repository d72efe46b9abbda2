package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
)

var errFindings = errors.New("there are errors")

// inputs are the documents that a command reads, and how the runner stands that
// they are for.
type inputs struct {
	admin string // base URL of an Admin API; "" is none
	opt   inspect.Options
}

func (in *inputs) flags(cmd *cobra.Command) {
	operatorFlags(cmd, &in.opt.Config)
	in.opt.Config.Redis = true // a configuration is right or wrong by itself
	cmd.Flags().Var((*redisNamed)(&in.opt), "redis-url", "judge for a runner with this --redis-`URL`, which is not asked; without one, session.store redis gets a warning")
	in.adminFlag(cmd)
	cmd.Flags().StringSliceVar(&in.opt.Plugins, "plugin", nil, "`NAME` of a further plugin that the runner has; may be repeated")
}

func (in *inputs) adminFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&in.admin, "admin", "", "`URL` of an Admin API to read routes and what they refer to from, such as http://127.0.0.1:9180; its key is $APISIX_ADMIN_KEY")
}

// read reads files, and the Admin API where one is named.
func (in *inputs) read(cmd *cobra.Command, files []string) ([]inspect.Input, error) {
	var documents []inspect.Input
	for _, file := range files {
		data, err := readInput(cmd, file)
		if err != nil {
			return nil, err
		}
		documents = append(documents, inspect.Input{Name: file, Data: data})
	}
	if in.admin != "" {
		answers, err := readAdmin(cmd.Context(), in.admin)
		if err != nil {
			return nil, err
		}
		documents = append(documents, answers...)
	}
	if len(documents) == 0 {
		return nil, errors.New("want a FILE, - for standard input, or --admin URL")
	}
	return documents, nil
}

// chosen is the one configuration that a command is about.
type chosen struct {
	inputs

	files []string
	route string
}

func (c *chosen) flags(cmd *cobra.Command) {
	c.inputs.flags(cmd)
	cmd.Flags().StringArrayVarP(&c.files, "config", "c", nil, "`FILE` with a configuration, a route, or a list of them; - is standard input; may be repeated")
	cmd.Flags().StringVar(&c.route, "route", "", "`ID` of the route, where there is more than one")
}

// entry reads the configuration. What is to be said about it is written to
// standard error.
func (c *chosen) entry(cmd *cobra.Command) (*inspect.Report, inspect.Entry, error) {
	_, report, entry, err := c.entryOfAll(cmd)
	return report, entry, err
}

// entryOfAll is entry, and the report of all that was read.
func (c *chosen) entryOfAll(cmd *cobra.Command) (all, report *inspect.Report, entry inspect.Entry, err error) {
	documents, err := c.read(cmd, c.files)
	if err != nil {
		return nil, nil, inspect.Entry{}, err
	}
	all = inspect.Check(documents, c.opt)
	report = all
	entry, err = report.Choose(c.route)
	if err == nil && c.route != "" {
		report = report.Of(entry)
	}
	switch {
	case err != nil && c.route == "" && len(report.Entries) > 1: // it is for the caller to say which
		return nil, nil, entry, &exitError{exitUsage, err}
	case err != nil && report.OK():
		return nil, nil, entry, badInput("%w", err)
	}
	if err := report.WriteText(cmd.ErrOrStderr()); err != nil {
		return nil, nil, entry, err
	}
	return all, report, entry, nil
}

// goodEntry is entry for a command that has no use for one with errors.
func (c *chosen) goodEntry(cmd *cobra.Command) (inspect.Entry, error) {
	report, entry, err := c.entry(cmd)
	if err == nil && (!report.OK() || entry.Config == nil) {
		err = &exitError{exitBadInput, errFindings}
	}
	return entry, err
}

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
	// One byte more shows that there is more than is read.
	data, err := io.ReadAll(io.LimitReader(in, inspect.MaxInput+1))
	if err != nil {
		return nil, badInput("%s: %w", file, err)
	}
	return data, nil
}

// format is how findings are written.
type format string

const (
	formatText   format = "text"
	formatJSON   format = "json"
	formatGitHub format = "github"
)

const formatUsage = "`FORMAT` of the output: text, json, or github for annotations of a workflow"

// Type implements pflag.Value.
func (*format) Type() string { return "FORMAT" }

func (f *format) String() string { return string(*f) }

// Set implements pflag.Value.
func (f *format) Set(word string) error {
	all := []format{formatText, formatJSON, formatGitHub}
	for _, known := range all {
		if word == string(known) {
			*f = known
			return nil
		}
	}
	return fmt.Errorf("want %s", strings.Trim(strings.ReplaceAll(fmt.Sprint(all), " ", ", "), "[]"))
}
