package config

import (
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
	switch {
	case hmac && !ok:
		o.r.refuse(member(o.path, "client_secret"), "none", secret.Form+", which the algorithms "+strings.Join(i.Algorithms, ", ")+" need")
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
		references = v.elements("a list with at least one entry, each " + secret.Form)
	}
	for _, ref := range references {
		text, ok := ref.text(secret.Form + "; a secret itself has no place here")
		if !ok {
			continue
		}
		s, err := secret.Open(text, time.Now(), o.r.opt.Logger)
		switch err {
		case nil:
			i.Secrets = append(i.Secrets, s)
		case secret.ErrNoReference:
			ref.refuse(secret.Form + "; a secret itself has no place here")
		default:
			ref.refuse(secret.Form + "; " + err.Error())
		}
	}
}
