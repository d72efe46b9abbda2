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
	references := []value{v}
	if _, isList := v.json.([]any); isList {
		references = v.elements("a list with at least one entry, each " + form)
	}
	for _, ref := range references {
		text, ok := ref.text(form + "; a secret itself has no place here")
		if !ok {
			continue
		}
		s, err := secret.Open(text, secret.Options{
			MinLen: minLen, Dir: o.r.opt.SecretsDir, Now: time.Now(), Logger: o.r.opt.Logger,
		})
		switch err {
		case nil:
			i.Secrets = append(i.Secrets, s)
		case secret.ErrNoReference:
			ref.refuse(form + "; a secret itself has no place here")
		default:
			o.r.refuseNow(ref.path, kind(ref.json), form+"; "+err.Error())
		}
	}
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
