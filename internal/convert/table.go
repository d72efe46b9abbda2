package convert

import (
	"slices"
	"strings"
)

// Row says what becomes of some keys of a plugin, in Markdown. The tables of
// docs/coming-from.md are made of rows.
type Row struct {
	Keys    []string // of the old plugin, with a dot before what is inside
	Behind  string   // the keys, in their cell
	Ours    string
	Differs string
}

// BearerRows are the keys of openid-connect that are about bearer tokens.
func BearerRows() []Row {
	return []Row{
		{Keys: []string{"discovery"}, Ours: "`domain` or `issuer`", Differs: "the document is found by the issuer's name, and its `issuer` has to match"},
		{Keys: []string{"use_jwks", "bearer_only"}, Ours: "always so"},
		{Keys: []string{"public_key"}, Ours: "`jwks`", Differs: "a JWKS instead of PEM; a token that names a `kid` needs a key with that `kid`"},
		{Keys: []string{"token_signing_alg_values_expected"}, Behind: "(one)", Ours: "`algorithms` (list)", Differs: "`[\"RS256\"]` where absent; never the token's own word"},
		{Keys: []string{"claim_validator.issuer.valid_issuers"}, Ours: "`issuers`", Differs: "each issuer's tokens are checked with its own keys only"},
		{Keys: []string{"claim_validator.audience.claim", "claim_validator.audience.required", "claim_validator.audience.match_with_client_id"}, Ours: "`audience`, and `rules` for another claim", Differs: "required; `match_with_client_id` is `\"audience\": \"CLIENT_ID\"`"},
		{Keys: []string{"required_scopes"}, Ours: "`required_scopes`", Differs: "403 with the scope in the challenge; `scp`, or a list, counts here too, unless `claims` asks for `scope` as text"},
		{Keys: []string{"claim_schema"}, Ours: "`claim_schema`", Differs: "draft 2020-12 unless `$schema` says so"},
		{Keys: []string{"set_userinfo_header"}, Ours: "`\"claims_header\": \"X-Userinfo\"`", Differs: "base64url without padding; the client's own header of that name is removed, `_` and `-` alike"},
		{Keys: []string{"set_access_token_header", "access_token_in_authorization_header"}, Ours: "`\"token_header\": \"X-Access-Token\"`, `forward_token`", Differs: "no token is read from `X-Access-Token`, unless `token_from` names it"},
		{Keys: []string{"unauth_action"}, Behind: "`deny`, `pass`", Ours: "`unauth_action`", Differs: "a bad token is denied under `pass` too; with `bearer_only` theirs always denies"},
		{Keys: []string{"realm"}, Ours: "`realm`", Differs: "`auth0-jwt` where absent"},
		{Keys: []string{"ssl_verify"}, Ours: "`ssl_verify`", Differs: "`false` needs the operator's `--allow-insecure`; `--ca-file` names an authority of your own"},
		{Keys: []string{"iat_slack"}, Ours: "`leeway`", Differs: "30 s where absent, theirs 120 s"},
		{Keys: []string{"timeout", "jwk_expires_in", "cache_segment", "jwt_verification_cache_ignore"}, Ours: "none needed", Differs: "5 s; `Cache-Control`, or 10 min"},
		{Keys: []string{"proxy_opts"}, Ours: "`--proxy` of the runner, or `HTTPS_PROXY` and `NO_PROXY`", Differs: "one for all routes"},
		{Keys: []string{"introspection_endpoint", "introspection_endpoint_auth_method", "introspection_interval", "introspection_expiry_claim", "introspection_addon_headers"}, Ours: "no such key", Differs: "opaque tokens need a request to the issuer on every request's path"},
		{Keys: []string{"accept_none_alg", "accept_unsupported_alg"}, Ours: "no such key", Differs: "every token is signed"},
		{Keys: []string{"session", "redirect_uri", "logout_path"}, Behind: "and others of sessions", Ours: "`login`", Differs: "see \"`openid-connect` with `bearer_only: false`\" below"},
	}
}

// SessionRows are the keys of openid-connect that are about sessions.
func SessionRows() []Row {
	return []Row{
		{Keys: []string{"client_id", "client_secret", "scope"}, Ours: "the same names in `login`", Differs: "the secret by reference only"},
		{Keys: []string{"token_endpoint_auth_method"}, Ours: "follows from the keys", Differs: "`client_secret` or `client_private_key`; discovery chooses basic or post"},
		{Keys: []string{"client_rsa_private_key", "client_rsa_private_key_id", "client_jwt_assertion_expires_in", "client_jwt_assertion_alg", "client_jwt_assertion_audience"}, Ours: "`login.client_private_key`", Differs: "RSA, EC or Ed25519, and the algorithm by its kind; 60 s, for the issuer, without `kid`"},
		{Keys: []string{"redirect_uri"}, Ours: "`login.redirect_uri`", Differs: "required and absolute: nothing is guessed from `Host`"},
		{Keys: []string{"logout_path", "post_logout_redirect_uri"}, Ours: "the same names in `login`", Differs: "a logout also revokes copies of the cookie"},
		{Keys: []string{"unauth_action"}, Behind: "`auth`", Ours: "`unauth_action: auth`, the default with `login`", Differs: "only pages are redirected; a script's request gets 401"},
		{Keys: []string{"use_pkce", "use_nonce"}, Ours: "always", Differs: "S256 alone"},
		{Keys: []string{"par.enabled", "par.endpoint", "par.endpoint_auth_method"}, Ours: "`login.pushed_authorization_requests`", Differs: "the endpoint is discovery's"},
		{Keys: []string{"session.secret"}, Ours: "`login.session.secret`", Differs: "32 bytes at least; a list of references, so that it can be rotated"},
		{Keys: []string{"session.idling_timeout", "session.rolling_timeout"}, Ours: "`session.idle_timeout`", Differs: "24 h where absent, theirs 15 min"},
		{Keys: []string{"session.absolute_timeout", "session.cookie", "refresh_session_interval"}, Ours: "`session.absolute_timeout`", Differs: "72 h where absent, theirs 24 h"},
		{Keys: []string{"session.storage", "session.redis"}, Ours: "`session.store: redis`", Differs: "the operator's `--redis-url`"},
		{Keys: []string{"session.cookie_name", "session.cookie_same_site"}, Ours: "`session.cookie`, `session.same_site`", Differs: "`strict` is refused: the way back would lose the cookie"},
		{Keys: []string{"session.cookie_path", "session.cookie_domain", "session.cookie_secure", "session.cookie_http_only", "session_contents"}, Ours: "no such key", Differs: "every path of one host, `Secure` and `HttpOnly`; a session keeps what the route needs"},
		{Keys: []string{"renew_access_token_on_expiry", "access_token_expires_leeway", "access_token_expires_in"}, Ours: "always, 60 s before", Differs: "one refresh for all requests at the same time"},
		{Keys: []string{"revoke_tokens_on_logout"}, Ours: "always"},
		{Keys: []string{"authorization_params"}, Ours: "the same name in `login`", Differs: "those that the flow sets itself are refused; `audience` is the route's"},
		{Keys: []string{"set_id_token_header", "set_userinfo_header"}, Ours: "`claim_headers` with `\"from\": \"id_token\"`", Differs: "the userinfo endpoint is not asked"},
		{Keys: []string{"set_raw_id_token_header"}, Ours: "`token_header`, where the ID token is judged", Differs: "`subject_token: id_token`"},
		{Keys: []string{"set_access_token_header", "access_token_in_authorization_header"}, Ours: "`login.forward_access_token`", Differs: "in `Authorization`"},
		{Keys: []string{"set_refresh_token_header"}, Ours: "no such key", Differs: "the upstream never gets a refresh token"},
		{Keys: []string{"dpop.enabled", "dpop.signing_alg", "dpop.private_key", "dpop.public_jwk"}, Ours: "no such key", Differs: "a session's tokens are not bound to a key"},
		{Keys: []string{"force_reauthorize"}, Ours: "no such key"},
	}
}

// JWTAuthRows are the keys of jwt-auth, and of its part in a consumer.
func JWTAuthRows() []Row {
	return []Row{
		{Keys: []string{"key", "key_claim_name"}, Behind: "(the first of a consumer)", Ours: "`claims`, or `allowed_clients`", Differs: "the caller is who the issuer says, not a consumer of APISIX"},
		{Keys: []string{"public_key", "secret", "algorithm"}, Behind: "of a consumer", Ours: "`jwks`, `client_secret`, `algorithms`", Differs: "secrets by reference only, with 32, 48 and 64 bytes at least"},
		{Keys: []string{"base64_secret"}, Ours: "no such key", Differs: "decode it into the file"},
		{Keys: []string{"header", "query", "cookie"}, Ours: "`token_from`", Differs: "nothing is read that is not listed; a token in two places is refused"},
		{Keys: []string{"hide_credentials"}, Ours: "`\"forward_token\": false`"},
		{Keys: []string{"lifetime_grace_period"}, Ours: "`leeway`", Differs: "30 s where absent, theirs 0"},
		{Keys: []string{"claims_to_verify"}, Ours: "always both", Differs: "`exp` is required"},
		{Keys: []string{"realm"}, Ours: "`realm`", Differs: "`auth0-jwt` where absent"},
		{Keys: []string{"exp"}, Ours: "no such key", Differs: "it was for signing"},
		{Keys: []string{"store_in_ctx", "anonymous_consumer"}, Behind: "and consumers", Ours: "no such key", Differs: "an external plugin cannot name APISIX's consumer; use identity headers, and `unauth_action: pass`"},
	}
}

// Keys are the names of a plugin's keys.
func Keys(plugin string) (names []string) {
	rows := JWTAuthRows()
	if plugin == OpenIDConnect {
		rows = slices.Concat(BearerRows(), SessionRows())
	}
	for _, row := range rows {
		for _, key := range row.Keys {
			name, _, _ := strings.Cut(key, ".")
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Table is rows as a table of Markdown.
func Table(rows []Row) string {
	var b strings.Builder
	b.WriteString("| theirs | ours | what differs |\n| --- | --- | --- |\n")
	for _, row := range rows {
		b.WriteString("| `" + strings.Join(row.Keys, "`, `") + "`")
		for _, cell := range []string{row.Behind, "| " + row.Ours, "| " + row.Differs} {
			if cell != "" {
				b.WriteString(" " + strings.TrimSuffix(cell, " "))
			}
		}
		b.WriteString(" |\n")
	}
	return b.String()
}
