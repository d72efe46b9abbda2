package page

import (
	"bytes"
	"math"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// sample is one reading of a runner's metrics.
type sample struct {
	at       time.Time
	start    int // of the runner that was read
	families map[string]*dto.MetricFamily
}

func readSample(text []byte, at time.Time, start int) (sample, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	return sample{at, start, families}, err
}

// metrics are those of one name, without its prefix.
func (s sample) metrics(name string) []*dto.Metric {
	return s.families["auth0_jwt_"+name].GetMetric()
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

func value(m *dto.Metric) float64 {
	switch {
	case m.GetCounter() != nil:
		return m.GetCounter().GetValue()
	case m.GetGauge() != nil:
		return m.GetGauge().GetValue()
	}
	return m.GetUntyped().GetValue()
}

// sum is a counter or a gauge over all its labels.
func (s sample) sum(name string) (total float64) {
	for _, m := range s.metrics(name) {
		total += value(m)
	}
	return total
}

// by is a counter for each value of a label.
func (s sample) by(name, labelName string) map[string]float64 {
	all := map[string]float64{}
	for _, m := range s.metrics(name) {
		all[label(m, labelName)] += value(m)
	}
	return all
}

// bucket counts what took at most so many seconds.
type bucket struct {
	atMost float64
	count  float64
}

// buckets are those of a histogram over all its labels, the smallest first.
func (s sample) buckets(name string) []bucket {
	counts := map[float64]float64{}
	for _, m := range s.metrics(name) {
		for _, b := range m.GetHistogram().GetBucket() {
			counts[b.GetUpperBound()] += float64(b.GetCumulativeCount())
		}
	}
	var list []bucket
	for atMost, count := range counts {
		list = append(list, bucket{atMost, count})
	}
	slices.SortFunc(list, func(a, b bucket) int {
		if a.atMost < b.atMost {
			return -1
		}
		return 1
	})
	return list
}

// since is what was counted after an earlier reading of the same histogram.
func since(now, before []bucket) []bucket {
	list := slices.Clone(now)
	for i := range list {
		at := slices.IndexFunc(before, func(b bucket) bool { return b.atMost == list[i].atMost })
		if at >= 0 {
			list[i].count -= before[at].count
		}
	}
	return list
}

// quantile is estimated as Prometheus does: evenly within a bucket. 0 is of a
// histogram with nothing in it.
func quantile(q float64, buckets []bucket) float64 {
	if len(buckets) == 0 {
		return 0
	}
	rank := q * buckets[len(buckets)-1].count
	if rank <= 0 {
		return 0
	}
	lower, below := 0.0, 0.0
	for _, b := range buckets {
		if b.count >= rank {
			if math.IsInf(b.atMost, 1) {
				return lower
			}
			return lower + (b.atMost-lower)*(rank-below)/(b.count-below)
		}
		lower, below = b.atMost, b.count
	}
	return lower
}
