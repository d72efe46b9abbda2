package config

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/rule"
)

// maxRules bounds what one request can cost.
const maxRules = 100

// rules reads the list of CEL expressions; each is compiled and type-checked.
func (o object) rules() []Rule {
	v, ok := o.get("rules")
	if !ok {
		return nil
	}
	const want = `an object with "expression" and maybe "message", "status", "report_only"`
	elements := v.elements("a list with at least one entry, each " + want)
	if len(elements) > maxRules {
		v.refuse("at most 100 rules")
		return nil
	}
	var rules []Rule
	for _, e := range elements {
		if r, ok := e.object(want); ok {
			rules = append(rules, r.rule())
		}
	}
	return rules
}

func (o object) rule() Rule {
	o.allow("expression", "message", "status", "report_only")
	r := Rule{ReportOnly: o.flag("report_only", false), Status: o.ruleStatus()}
	const want = "a CEL expression over claims, request and now that gives a bool"
	expression, ok := o.get("expression")
	if !ok {
		o.r.refuse(expression.path, "none", want)
	} else if text, ok := expression.text(want); ok {
		var err error
		if r.Expression, err = rule.CompileWithin(text, o.r.spend(expression.path)); err != nil && !errors.Is(err, errTooMuch) {
			o.r.refuse(expression.path, "one that does not compile ("+shorten(err.Error())+")", want)
		}
	}
	if v, ok := o.get("message"); ok {
		r.Message, _ = v.named("a text for clients in printable ASCII, at most 200 characters, not empty", func(s string) bool {
			return len(s) <= 200 && isPrintableText(s)
		})
	}
	return r
}

func (o object) ruleStatus() int {
	v, ok := o.get("status")
	switch {
	case !ok, v.json == any(json.Number("403")):
	case v.json == any(json.Number("401")):
		return 401
	default:
		v.refuse("401 or 403")
	}
	return 403
}

// claimSchema compiles a JSON Schema (draft 2020-12 where it does not say).
func (o object) claimSchema() *rule.Schema {
	v, ok := o.get("claim_schema")
	if !ok {
		return nil
	}
	const want = "a JSON Schema without references to other documents"
	all, ok := v.object(want)
	if !ok {
		return nil
	}
	s, err := rule.CompileSchemaWithin(all.members, o.r.spend(v.path))
	problems, _ := errors.AsType[rule.SchemaErrors](err)
	for _, p := range problems {
		o.r.refuse(v.path+strings.TrimPrefix(fromPointer(all.members, p.Pointer), "$"), "one that means nothing ("+p.Text+")", want)
	}
	if err != nil && problems == nil && o.r.work <= maxWork { // else it was told
		o.r.refuse(v.path, "one that does not compile ("+shorten(err.Error())+")", want)
	}
	if err != nil {
		return nil
	}
	return s
}
