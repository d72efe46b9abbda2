// Package openredirect has the texts that lead browsers to another site where a
// check of a path is careless, and knows where a browser goes by a Location. It must
// not know what the product makes of them.
package openredirect

import (
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// attacksText has one Go string a line; # begins a comment.
//
//go:embed attacks.txt
var attacksText string

// Attacks are the texts.
func Attacks() (list []string) {
	for line := range strings.Lines(attacksText) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		text, err := strconv.Unquote(line)
		if err != nil {
			panic(fmt.Sprintf("attacks.txt: %s: %v", line, err))
		}
		list = append(list, text)
	}
	return list
}

var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

// Origin is where a browser goes by a Location from a page of an origin: as the URL
// Standard of the WHATWG reads it, as far as origins go. A browser strips what is no
// more than white space at the ends, drops tabs and line breaks, and takes "\" for
// "/".
func Origin(from, location string) string {
	s := strings.TrimFunc(location, func(r rune) bool { return r <= ' ' })
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	before, _, _ := strings.Cut(s, "?")
	before, _, _ = strings.Cut(before, "#")
	before = strings.ReplaceAll(before, `\`, "/")
	name := scheme.FindString(before)
	rest := before[len(name):]
	if name == "" && !strings.HasPrefix(rest, "//") {
		return from
	}
	host, _, _ := strings.Cut(strings.TrimLeft(rest, "/"), "/")
	host = host[strings.LastIndex(host, "@")+1:]
	if name == "" {
		name, _, _ = strings.Cut(from, "//")
	}
	return strings.ToLower(name) + "//" + host
}
