package main

import (
	"github.com/spf13/cobra"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
)

func routeCommand() *cobra.Command {
	var from chosen
	var p inspect.Placement
	var post bool
	cmd := &cobra.Command{
		Use:   "route -c FILE",
		Short: "Print the Admin API's body of a route with a configuration",
		Long: "Writes the JSON within JSON that APISIX wants, for curl -d @- on /apisix/admin/routes/ID. The\n" +
			"configuration is checked first; a secret that is not there here is no error.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, entry, err := from.entry(cmd)
			if err != nil {
				return err
			}
			if entry.Raw == nil || !report.Valid() {
				return &exitError{exitBadInput, errFindings}
			}
			if p.Phase = "ext-plugin-pre-req"; post {
				p.Phase = "ext-plugin-post-req"
			}
			body, err := inspect.Route(entry.Raw, p)
			if err != nil {
				return badInput("%w", err)
			}
			_, err = cmd.OutOrStdout().Write(body)
			return err
		},
	}
	from.flags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&p.URIs, "uri", []string{"/*"}, "`URI` of the route; may be repeated")
	f.StringVar(&p.Upstream, "upstream", "", "`HOST:PORT` of the upstream")
	f.StringVar(&p.UpstreamScheme, "upstream-scheme", "http", "`SCHEME` of the upstream, http or https")
	f.StringVar(&p.Name, "name", "", "`NAME` of the route")
	f.BoolVar(&post, "post-req", false, "judge after the other plugins (ext-plugin-post-req) and not before them")
	return cmd
}
