package page

import "strings"

// challenge is one of a WWW-Authenticate header (RFC 9110 section 11.6.1), read
// apart.
type challenge struct {
	Scheme string      `json:"scheme"`
	Params [][2]string `json:"params"`
}

// challenges reads a header that may have several. A parameter is a word, an equal
// sign and a value; any other word begins the next challenge.
func challenges(header string) (list []challenge) {
	rest := header
	for {
		rest = strings.TrimLeft(rest, " ,\t")
		if rest == "" {
			return list
		}
		word := rest
		if end := strings.IndexAny(rest, " ,=\t"); end >= 0 {
			word = rest[:end]
		}
		rest = rest[len(word):]
		value, more, isParam := paramValue(rest)
		switch {
		case !isParam && word == "":
			return list // an equal sign that nothing stands before
		case !isParam:
			list = append(list, challenge{word, [][2]string{}})
		case len(list) == 0:
			return nil
		default:
			last := &list[len(list)-1]
			last.Params = append(last.Params, [2]string{word, value})
		}
		rest = more
	}
}

// paramValue is the value behind a parameter's name, and what follows.
func paramValue(text string) (value, rest string, ok bool) {
	behind := strings.TrimLeft(text, " \t")
	if !strings.HasPrefix(behind, "=") {
		return "", text, false
	}
	behind = strings.TrimLeft(behind[1:], " \t")
	if !strings.HasPrefix(behind, `"`) {
		end := strings.IndexAny(behind, " ,\t")
		if end < 0 {
			end = len(behind)
		}
		return behind[:end], behind[end:], true
	}
	var b strings.Builder
	for i := 1; i < len(behind); i++ {
		switch behind[i] {
		case '"':
			return b.String(), behind[i+1:], true
		case '\\':
			if i++; i < len(behind) {
				b.WriteByte(behind[i])
			}
		default:
			b.WriteByte(behind[i])
		}
	}
	return b.String(), "", true
}
