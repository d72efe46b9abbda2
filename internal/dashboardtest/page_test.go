package dashboardtest_test

import (
	"fmt"
	"html/template"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// The page's width and the height of one of the dashboard's units, in pixels.
const (
	pageWidth, unitHeight = 1600, 34
	aboveChart            = 78 // a panel's title, its question and its borders
	legendLine            = 17
)

// drawn is a panel as the page has it.
type drawn struct {
	*panel
	Chart  template.HTML
	Lines  []line
	Stats  []stat
	Header []string
	Rows   [][]string
	Hidden int // rows that there is no room for
}

type line struct{ Color, Legend string }

type stat struct{ Color, Legend, Text string }

var dashboardPage = template.Must(template.New("").Funcs(template.FuncMap{"next": func(n int) int { return n + 1 }}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>auth0-jwt</title><style>
body { margin: 0; padding: 16px; background: #f1f3f5; font: 12px/1.35 "DejaVu Sans", sans-serif; color: #212529; width: 1568px }
h1 { font-size: 20px; margin: 0 0 4px } .about { color: #495057; margin: 0 0 10px }
.all { display: grid; grid-template-columns: repeat(24, 1fr); grid-auto-rows: 34px; gap: 0 }
.row { font-size: 15px; font-weight: bold; padding: 8px 4px 0 }
.panel { margin: 4px; padding: 8px 10px; background: #fff; border: 1px solid #dee2e6; border-radius: 4px; overflow: hidden; box-sizing: border-box }
.panel b { display: block; white-space: nowrap; overflow: hidden; text-overflow: ellipsis } .panel p { margin: 0 0 4px; color: #868e96; font-size: 11px; line-height: 15px; height: 30px; overflow: hidden }
svg { display: block } svg text { font-size: 10.5px; fill: #495057 } .grid { stroke: #e9ecef }
.legend { font-size: 11px; line-height: 17px } .legend span { margin-right: 12px; white-space: nowrap } .legend i { display: inline-block; width: 12px; height: 3px; margin-right: 5px; vertical-align: middle }
table { width: 100%; table-layout: fixed; border-collapse: collapse; font-size: 11.5px } th { text-align: left; color: #495057; border-bottom: 1px solid #ced4da } td { border-bottom: 1px solid #f1f3f5; padding: 2px 6px 2px 0; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; } th:last-child, td:last-child { text-align: right; width: 52px }
.stats { display: flex; flex-direction: column; gap: 6px; height: 190px } .stat { flex: 1; border-radius: 4px; color: #fff; display: flex; flex-direction: column; align-items: center; justify-content: center; font-size: 12px } .stat strong { font-size: 24px; font-weight: normal }
</style></head><body>
<h1>auth0-jwt</h1>
<p class="about">Every panel of apisix-conf/monitoring/grafana with the answers of a real Prometheus, drawn by the tests of this repository. This is not Grafana.</p>
<div class="all">{{range .}}<div class="{{if eq .Type "row"}}row{{else}}panel{{end}}" style="grid-column: {{next .GridPos.X}} / span {{.GridPos.W}}; grid-row: {{next .GridPos.Y}} / span {{.GridPos.H}}">
{{if eq .Type "row"}}{{.Title}}{{else}}<b>{{.Title}}</b><p>{{.Description}}</p>
{{.Chart}}{{with .Lines}}<div class="legend">{{range .}}<span><i style="background: {{.Color}}"></i>{{.Legend}}</span> {{end}}</div>{{end}}
{{with .Stats}}<div class="stats">{{range .}}<div class="stat" style="background: {{.Color}}"><strong>{{.Text}}</strong>{{.Legend}}</div>{{end}}</div>{{end}}
{{if .Header}}<table><tr>{{range .Header}}<th>{{.}}</th>{{end}}</tr>{{range .Rows}}<tr>{{range .}}<td>{{.}}</td>{{end}}</tr>{{end}}</table>{{if .Hidden}}<p>and {{.Hidden}} more</p>{{end}}{{end}}{{end}}
</div>{{end}}</div></body></html>
`))

// draw writes the dashboard as a PNG.
func draw(t *testing.T, panels []*panel, begin, end time.Time, file string) {
	t.Helper()
	var all []drawn
	for _, p := range panels {
		all = append(all, drawnOf(p, begin, end))
	}
	written := filepath.Join(t.TempDir(), "dashboard.html")
	out, err := os.Create(written)
	if err == nil {
		err = dashboardPage.Execute(out, all)
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	file, err = filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	height := 90
	for _, p := range panels {
		height = max(height, 90+(p.GridPos.Y+p.GridPos.H)*unitHeight)
	}
	chromium := exec.Command(need(t, "chromium"), "--headless", "--no-sandbox", "--hide-scrollbars", // CI runs as root
		fmt.Sprintf("--window-size=%d,%d", pageWidth, height), "--user-data-dir="+t.TempDir(), "--screenshot="+file, "file://"+written)
	if out, err := chromium.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func drawnOf(p *panel, begin, end time.Time) drawn {
	d := drawn{panel: p}
	width, height := p.GridPos.W*(pageWidth-32)/24-30, p.GridPos.H*unitHeight-aboveChart
	switch p.Type {
	case "timeseries":
		used, lines := 0, 1
		for i, s := range p.series {
			d.Lines = append(d.Lines, line{colors[i%len(colors)], s.legend})
			if used += 36 + 7*len(s.legend); used > width {
				used, lines = 36+7*len(s.legend), lines+1
			}
		}
		d.Chart = chart(p, width, height-lines*legendLine, begin, end)
	case "stat":
		for _, s := range p.series {
			d.Stats = append(d.Stats, statOf(p, s))
		}
	case "table":
		d.Header, d.Rows = tableOf(p.series)
		if room := (height - 36) / 20; len(d.Rows) > room {
			d.Rows, d.Hidden = d.Rows[:room], len(d.Rows)-room
		}
	}
	return d
}

var statColors = map[string]string{"red": "#e03131", "green": "#2f9e44"}

func statOf(p *panel, s series) stat {
	of, last := p.FieldConfig.Defaults, s.points[len(s.points)-1].value
	shown := stat{Legend: s.legend, Text: inUnit(last, of.Unit), Color: "#1971c2"}
	for _, step := range of.Thresholds.Steps {
		if step.Value == nil || last >= *step.Value {
			shown.Color = statColors[step.Color]
		}
	}
	for _, m := range of.Mappings {
		if to, there := m.Options[strconv.FormatFloat(last, 'g', -1, 64)]; there {
			shown.Text = to.Text
		}
	}
	return shown
}

// hidden are labels that say nothing in a table of one job's.
var hidden = map[string]bool{"__name__": true, "job": true}

// tableOf has a column for each label, and the greatest values first.
func tableOf(of []series) (header []string, rows [][]string) {
	labels := map[string]bool{}
	for _, s := range of {
		for name := range s.labels {
			labels[name] = labels[name] || !hidden[name]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if labels[name] {
			header = append(header, name)
		}
	}
	value := func(s series) float64 { return s.points[len(s.points)-1].value }
	of = slices.Clone(of)
	slices.SortStableFunc(of, func(a, b series) int { return int(value(b) - value(a)) })
	for _, s := range of {
		var row []string
		for _, name := range header {
			row = append(row, s.labels[name])
		}
		rows = append(rows, append(row, inUnit(float64(int(value(s)+0.5)), "")))
	}
	return append(header, "value"), rows
}
