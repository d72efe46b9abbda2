package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/convert"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
)

// converting is the command convert.
type converting struct {
	inputs

	convert convert.Options
	ids     []string
	format  format
	apply   bool
	keep    string

	documents []inspect.Input
	objects   []inspect.Object
}

func convertCommand() *cobra.Command {
	c := converting{format: formatText}
	cmd := &cobra.Command{
		Use:   "convert FILE...",
		Short: "Print routes with openid-connect or jwt-auth anew, with auth0-jwt in its place",
		Long: "Reads what check reads, and prints those routes, services, plugin configs and global rules that\n" +
			"have openid-connect or jwt-auth as they are with auth0-jwt: one as the body for the Admin API,\n" +
			"several as lists by kind, which check reads and apisix.yaml has. What does not carry over, what\n" +
			"becomes stricter and what to do before is written to standard error. A converted route lets in\n" +
			"nothing that the old one refused; what could is not converted, and the reason is written.\n" +
			"Secrets of the old plugin are never printed: a reference stands for each, with the command that\n" +
			"moves it. Those of other plugins stay in the body.\n" +
			"Nothing is written to a gateway but with --apply, which writes one object at a time, keeps the\n" +
			"old body in a file of --keep, and writes nothing where one object cannot be converted.\n" +
			"Exit 0: all are converted. Exit 1: one is not. Exit 3: the Admin API could not be read or written.",
		RunE: func(cmd *cobra.Command, files []string) error { return c.run(cmd, files) },
	}
	c.flags(cmd)
	return cmd
}

func (c *converting) flags(cmd *cobra.Command) {
	c.adminFlag(cmd)
	operatorFlags(cmd, &c.convert.Config)
	c.convert.Config.Redis = true // told to be needed, where it is
	f := cmd.Flags()
	f.StringSliceVar(&c.convert.Audience, "audience", nil, "`AUDIENCE` of the API, for routes that do not name one; may be repeated; * takes any")
	f.StringVar(&c.convert.Issuer, "issuer", "", "`ISSUER` as tokens name it, where the route does not say it")
	f.StringVar(&c.convert.KeyID, "kid", "", "`KID` in the header of the tokens that a public_key verifies")
	f.StringVar(&c.convert.RedirectURI, "redirect-uri", "", "`URL` of the callback, for routes with sessions that do not name one")
	f.StringVar(&c.convert.Consumer, "consumer", "", "`NAME` of the consumer whose tokens routes with jwt-auth take")
	f.StringSliceVar(&c.convert.Accept, "accept", nil, "`WHAT` may be left out although a route may then let in more: "+strings.Join(convert.Risks, ", ")+"; may be repeated")
	f.StringSliceVar(&c.ids, "route", nil, "`ID` of an object to convert, and no other; may be repeated")
	f.Var(&c.format, "format", "`FORMAT` of the output: text or json")
	f.Bool("dry-run", true, "write nothing to the gateway; this is the default")
	f.BoolVar(&c.apply, "apply", false, "write to the gateway of --admin")
	f.StringVar(&c.keep, "keep", "", "`DIR` for the old bodies with --apply; they hold secrets, and only you can read them")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "apply")
}

// usage finds flags that do not go together.
func (c *converting) usage() error {
	switch {
	case c.format == formatGitHub:
		return errors.New("--format: want text, json")
	case c.apply && c.admin == "":
		return errors.New("--apply writes to the gateway of --admin: give its URL")
	case c.apply != (c.keep != ""):
		return errors.New("--apply and --keep DIR go together: the old bodies are kept there")
	}
	for _, name := range c.convert.Accept {
		if !slices.Contains(convert.Risks, name) {
			return fmt.Errorf("--accept: want %s", strings.Join(convert.Risks, ", "))
		}
	}
	return nil
}

func (c *converting) run(cmd *cobra.Command, files []string) error {
	if err := c.usage(); err != nil {
		return err
	}
	if c.apply && len(files) > 0 {
		return errors.New("--apply converts what is in the gateway, and reads no file")
	}
	results, err := c.results(cmd, files)
	if err != nil {
		return err
	}
	if len(results) == 0 {
		fmt.Fprintln(cmd.ErrOrStderr(), "nothing to convert: no route, service, plugin config or global rule has openid-connect or jwt-auth")
	}
	failed := 0
	for _, r := range results {
		if r.Body == nil {
			failed++
		}
	}
	if c.format == formatText {
		if err := c.writeNotes(cmd.ErrOrStderr(), results); err != nil {
			return cannotRun("%w", err)
		}
	}
	if c.apply && failed == 0 {
		return c.applyAll(cmd, results)
	}
	if !c.apply || c.format == formatJSON {
		if err := c.write(cmd.OutOrStdout(), results); err != nil {
			return cannotRun("%w", err)
		}
	}
	if failed > 0 {
		text := fmt.Sprintf("%d of %d are not converted", failed, len(results))
		if c.apply {
			text += ", and nothing was written; --route names those that can be"
		}
		return badInput("%s", text)
	}
	return nil
}

// results are of the objects that were asked for.
func (c *converting) results(cmd *cobra.Command, files []string) ([]convert.Result, error) {
	documents, err := c.read(cmd, files)
	if err != nil {
		return nil, err
	}
	objects, broken := inspect.Objects(documents)
	if !broken.OK() {
		if err := broken.WriteText(cmd.ErrOrStderr()); err != nil {
			return nil, cannotRun("%w", err)
		}
		return nil, &exitError{exitBadInput, errFindings}
	}
	c.documents, c.objects = documents, objects
	var all []convert.Object
	for i, o := range objects {
		all = append(all, convert.Object{Kind: o.Kind, ID: o.ID, JSON: o.JSON, Number: i})
	}
	results := convert.Objects(all, c.convert)
	if len(c.ids) == 0 {
		return results, nil
	}
	for _, id := range c.ids {
		if !slices.ContainsFunc(results, func(r convert.Result) bool { return r.ID == id }) {
			return nil, badInput("--route: nothing with openid-connect or jwt-auth has the id %q", id)
		}
	}
	return slices.DeleteFunc(results, func(r convert.Result) bool { return !slices.Contains(c.ids, r.ID) }), nil
}

func (c *converting) writeNotes(w io.Writer, results []convert.Result) error {
	for _, r := range results {
		if _, err := fmt.Fprintf(w, "%s: ", c.objects[r.Number].Input); err != nil {
			return err
		}
		if err := r.WriteText(w, c.moves(r)...); err != nil {
			return err
		}
	}
	return nil
}

// jsonResult is a result as --format json has it.
type jsonResult struct {
	Input     string          `json:"input"`
	Path      string          `json:"path"`
	Kind      string          `json:"kind"`
	ID        string          `json:"id"`
	Plugin    string          `json:"plugin"`
	Converted bool            `json:"converted"`
	Body      json.RawMessage `json:"body,omitempty"`
	Problems  []convert.Note  `json:"problems,omitempty"`
	Lost      []convert.Note  `json:"does_not_carry_over,omitempty"`
	Stricter  []convert.Note  `json:"becomes_stricter,omitempty"`
	Todo      []convert.Note  `json:"to_do,omitempty"`
	Kept      string          `json:"kept,omitempty"` // the file of the old body, once the new one is written
}

func (c *converting) jsonResult(r convert.Result) jsonResult {
	o := c.objects[r.Number]
	return jsonResult{
		Input: o.Input, Path: o.Path, Kind: r.Kind, ID: r.ID, Plugin: r.Plugin, Converted: r.Body != nil, Body: r.Body,
		Problems: r.Problems, Lost: r.Lost, Stricter: r.Stricter, Todo: slices.Concat(r.Todo, c.moves(r)),
	}
}

// write prints the new bodies: one alone, as the Admin API takes it, or lists of
// them by kind.
func (c *converting) write(w io.Writer, results []convert.Result) error {
	if c.format == formatJSON {
		all := []jsonResult{}
		for _, r := range results {
			all = append(all, c.jsonResult(r))
		}
		return writeResults(w, all)
	}
	bodies := map[string][]json.RawMessage{}
	count := 0
	for _, r := range results {
		if r.Body != nil {
			bodies[r.Kind] = append(bodies[r.Kind], r.Body)
			count++
		}
	}
	switch {
	case count == 0:
		return nil
	case count == 1 && len(results) == 1:
		_, err := fmt.Fprintf(w, "%s\n", results[0].Body)
		return err
	}
	return writeIndented(w, bodies)
}

func writeResults(w io.Writer, all []jsonResult) error {
	return writeIndented(w, map[string][]jsonResult{"objects": all})
}

func writeIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
