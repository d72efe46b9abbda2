package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// maxShown is how much of a text of the document an error repeats, in runes.
const maxShown = 100

// member is the path of an object's member.
func member(path, key string) string {
	if len(key) <= maxShown && plainKey.MatchString(key) {
		return path + "." + key
	}
	return path + "[" + quote(key) + "]"
}

// element is the path of a list's element.
func element(path string, i int) string {
	return path + "[" + strconv.Itoa(i) + "]"
}

// quote makes text safe for one line of a log.
func quote(text string) string {
	text = text[:min(len(text), (maxShown+1)*utf8.UTFMax)]
	if runes := []rune(text); len(runes) > maxShown {
		text = string(runes[:maxShown]) + "…"
	}
	return strconv.Quote(text)
}

// fromPointer turns a JSON Pointer into the document into a JSON path. Only
// the document tells an index from a member whose name is a number.
func fromPointer(document any, pointer string) string {
	path := "$"
	at := document
	if pointer == "" {
		return path
	}
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		list, isList := at.([]any)
		if !isList {
			members, _ := at.(map[string]any)
			path, at = member(path, token), members[token]
			continue
		}
		i, err := strconv.Atoi(token)
		path, at = path+"["+token+"]", nil
		if err == nil && i >= 0 && i < len(list) {
			at = list[i]
		}
	}
	return path
}

// position is the line and column (both from 1, the column in bytes) of an
// offset.
func position(data []byte, offset int) string {
	before := string(data[:min(max(offset, 0), len(data))])
	line := strings.Count(before, "\n") + 1
	return fmt.Sprintf("line %d, column %d", line, len(before)-strings.LastIndexByte(before, '\n'))
}
