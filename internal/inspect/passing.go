package inspect

import (
	"fmt"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// identityHeaders are the names of the headers that a configuration sets.
func identityHeaders(c *config.Config) (names []string) {
	for _, h := range c.ClaimHeaders {
		names = append(names, h.Name)
	}
	if c.ClaimsHeader != "" {
		names = append(names, c.ClaimsHeader)
	}
	return names
}

// judging are the configurations without errors that judge a route's requests and
// set identity headers.
func (r *Report) judging(about *resource) (entries []*Entry) {
	if about.kind != "routes" {
		return nil
	}
	all, _ := r.governing(about)
	for _, i := range all {
		if e := &r.Entries[i]; e.Config != nil && len(identityHeaders(e.Config)) > 0 {
			entries = append(entries, e)
		}
	}
	return entries
}

// connectionHeader warns of routes whose upstream gets the client's Connection
// header, which APISIX removes elsewhere. A rule that asks for it may refuse it.
func (r *Report) connectionHeader() {
	for _, about := range r.resources {
		at, open := about.member(about.node, "enable_websocket")
		if service := r.resource("services", about.node.string("service_id")); open == nil && service != nil {
			at, open = service.member(service.node, "enable_websocket")
		}
		if !open.isTrue() {
			continue
		}
		for _, e := range r.judging(about) {
			if !asksForConnection(e) {
				r.warn(at, fmt.Sprintf(`APISIX passes the client's Connection header on here, and a proxy behind it removes the headers that Connection names, which may be %s: add the rule for Connection of docs/recipes.md, "WebSocket"`,
					identityHeaders(e.Config)[0]))
				break
			}
		}
	}
}

// asksForConnection reports whether a rule that may deny names the header.
func asksForConnection(e *Entry) bool {
	document, _ := readJSON(e.Raw)
	rules := document.get("rules")
	if rules == nil {
		return false
	}
	for _, rule := range rules.elements {
		if !rule.get("report_only").isTrue() && strings.Contains(strings.ToLower(rule.string("expression")), "connection") {
			return true
		}
	}
	return false
}

// identityInVars warns of routes that are chosen by a header that the plugin sets
// only later.
func (r *Report) identityInVars() {
	for _, about := range r.resources {
		at, vars := about.member(about.node, "vars")
		if vars == nil {
			continue
		}
		for _, e := range r.judging(about) {
			for _, name := range identityHeaders(e.Config) {
				variable := "http_" + strings.ReplaceAll(strings.ToLower(name), "-", "_")
				if vars.compares(variable) {
					r.warn(at, fmt.Sprintf(`%s is read before the plugin sets %s: it is what the client sent, and APISIX remembers that for later plugins too; see the beginning of docs/recipes.md`,
						variable, name))
				}
			}
		}
	}
}

// compares reports whether an expression of APISIX's, [VARIABLE, OPERATOR, VALUE] or
// a list of such, compares the variable.
func (n *node) compares(variable string) bool {
	if n.kind != list || len(n.elements) == 0 {
		return false
	}
	if first := n.elements[0]; first.kind == text && first.text == variable {
		return true
	}
	for _, e := range n.elements {
		if e.compares(variable) {
			return true
		}
	}
	return false
}
