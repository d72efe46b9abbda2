package forge

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Base64URL is base64url without padding (RFC 7515 section 2).
func Base64URL[T ~string | ~[]byte](v T) string {
	return base64.RawURLEncoding.EncodeToString([]byte(v))
}

// JSON is the text of v, for a test that has a map and needs no text of its own.
func JSON(v any) string { return string(must(json.Marshal(v))) }

// Seconds is the JSON text of a NumericDate (RFC 7519 section 2), in whole
// seconds.
func Seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

// Header is a JOSE header: alg and kid, which "" leaves out, then members as
// JSON text, such as `"typ":"at+jwt"`.
func Header(alg, kid string, members ...string) string {
	if kid != "" {
		members = slices.Insert(members, 0, `"kid":`+strconv.Quote(kid))
	}
	if alg != "" {
		members = slices.Insert(members, 0, `"alg":`+strconv.Quote(alg))
	}
	return "{" + strings.Join(members, ",") + "}"
}

// Claims are those of a good access token of the user auth0|alice, issued a
// minute before now and good for an hour, with changes: see Object.
func Claims(issuer, audience string, now time.Time, changes ...string) string {
	return Object(append([]string{
		"iss", strconv.Quote(issuer), "aud", strconv.Quote(audience), "sub", `"auth0|alice"`,
		"exp", Seconds(now.Add(time.Hour)), "iat", Seconds(now.Add(-time.Minute)),
	}, changes...)...)
}

// Object is a JSON object of pairs of a name and a JSON text. A later pair
// takes the place of an earlier one of its name; "" takes the member out.
func Object(pairs ...string) string {
	var names []string
	values := map[string]string{}
	for pair := range slices.Chunk(pairs, 2) {
		if !slices.Contains(names, pair[0]) {
			names = append(names, pair[0])
		}
		values[pair[0]] = pair[1]
	}
	var members []string
	for _, name := range names {
		if values[name] != "" {
			members = append(members, strconv.Quote(name)+":"+values[name])
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// And adds a member to a JSON object's text, even if it is there already.
func And(object, member string) string {
	return strings.TrimSuffix(object, "}") + "," + member + "}"
}
