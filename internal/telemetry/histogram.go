package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/latency"
)

// histogram is a metric with both native and classic buckets, of which a scraper
// takes what it understands. The constant histograms of client_golang have one
// kind each.
type histogram struct {
	prometheus.Metric // with the native buckets
	classic           []*dto.Bucket
}

// started is since when everything is counted.
var started = time.Now()

func newHistogram(d *prometheus.Desc, s latency.Snapshot, labels ...string) prometheus.Metric {
	native, err := prometheus.NewConstNativeHistogram(d, s.Count, s.Sum, s.Native, nil, s.Zero, latency.Schema, s.ZeroThreshold, started, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	var classic dto.Metric
	if err := prometheus.MustNewConstHistogram(d, s.Count, s.Sum, s.Classic, labels...).Write(&classic); err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return &histogram{native, classic.GetHistogram().GetBucket()}
}

// Write implements prometheus.Metric.
func (h *histogram) Write(m *dto.Metric) error {
	if err := h.Metric.Write(m); err != nil {
		return err
	}
	m.Histogram.Bucket = h.classic
	return nil
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
