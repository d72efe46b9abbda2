package inspect

import (
	"fmt"
	"strings"
)

// reserved are claims that an Action sets in vain: Auth0 drops them without a word.
// The list is Auth0's own, from its page "Create Custom Claims".
var reserved = []string{
	"acr", "act", "active", "amr", "at_hash", "ath", "attest", "aud", "auth_time", "authorization_details", "azp", "c_hash",
	"client_id", "cnf", "cty", "dest", "entitlements", "events", "exp", "groups", "gty", "htm", "htu", "iat", "internalService",
	"iss", "jcard", "jku", "jti", "jwe", "jwk", "kid", "may_act", "mky", "nbf", "nonce", "object_id", "org_id", "org_name",
	"orig", "origid", "permissions", "roles", "rph", "s_hash", "sid", "sip_callid", "sip_cseq_num", "sip_date", "sip_from_tag",
	"sip_via_branch", "sub", "sub_jwk", "toe", "txn", "typ", "uuid", "vot", "vtm", "x5t#S256",
}

func underNamespace(name string) string {
	return fmt.Sprintf("what to do: add it under a namespace in an Action, such as api.accessToken.setCustomClaim(\"https://example.com/%s\", …)", name)
}

// noStepUp names the claims that a step-up looked for in vain. An Auth0 tenant's
// access tokens never have them.
func (s *subject) noStepUp() []string {
	var missing []string
	for _, asked := range []struct {
		claim string
		is    bool
	}{
		{"amr", s.Config.RequireMFA}, {"acr", len(s.Config.ACRValues) > 0}, {"auth_time", s.Config.MaxAuthAge > 0},
	} {
		if _, there := s.tok.Claims[asked.claim]; asked.is && !there {
			missing = append(missing, asked.claim)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return []string{
		"the token has no claim " + strings.Join(missing, ", "),
		"Auth0 puts amr, acr and auth_time into ID tokens alone, and drops custom claims of these names: " + underNamespace(missing[0]) +
			", and ask for that name in claims or rules; or, with login, judge the ID token (subject_token)",
	}
}
