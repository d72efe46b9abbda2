// Package dashboardtest holds the test of the dashboard in apisix-conf/monitoring: a
// real runner under load, a real Prometheus that reads it, and every panel's queries,
// drawn as a page. It must not know how a metric comes about.
package dashboardtest
