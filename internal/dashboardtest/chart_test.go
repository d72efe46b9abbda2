package dashboardtest_test

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
)

// colors are those of the lines of a panel, one after the other.
var colors = []string{"#2f6fde", "#d9480f", "#2b8a3e", "#9c36b5", "#c2255c", "#0b7285", "#e67700", "#5f3dc4", "#495057", "#66a80f", "#1098ad", "#a61e4d"}

// The margins of a chart, in pixels.
const (
	left, right, top, bottom = 58, 8, 6, 20
	gridLines                = 4
)

// chart draws the lines of a panel, from 0 or their least value up.
func chart(p *panel, width, height int, begin, end time.Time) template.HTML {
	from, seconds := float64(begin.UnixMilli())/1e3, end.Sub(begin).Seconds()
	most := 0.0
	for _, s := range p.series {
		for _, at := range s.points {
			most = max(most, at.value)
		}
	}
	step := niceStep(most)
	most = step * gridLines
	x := func(at float64) float64 { return left + (at-from)/seconds*float64(width-left-right) }
	y := func(value float64) float64 { return top + (1-value/most)*float64(height-top-bottom) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg width="%d" height="%d">`, width, height)
	for i := range gridLines + 1 {
		value := step * float64(i)
		fmt.Fprintf(&b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" class="grid"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`,
			left, width-right, y(value), y(value), left-6, y(value)+4, html.EscapeString(inUnit(value, p.FieldConfig.Defaults.Unit)))
	}
	for i := range 5 {
		at := seconds * float64(i) / 4
		anchor := "middle"
		if i == 4 {
			anchor = "end"
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="%s">%d:%02d</text>`, x(from+at), height-4, anchor, int(at)/60, int(at)%60)
	}
	for i, s := range p.series {
		fmt.Fprintf(&b, `<polyline fill="none" stroke-width="1.6" stroke="%s" points="`, colors[i%len(colors)])
		for _, at := range s.points {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(at.at), y(at.value))
		}
		b.WriteString(`"/>`)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// niceStep is between the lines of a grid on which a value fits: 1, 2, 2.5 or 5
// times a power of ten.
func niceStep(most float64) float64 {
	if most <= 0 {
		return 0.25
	}
	power := math.Pow(10, math.Floor(math.Log10(most/gridLines)))
	for _, factor := range []float64{1, 2, 2.5, 5} {
		if power*factor*gridLines >= most {
			return power * factor
		}
	}
	return power * 10
}

// inUnit writes a value in one of the units that the dashboard uses.
func inUnit(value float64, unit string) string {
	short := func(value float64) string { return strconv.FormatFloat(value, 'g', 4, 64) }
	switch unit {
	case "percentunit":
		return short(value*100) + " %"
	case "bytes":
		return fmt.Sprintf("%.0f MiB", value/(1<<20))
	case "reqps":
		return short(value) + "/s"
	case "cpm":
		return short(value) + "/min"
	case "s":
		for _, part := range []struct {
			least float64
			unit  string
		}{{600, "min"}, {1, "s"}, {1e-3, "ms"}} {
			if value >= part.least {
				if part.unit == "min" {
					return short(value/60) + " min"
				}
				return short(value/part.least) + " " + part.unit
			}
		}
		return short(math.Round(value*1e7)/10) + " us"
	}
	if value >= 1000 {
		return strconv.FormatFloat(value, 'f', 0, 64)
	}
	return short(math.Round(value*1000) / 1000)
}
