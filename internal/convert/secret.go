package convert

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	nameless = regexp.MustCompile(`[^A-Za-z0-9_]`)
	// variable is a reference to the whole of a variable in APISIX's environment.
	variable = regexp.MustCompile(`^\$(?:env|ENV)://([A-Za-z_][A-Za-z0-9_]*)$`)
)

// newReference is a reference with a name of its own for each secret.
func (d *draft) newReference(name, value string) string {
	name = nameless.ReplaceAllString(name, "_")
	for n := 2; ; n++ {
		before, taken := d.names[name]
		if !taken || before == value {
			break
		}
		name = strings.TrimRight(strings.TrimRight(name, "0123456789"), "_") + "_" + strconv.Itoa(n)
	}
	d.names[name] = value
	if dir := d.opt.Config.SecretsDir; dir != "" {
		return "$file://" + path.Join(dir, name)
	}
	return "$env://" + name
}

// secret is the reference that stands for a secret of the old configuration,
// which is one itself, or a reference of APISIX's.
func (d *draft) secret(s source, in Object, key, name string, inBase64 bool) string {
	value := s.text(key)
	told := strings.ToLower(value)
	at := s.path(key)
	switch m := variable.FindStringSubmatch(value); {
	case m != nil && !inBase64:
		d.todo(at, "APISIX reads "+m[1]+" in its own environment; set it in the runner's too")
		return "$env://" + m[1]
	case strings.HasPrefix(told, "$env://"), strings.HasPrefix(told, "$secret://"):
		reference := d.newReference(name, value)
		d.todo(at, "it is a reference that the runner cannot follow: write what it leads to where "+reference+" does")
		return reference
	}
	reference := d.newReference(name, value)
	d.result.Secrets = append(d.result.Secrets, Secret{Object: in, Path: append(slices.Clone(s.at), key), Reference: reference, Base64: inBase64})
	return reference
}

// sessionSecret is a new one in any case: no session of the old plugin can be
// opened, and its secrets may be shorter than ours.
func (d *draft) sessionSecret() string {
	if m := variable.FindStringSubmatch(d.conf.object("session").text("secret")); m != nil {
		d.todo("session.secret", "set "+m[1]+" in the runner's environment too; it needs 32 bytes at least")
		return "$env://" + m[1]
	}
	reference := d.newReference("SESSION_SECRET_"+d.conf.text("client_id"), "made anew")
	const made = "openssl rand -base64 32"
	if file, ok := strings.CutPrefix(reference, "$file://"); ok {
		d.todo("session.secret", "make a new one: (umask 077; "+made+" > "+file+")")
	} else {
		d.todo("session.secret", "make a new one for the runner's environment: export "+strings.TrimPrefix(reference, "$env://")+`="$(`+made+`)"`)
	}
	return reference
}
