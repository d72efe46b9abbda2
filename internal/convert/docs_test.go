package convert_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/convert"
)

var tables = regexp.MustCompile(`(?s)(<!-- keys: ([a-z, -]+) -->\n).*?(<!-- /keys -->)`)

// TestTheTablesOfComingFromAreThoseOfConvert: the document's tables of keys are
// made of the rows that the conversion knows.
func TestTheTablesOfComingFromAreThoseOfConvert(t *testing.T) {
	const path = "../../docs/coming-from.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]convert.Row{
		"openid-connect, tokens": convert.BearerRows(), "openid-connect, sessions": convert.SessionRows(), "jwt-auth": convert.JWTAuthRows(),
	}
	happens := tables.ReplaceAllStringFunc(string(page), func(block string) string {
		m := tables.FindStringSubmatch(block)
		table := rows[m[2]]
		delete(rows, m[2])
		return m[1] + convert.Table(table) + m[3]
	})
	if len(rows) > 0 {
		t.Errorf("the document has no table of %v", rows)
	}
	if *update {
		if err := os.WriteFile(path, []byte(happens), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(string(page), "\n"), strings.Split(happens, "\n")); diff != "" {
		t.Errorf("rewritten by -update (-document +rows):\n%s", diff)
	}
}

// schemas are the keys of both plugins in APISIX 3.18
// (apisix/plugins/openid-connect.lua and jwt-auth.lua), but for what stands in
// session.redis and proxy_opts.
var schemas = map[string]string{
	convert.OpenIDConnect: `client_id client_secret discovery scope ssl_verify timeout introspection_endpoint
		introspection_endpoint_auth_method token_endpoint_auth_method bearer_only session.secret session.cookie_name
		session.cookie_path session.cookie_domain session.cookie_secure session.cookie_http_only session.cookie_same_site
		session.idling_timeout session.rolling_timeout session.absolute_timeout session.cookie session.storage session.redis
		realm claim_validator.issuer.valid_issuers claim_validator.audience.claim claim_validator.audience.required
		claim_validator.audience.match_with_client_id logout_path redirect_uri post_logout_redirect_uri unauth_action
		session_contents public_key use_jwks token_signing_alg_values_expected use_pkce par.enabled par.endpoint
		par.endpoint_auth_method dpop.enabled dpop.signing_alg dpop.private_key dpop.public_jwk set_access_token_header
		access_token_in_authorization_header set_id_token_header set_raw_id_token_header set_userinfo_header
		set_refresh_token_header proxy_opts authorization_params client_rsa_private_key client_rsa_private_key_id
		client_jwt_assertion_expires_in client_jwt_assertion_alg client_jwt_assertion_audience
		renew_access_token_on_expiry access_token_expires_in refresh_session_interval iat_slack accept_none_alg
		accept_unsupported_alg access_token_expires_leeway force_reauthorize use_nonce revoke_tokens_on_logout
		jwk_expires_in jwt_verification_cache_ignore cache_segment introspection_interval introspection_expiry_claim
		introspection_addon_headers required_scopes claim_schema`,
	convert.JWTAuth: `header query cookie hide_credentials key_claim_name store_in_ctx realm anonymous_consumer
		claims_to_verify key secret public_key algorithm exp base64_secret lifetime_grace_period`,
}

func TestEveryKeyOfThePluginsHasARow(t *testing.T) {
	rows := map[string][]convert.Row{
		convert.OpenIDConnect: slices.Concat(convert.BearerRows(), convert.SessionRows()), convert.JWTAuth: convert.JWTAuthRows(),
	}
	for plugin, schema := range schemas {
		keys := strings.Fields(schema)
		for _, key := range keys {
			if !slices.ContainsFunc(rows[plugin], func(r convert.Row) bool { return slices.Contains(r.Keys, key) }) {
				t.Errorf("%s: no row has %s", plugin, key)
			}
		}
		for _, row := range rows[plugin] {
			for _, key := range row.Keys {
				if !slices.Contains(keys, key) && !slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, key+".") }) {
					t.Errorf("%s has no %s", plugin, key)
				}
			}
		}
	}
}
