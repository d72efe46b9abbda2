package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

// keyGroups are the keys as the reference has them: by what a reader looks for.
var keyGroups = []struct {
	title string
	keys  []string
}{
	{"Whose tokens", []string{"domain", "issuer", "issuers", "audience", "audience_match"}},
	{"Keys and algorithms", []string{"algorithms", "discovery", "jwks_uri", "jwks", "client_secret", "ssl_verify"}},
	{"The token", []string{"token_from", "token_profile", "leeway", "max_token_age", "dpop", "dpop_public_base_url", "mtls"}},
	{"Who may call", []string{
		"required_scopes", "scopes_match", "required_permissions", "permissions_match", "organizations", "allowed_clients",
		"require_mfa", "acr_values", "max_auth_age", "claims", "claim_schema", "rules",
	}},
	{"What the upstream gets", []string{"claim_headers", "claims_header", "token_header", "forward_token", "strip_headers"}},
	{"Requests without a token", []string{"unauth_action", "bypass_cors_preflight", "login"}},
	{"Answers, logs and metrics", []string{"error_format", "realm", "resource_metadata", "protected_resource", "name"}},
}

// node is what the reference says of a part of the schema.
type node struct {
	Ref                  string          `json:"$ref"`
	Type                 any             `json:"type"`
	Description          string          `json:"description"`
	Default              json.RawMessage `json:"default"`
	Enum                 []any           `json:"enum"`
	Const                any             `json:"const"`
	Pattern              string          `json:"pattern"`
	OneOf                []node          `json:"oneOf"`
	Items                *node           `json:"items"`
	Properties           ordered         `json:"properties"`
	Required             []string        `json:"required"`
	AdditionalProperties json.RawMessage `json:"additionalProperties"`
	Else                 *node           `json:"else"`
}

// ordered are members in the order of the file.
type ordered []member

type member struct {
	name string
	node node
}

func (o *ordered) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var n node
		if err := d.Decode(&n); err != nil {
			return err
		}
		*o = append(*o, member{name.(string), n})
	}
	return nil
}

func (o ordered) named(t *testing.T, name string) node {
	t.Helper()
	i := slices.IndexFunc(o, func(m member) bool { return m.name == name })
	if i < 0 {
		t.Fatalf("the schema has no %s", name)
	}
	return o[i].node
}

func TestTheReferenceSaysOfEveryKeyWhatTheSchemaSays(t *testing.T) {
	var schema node
	if err := json.Unmarshal(config.Schema, &schema); err != nil {
		t.Fatal(err)
	}
	const file = "../../docs/reference.md"
	document, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	login := schema.Properties.named(t, "login")
	happens := string(document)
	for name, text := range map[string]string{
		"all":                reference(t, schema),
		"login":              table(t, login),
		"login.session":      table(t, login.Properties.named(t, "session")),
		"protected_resource": table(t, schema.Properties.named(t, "protected_resource")),
	} {
		place := regexp.MustCompile(`(?s)<!-- keys ` + regexp.QuoteMeta(name) + ` -->\n.*?<!-- /keys -->`)
		if n := len(place.FindAllString(happens, -1)); n != 1 {
			t.Fatalf("docs/reference.md has %d places for the keys %s", n, name)
		}
		happens = place.ReplaceAllLiteralString(happens, "<!-- keys "+name+" -->\n"+text+"<!-- /keys -->")
	}
	if *update {
		if err := os.WriteFile(file, []byte(happens), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(string(document), "\n"), strings.Split(happens, "\n")); diff != "" {
		t.Errorf("docs/reference.md, rewritten by -update (-document +schema):\n%s", diff)
	}
}

// reference are the keys at the top, group by group.
func reference(t *testing.T, schema node) string {
	t.Helper()
	var b strings.Builder
	shown := 0
	for _, group := range keyGroups {
		fmt.Fprintf(&b, "### %s\n\n", group.title)
		for _, key := range group.keys {
			shown++
			n := schema.Properties.named(t, key)
			lead := meta(n, slices.Contains(schema.Else.Else.Required, key))
			fmt.Fprintf(&b, "#### `%s`\n\n%s\n", key, wrapped("*"+capital(lead)+".* "+described(t, key, n)+" [Example](keys.md#"+key+")."))
			if key == "issuers" {
				var names []string
				for _, m := range n.Items.Properties {
					names = append(names, "[`"+m.name+"`](#"+m.name+")")
				}
				fmt.Fprintf(&b, "%s\n", wrapped("An entry takes "+strings.Join(names, ", ")+"."))
			}
			if inner := entries(t, n); key != "issuers" && key != "login" && key != "protected_resource" && inner != nil {
				b.WriteString(table(t, *inner) + "\n")
			}
		}
	}
	if shown != len(schema.Properties) {
		t.Errorf("the reference has %d of %d keys", shown, len(schema.Properties))
	}
	return b.String()
}

// entries is the object that a list or a map of n consists of, nil for others.
func entries(t *testing.T, n node) *node {
	t.Helper()
	if n.Items != nil && n.Items.Properties != nil {
		return n.Items
	}
	var values node
	if len(n.AdditionalProperties) == 0 || n.AdditionalProperties[0] != '{' {
		return nil
	}
	if err := json.Unmarshal(n.AdditionalProperties, &values); err != nil {
		t.Fatal(err)
	}
	for i := range values.OneOf {
		if values.OneOf[i].Properties != nil {
			return &values.OneOf[i]
		}
	}
	return nil
}

func table(t *testing.T, n node) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("| key | value | what it does |\n| --- | --- | --- |\n")
	for _, m := range n.Properties {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", m.name, meta(m.node, slices.Contains(n.Required, m.name)), described(t, m.name, m.node))
	}
	return b.String()
}

func described(t *testing.T, name string, n node) string {
	t.Helper()
	if !strings.HasSuffix(n.Description, ".") {
		t.Errorf("the schema does not describe %s in whole sentences: %q", name, n.Description)
	}
	return n.Description
}

// meta is the type of a value, and its default.
func meta(n node, required bool) string {
	text := kind(n)
	switch {
	case required:
		text += ", required"
	case n.Default != nil:
		var compact bytes.Buffer
		if err := json.Compact(&compact, n.Default); err != nil {
			panic(err)
		}
		text += ", default `" + strings.Trim(compact.String(), `"`) + "`"
	}
	return text
}

func kind(n node) string {
	switch {
	case n.Ref == "#/$defs/duration":
		return "duration"
	case n.Ref == "#/$defs/secret":
		return "reference"
	case len(n.Enum) > 0:
		return choice(n.Enum)
	case n.Const != nil:
		return choice([]any{n.Const})
	case len(n.OneOf) > 0 && n.Type == nil:
		kinds := make([]string, 0, len(n.OneOf))
		for _, one := range n.OneOf {
			kinds = append(kinds, kind(one))
		}
		return strings.Join(kinds, " or ")
	}
	switch n.Type {
	case "array":
		if n.Items == nil {
			return "list of any values"
		}
		return "list of " + plural(*n.Items)
	case "string":
		switch {
		case strings.HasPrefix(n.Pattern, "^https?://"):
			return "URL"
		case strings.HasPrefix(n.Pattern, "^/"):
			return "path"
		}
		return "string"
	case nil:
		return "any value"
	}
	return n.Type.(string)
}

func plural(n node) string {
	switch of := kind(n); of {
	case "string", "reference", "object", "URL":
		return of + "s"
	default:
		return of
	}
}

func choice(values []any) string {
	var quoted []string
	for _, v := range values {
		quoted = append(quoted, fmt.Sprintf("`%v`", v))
	}
	if last := len(quoted) - 1; last > 0 {
		return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
	}
	return quoted[0]
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// wrapped has lines of 88 characters at most, as the rest of the page has.
func wrapped(text string) string {
	var b strings.Builder
	width := 0
	for _, word := range strings.Fields(text) {
		switch {
		case width == 0:
		case width+1+len(word) > 88:
			b.WriteString("\n")
			width = 0
		default:
			b.WriteString(" ")
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	return b.String() + "\n"
}
