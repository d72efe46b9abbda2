package inspect

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// WriteText writes the findings, one a line.
func (r *Report) WriteText(w io.Writer) error {
	out := &printer{w: w}
	for _, f := range r.Findings {
		out.printf("%s: %s", f.Input, f)
		if f.Line > 0 {
			out.printf(" (line %d, column %d)", f.Line, f.Column)
		}
		out.printf("\n")
	}
	return out.err
}

// jsonFinding is a finding as [Report.WriteJSON] writes it.
type jsonFinding struct {
	File     string `json:"file"`
	Severity string `json:"severity"` // error or warning
	Path     string `json:"path"`
	Message  string `json:"message"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
}

func (f Finding) severity() string {
	if f.Warning {
		return "warning"
	}
	return "error"
}

// WriteJSON writes one object: ok, and the list of findings.
func (r *Report) WriteJSON(w io.Writer) error {
	findings := []jsonFinding{}
	for _, f := range r.Findings {
		findings = append(findings, jsonFinding{f.Input, f.severity(), f.Path, f.Text, f.Line, f.Column})
	}
	return writeJSON(w, struct {
		OK       bool          `json:"ok"`
		Findings []jsonFinding `json:"findings"`
	}{r.OK(), findings})
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// WriteGitHub writes the findings as workflow commands, which GitHub shows
// beside the lines that they are about.
func (r *Report) WriteGitHub(w io.Writer) error {
	out := &printer{w: w}
	for _, f := range r.Findings {
		said := f.Text
		if f.Path != "" {
			said = f.Path + ": " + said
		}
		out.printf("%s\n", annotation(f.severity(), f.Input, f.Line, f.Column, said))
	}
	return out.err
}

var (
	commandData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	commandProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// annotation is a workflow command that shows a message beside a line.
func annotation(severity, file string, line, column int, message string) string {
	var properties []string
	if file != "-" {
		properties = append(properties, "file="+commandProperty.Replace(file))
		if line > 0 {
			properties = append(properties, fmt.Sprintf("line=%d,col=%d", line, column))
		}
	}
	head := "::" + severity
	if len(properties) > 0 {
		head += " " + strings.Join(properties, ",")
	}
	return head + "::" + commandData.Replace(message)
}
