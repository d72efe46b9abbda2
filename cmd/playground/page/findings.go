package page

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

type checkCall struct {
	Config string `json:"config"`
}

type checkAnswer struct {
	OK       bool      `json:"ok"`
	Findings []finding `json:"findings"`
}

// finding is one thing to say about the configuration. From and To are offsets
// in UTF-16 units, as a browser counts; absent where they are not known.
type finding struct {
	Severity string `json:"severity"` // error or warning
	Path     string `json:"path,omitempty"`
	Message  string `json:"message"`
	From     *int   `json:"from,omitempty"`
	To       *int   `json:"to,omitempty"`
}

// operator is how the playground's runner stands: its issuers speak plain http,
// and it has no Redis.
var operator = config.Options{AllowInsecure: true}

// check says what is wrong with a configuration.
func check(text string) checkAnswer {
	answer, _ := inspected(text)
	return answer
}

// inspected is check, and the configuration; nil where it has errors.
func inspected(text string) (checkAnswer, *config.Config) {
	data := []byte(text)
	report := inspect.Check([]inspect.Input{{Name: "configuration", Data: data}}, inspect.Options{Config: operator})
	answer := checkAnswer{OK: report.OK(), Findings: []finding{}}
	for _, f := range report.Findings {
		said := finding{Severity: "error", Path: f.Path, Message: f.Text}
		if f.Warning {
			said.Severity = "warning"
		}
		if start, known := offsetOf(data, f); known {
			from, to := utf16Length(data[:start]), utf16Length(data[:tokenEnd(data, start)])
			said.From, said.To = &from, &to
		}
		answer.Findings = append(answer.Findings, said)
	}
	if len(report.Entries) == 1 && report.Entries[0].Path == "$" {
		return answer, report.Entries[0].Config
	}
	if answer.OK {
		answer.OK = false
		answer.Findings = append(answer.Findings, finding{
			Severity: "error", Path: "$",
			Message: "this is no configuration of the plugin but something around one; paste the value of the entry auth0-jwt alone",
		})
	}
	return answer, nil
}

// offsetOf is where a finding points, in bytes.
func offsetOf(data []byte, f inspect.Finding) (offset int, known bool) {
	if f.Line == 0 {
		_, err := strictjson.Parse(data, strictjson.Options{OnDuplicate: func(string) {}})
		if syntax, ok := errors.AsType[*strictjson.SyntaxError](err); ok {
			return min(syntax.Offset, len(data)), true
		}
		return 0, false
	}
	for range f.Line - 1 {
		next := strings.IndexByte(string(data[offset:]), '\n')
		if next < 0 {
			return 0, false
		}
		offset += next + 1
	}
	offset += f.Column - 1
	return offset, offset <= len(data)
}

// tokenEnd is where the JSON token ends that starts at an offset: a string with
// its quotation marks, a bracket, or a number or a word.
func tokenEnd(data []byte, start int) int {
	if start >= len(data) {
		return len(data)
	}
	switch data[start] {
	case '{', '}', '[', ']', ',', ':':
		return start + 1
	case '"':
		for i := start + 1; i < len(data) && data[i] != '\n'; i++ {
			switch data[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
	}
	end := start
	for end < len(data) && strings.IndexByte(" \t\r\n,:]}\"", data[end]) < 0 {
		end++
	}
	_, size := utf8.DecodeRune(data[start:])
	return max(end, start+size)
}

// utf16Length is the length of a text in UTF-16 units.
func utf16Length(text []byte) (n int) {
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if n++; r > 0xffff {
			n++
		}
		text = text[size:]
	}
	return n
}
