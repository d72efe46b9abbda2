package main

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/convert"
)

// moves are the commands that take secrets out of an object to where its
// references lead. They name where a secret is, and never hold one.
func (c *converting) moves(r convert.Result) (notes []convert.Note) {
	for _, s := range r.Secrets {
		command := c.reads(s)
		if s.Base64 {
			command += " | base64 -d"
		}
		key := s.Path[len(s.Path)-1]
		if s.Object.Number != r.Number {
			key += " of " + s.Object.Name()
		}
		if file, ok := strings.CutPrefix(s.Reference, "$file://"); ok {
			notes = append(notes, convert.Note{Key: key, Text: "move it: (umask 077; " + command + " > " + shellQuoted(file) + ")"})
			continue
		}
		notes = append(notes, convert.Note{Key: key, Text: "move it into the runner's environment: export " + strings.TrimPrefix(s.Reference, "$env://") + `="$(` + command + `)"`})
	}
	return notes
}

// reads is the command that prints a secret.
func (c *converting) reads(s convert.Secret) string {
	o := c.objects[s.Object.Number]
	var data []byte
	for _, d := range c.documents {
		if d.Name == o.Input {
			data = d.Data
		}
	}
	within := jqPath(s.Path)
	whole := strings.TrimPrefix(o.Path, "$") + within
	if strings.HasPrefix(whole, "[") {
		whole = "." + whole
	}
	switch start := bytes.TrimSpace(data); {
	case c.admin != "" && strings.HasPrefix(o.Input, c.admin):
		return `curl -fsS -H "X-API-KEY: $APISIX_ADMIN_KEY" ` + shellQuoted(o.Input+"/"+o.ID) + " | jq -r " + shellQuoted(".value"+within)
	case o.Input == "-":
		return "jq -r " + shellQuoted(whole) // of the same standard input
	case len(start) > 0 && (start[0] == '{' || start[0] == '['):
		return "jq -r " + shellQuoted(whole) + " " + shellQuoted(o.Input)
	default:
		return "yq -r " + shellQuoted(whole) + " " + shellQuoted(o.Input)
	}
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func jqPath(names []string) string {
	var b strings.Builder
	for _, name := range names {
		if plainName.MatchString(name) {
			b.WriteString("." + name)
		} else {
			b.WriteString("[" + strconv.Quote(name) + "]")
		}
	}
	return b.String()
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// shellQuoted is one word of a POSIX shell.
func shellQuoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
