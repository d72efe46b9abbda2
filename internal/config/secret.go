package config

import (
	"strconv"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
)

// clientSecret reads client_secret, a reference or a list of them, any of which
// may verify, so that a secret can be changed without a gap. It goes with HS
// algorithms, and with them alone.
func (o object) clientSecret(i *Issuer) {
	v, ok := o.get("client_secret")
	hmac := jwk.IsHMAC(i.Algorithms[0])
	minLen, form := leastSecret(i.Algorithms)
	switch {
	case hmac && !ok:
		o.r.refuse(member(o.path, "client_secret"), "none", form+", which the algorithms "+strings.Join(i.Algorithms, ", ")+" need")
		return
	case !ok:
		return
	}
	v.hidden = true
	if !hmac {
		v.refuse("nothing without HS256, HS384 or HS512 in algorithms")
	}
	for _, key := range o.given(keySources...) {
		source, _ := o.get(key)
		source.refuseHidden("nothing beside client_secret: HS tokens are not verified with public keys")
	}
	i.Secrets = v.secrets(form, secret.Options{MinLen: minLen})
}

// maxSecrets bounds how many files one key makes the runner read.
const maxSecrets = 16

// secrets reads a reference or a list of references.
func (v value) secrets(form string, opt secret.Options) (all []*secret.Secret) {
	v.hidden = true
	references := []value{v}
	if _, isList := v.json.([]any); isList {
		references = v.elements("a list with at least one entry, each " + form)
	}
	if len(references) > maxSecrets {
		v.refuse("at most " + strconv.Itoa(maxSecrets) + " references")
		return nil
	}
	for _, ref := range references {
		if s := ref.secret(form, opt); s != nil {
			all = append(all, s)
		}
	}
	return all
}

// secret reads a reference; nil is a problem that was told.
func (v value) secret(form string, opt secret.Options) *secret.Secret {
	v.hidden = true
	text, ok := v.text(form + "; a secret itself has no place here")
	if !ok {
		return nil
	}
	opt.Dir, opt.Now, opt.Logger = v.r.opt.SecretsDir, time.Now(), v.r.opt.Logger
	s, err := secret.Open(text, opt)
	switch err {
	case nil:
		return s
	case secret.ErrNoReference:
		v.refuse(form + "; a secret itself has no place here")
	default:
		v.r.refuseNow(v.path, kind(v.json), form+"; "+err.Error())
	}
	return nil
}

// leastSecret is how many bytes a secret needs for the most demanding of the
// algorithms, and how to write a reference to one.
func leastSecret(algorithms []string) (minLen int, form string) {
	minLen, needs := secret.MinLen, ""
	for _, alg := range algorithms {
		if n := jwk.MinSecret(alg); n >= minLen {
			minLen, needs = n, " for "+alg
		}
	}
	return minLen, "a reference to a secret of at least " + strconv.Itoa(minLen) + " bytes" + needs + ", " + secret.Form
}
