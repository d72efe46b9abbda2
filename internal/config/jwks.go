package config

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/jwk"
)

// maxKeys bounds how many keys the sets of one document have together. Each is
// read twice, here and when the policy is made: 500 on P-521, the most costly
// ones, take 10 to 20 ms of a core.
const maxKeys = 500

// maxUnused bounds how many keys of one set are warned of one by one.
const maxUnused = 10

// unused is a key that verifies nothing, and why.
type unused struct {
	key    value
	reason error
}

// jwks reads a JWK Set (RFC 7517 section 5) with at least one key that can
// verify a signature, and gives it as JSON.
func (v value) jwks(i *Issuer) []byte {
	const want = `a JWK Set: an object with a list of public keys, "keys"`
	v.hidden = true
	o, ok := v.object(want)
	if !ok {
		return nil
	}
	keys, ok := o.get("keys")
	if !ok {
		v.refuse(want)
		return nil
	}
	list := keys.elements("a list with at least one public key")
	if v.r.keys += len(list); v.r.keys > maxKeys {
		keys.refuse("at most " + strconv.Itoa(maxKeys) + " keys in all sets of a configuration, because each takes time to read")
		return nil
	}
	usable, rest, ok := publicKeys(list)
	if !ok || len(usable) == 0 {
		return nil
	}
	keys.warnUnused(rest)
	if !slices.ContainsFunc(usable, func(key jwk.Key) bool { return slices.ContainsFunc(i.Algorithms, key.Fits) }) {
		v.r.warn(keys.path, "no key fits any of the algorithms "+strings.Join(i.Algorithms, ", ")+": every token will be refused")
	}
	document, err := json.Marshal(v.json)
	if err != nil {
		v.refuse(want)
	}
	return document
}

// publicKeys judges the keys of a set. Secrets are refused, for ok to be false;
// other keys may be of no use beside one that is (RFC 7517 section 5).
func publicKeys(list []value) (usable []jwk.Key, rest []unused, ok bool) {
	ok = true
	for _, v := range list {
		members, _ := v.json.(map[string]any)
		switch key, err := jwk.Parse(members); {
		case err == nil:
			usable = append(usable, key)
		case errors.Is(err, jwk.ErrPrivate), errors.Is(err, jwk.ErrSymmetric):
			v.refuseSecrets()
			ok = false
		default:
			rest = append(rest, unused{v, err})
		}
	}
	if len(usable) == 0 {
		for _, u := range rest {
			u.key.refuse("a usable public key: the list has none, and here " + u.reason.Error())
		}
	}
	return usable, rest, ok
}

// refuseSecrets names every member of a private or symmetric key that has to be
// taken out.
func (v value) refuseSecrets() {
	o, _ := v.object("")
	for _, name := range jwk.Secrets(o.members) {
		m, _ := o.get(name)
		m.refuseHidden("public keys only: take this private or symmetric key out, and replace it everywhere")
	}
	if kty, _ := o.get("kty"); kty.json == "oct" {
		kty.refuse(`a public key: "RSA", "EC" or "OKP"; symmetric keys are refused here`)
	}
}

// warnUnused names the keys of a set that verify nothing.
func (v value) warnUnused(rest []unused) {
	for i, u := range rest {
		if i == maxUnused {
			v.r.warn(v.path, strconv.Itoa(len(rest)-i)+" more keys are not used")
			return
		}
		v.r.warn(u.key.path, "not used: "+u.reason.Error())
	}
}
