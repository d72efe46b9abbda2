package telemetry

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	connections        = describe("runner_connections", "Connections of APISIX's workers.")
	connectionsRefused = describe("runner_connections_refused_total", "Connections beyond --max-connections.")
	requests           = describe("runner_requests_total", "Requests by plugin and how it left them: passed, stopped or failed; denied where a configuration cannot be used.", "plugin", "outcome")
	configurations     = describe("runner_configurations", "Distinct configurations kept.")
	configurationBytes = describe("runner_configuration_bytes", "The text of the configurations kept.")
	configurationsLeft = describe("runner_configuration_evictions_total", "Configurations dropped for want of room or of use.")
	tokenNotFound      = describe("runner_token_not_found_total", "Requests with a configuration token that the runner does not know.")
	tokenCollisions    = describe("runner_token_collisions_total", "Configurations whose token was another one's already.")
	panics             = describe("runner_panics_total", "Panics of plugins.")
	frameErrors        = describe("runner_frame_errors_total", "Frames that could not be read.")
	logLinesDropped    = describe("log_lines_dropped_total", "Lines of the log that standard error did not take.")
	buildInfo          = describe("build_info", "1, with what the binary was built from.", "version", "commit", "go_version")
)

func describeRunner(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		connections, connectionsRefused, requests, configurations, configurationBytes, configurationsLeft,
		tokenNotFound, tokenCollisions, panics, frameErrors, logLinesDropped, buildInfo,
	} {
		out <- d
	}
}

func collectRunner(s Sources, gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, uint64, ...string)) {
	r := s.Runner()
	gauge(connections, float64(r.Connections))
	count(connectionsRefused, r.ConnectionsRefused)
	for _, c := range r.Requests {
		count(requests, c.Count, c.Plugin, c.Outcome)
	}
	gauge(configurations, float64(r.Configurations))
	gauge(configurationBytes, float64(r.ConfigurationBytes))
	count(configurationsLeft, r.ConfigurationEvictions)
	count(tokenNotFound, r.TokenNotFound)
	count(tokenCollisions, r.TokenCollisions)
	count(panics, r.Panics)
	count(frameErrors, r.FrameErrors)
	count(logLinesDropped, s.LogLinesDropped())
	gauge(buildInfo, 1, s.Build.Version, s.Build.Commit, runtime.Version())
}
