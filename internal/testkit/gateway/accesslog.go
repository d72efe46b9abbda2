package gateway

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	logVariable = regexp.MustCompile(`\$[a-z0-9_]+`)
	// logged are the variables that the double has in its access log, beside
	// headers. There they are nginx's own and not what ctx.var remembers.
	logged = map[string]bool{"$remote_addr": true, "$request": true, "$status": true, "$upstream_addr": true}
)

func checkAccessLog(format string) error {
	for _, name := range logVariable.FindAllString(format, -1) {
		if !logged[name] && !strings.HasPrefix(name, "$http_") {
			return fmt.Errorf("the double's access log has no %s", name)
		}
	}
	return nil
}

// accessLine is a line of nginx's access log, written when the request was
// answered, with its headers as they are then.
func (req *request) accessLine(format string) string {
	return logVariable.ReplaceAllStringFunc(format, func(name string) string {
		value, there := req.evaluate(name[1:])
		if !there {
			return "-"
		}
		return escapeLogged(value)
	})
}

// escapeLogged is nginx's log_format escape=default.
func escapeLogged(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\x%02X`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
