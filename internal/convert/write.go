package convert

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Name is what the object is called in what is written.
func (o Object) Name() string {
	kind := o.Kind
	if singular, ok := singular[kind]; ok {
		kind = singular
	}
	if o.ID == "" {
		return kind + " without id"
	}
	return kind + " " + printable(o.ID)
}

// printable is text of an object without what would move a terminal's cursor, or
// turn the direction of its text.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// shown is JSON with such characters escaped, which stand in strings alone.
func shown(text []byte) []byte {
	isOne := func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) }
	if bytes.IndexFunc(text, isOne) < 0 {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if !isOne(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.Bytes()
}

var singular = map[string]string{
	"routes": "route", "services": "service", "plugin_configs": "plugin config", "global_rules": "global rule", "consumers": "consumer",
}

// WriteText writes what there is to say about a result; more is what to do
// beside.
func (r Result) WriteText(w io.Writer, more ...Note) error {
	outcome := "converted"
	if r.Body == nil {
		outcome = "not converted"
	}
	if _, err := fmt.Fprintf(w, "%s, %s: %s\n", r.Name(), r.Plugin, outcome); err != nil {
		return err
	}
	sections := []section{{"why not", r.Problems}}
	if r.Body != nil {
		sections = []section{{"does not carry over", r.Lost}, {"becomes stricter", r.Stricter}, {"to do before", append(r.Todo, more...)}}
	}
	for _, s := range sections {
		if err := s.write(w); err != nil {
			return err
		}
	}
	return nil
}

type section struct {
	title string
	notes []Note
}

func (s section) write(w io.Writer) error {
	for i, n := range s.notes {
		if i == 0 {
			if _, err := fmt.Fprintf(w, "  %s\n", s.title); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(w, "    %s: %s\n", printable(n.Key), printable(n.Text)); err != nil {
			return err
		}
	}
	return nil
}
