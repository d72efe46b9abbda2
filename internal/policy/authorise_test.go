package policy_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

func TestAudience(t *testing.T) {
	const reports = "https://reports.example/"
	both := []string{api, reports}
	many := append(strings.Split("abcdefghijklmnopqrst", ""), api)
	manyInJSON := string(must(json.Marshal(many)))
	for name, c := range map[string]struct {
		change func(*config.Issuer)
		aud    string
		want   string
	}{
		"any: one of two":            {func(i *config.Issuer) { i.Audience, i.AudienceMatch = both, config.Any }, `"` + reports + `"`, forwarded},
		"any: one in a list":         {func(i *config.Issuer) { i.Audience, i.AudienceMatch = both, config.Any }, `["x","` + api + `"]`, forwarded},
		"any: none":                  {func(i *config.Issuer) { i.Audience, i.AudienceMatch = both, config.Any }, `["x","y"]`, "bad_audience"},
		"all: both and more":         {func(i *config.Issuer) { i.Audience, i.AudienceMatch = both, config.All }, `["` + reports + `","x","` + api + `"]`, forwarded},
		"all: one":                   {func(i *config.Issuer) { i.Audience, i.AudienceMatch = both, config.All }, `"` + api + `"`, "bad_audience"},
		"all: one twice":             {func(i *config.Issuer) { i.Audience, i.AudienceMatch = both, config.All }, `["` + api + `","` + api + `"]`, "bad_audience"},
		"any: one of many":           {func(i *config.Issuer) { i.Audience, i.AudienceMatch = many, config.Any }, `["x","` + api + `"]`, forwarded},
		"any: none of many":          {func(i *config.Issuer) { i.Audience, i.AudienceMatch = many, config.Any }, `["x","y"]`, "bad_audience"},
		"all: many":                  {func(i *config.Issuer) { i.Audience, i.AudienceMatch = many, config.All }, manyInJSON, forwarded},
		"all: one of many lacks":     {func(i *config.Issuer) { i.Audience, i.AudienceMatch = append(slices.Clone(many), "z"), config.All }, manyInJSON, "bad_audience"},
		"star: another":              {func(i *config.Issuer) { i.Audience, i.AnyAudience = nil, true }, `"x"`, forwarded},
		"star: missing":              {func(i *config.Issuer) { i.Audience, i.AnyAudience = nil, true }, "", forwarded},
		"no audience, any":           {func(i *config.Issuer) { i.Audience, i.AudienceMatch = nil, config.Any }, `"` + api + `"`, "bad_audience"},
		"no audience, all":           {func(i *config.Issuer) { i.Audience, i.AudienceMatch = nil, config.All }, `"` + api + `"`, "bad_audience"},
		"a star in the token's list": {nil, `["*"]`, "bad_audience"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := route()
			if c.change != nil {
				c.change(&conf.Issuers[0])
			}
			if got := outcome(compile(t, conf).Decide(bearing(good(t, "aud", c.aud)))); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestProfileRFC9068AsksForItsClaims(t *testing.T) {
	full := []string{"client_id", `"spa"`, "jti", `"1"`}
	star := func(c *config.Config) { rfc9068(c); c.Issuers[0].AnyAudience = true }
	for name, c := range map[string]struct {
		change  func(*config.Config)
		changes []string
		want    string
	}{
		"all there":          {rfc9068, nil, forwarded},
		"sub missing":        {rfc9068, []string{"sub", ""}, "malformed_token"},
		"client_id missing":  {rfc9068, []string{"client_id", ""}, "malformed_token"},
		"client_id a number": {rfc9068, []string{"client_id", "1"}, "malformed_token"},
		"jti missing":        {rfc9068, []string{"jti", ""}, "malformed_token"},
		"iat missing":        {rfc9068, []string{"iat", ""}, "malformed_token"},
		"exp missing":        {rfc9068, []string{"exp", ""}, "malformed_token"},
		"iss missing":        {rfc9068, []string{"iss", ""}, "unknown_issuer"},
		"aud missing":        {rfc9068, []string{"aud", ""}, "bad_audience"},
		"any aud, missing":   {star, []string{"aud", ""}, "bad_audience"},
		"any aud, empty":     {star, []string{"aud", "[]"}, "bad_audience"},
		"any aud, a number":  {star, []string{"aud", "1"}, "bad_audience"},
		"any aud":            {star, []string{"aud", `"x"`}, forwarded},
	} {
		for _, typ := range []string{"at+jwt", "application/at+jwt", "Application/AT+JWT"} {
			token := sign(t, "RS256", keys().rsa, header("RS256", "rsa", `"typ":"`+typ+`"`), claims(append(full, c.changes...)...))
			if got := outcome(compile(t, route(c.change)).Decide(bearing(token))); got != c.want {
				t.Errorf("%s, typ %s: %s, want %s", name, typ, got, c.want)
			}
		}
	}
}

func TestProfileAnyChecksNoType(t *testing.T) {
	conf := route(func(c *config.Config) { c.Issuers[0].TokenProfile = config.ProfileAny })
	for _, typ := range []string{"JWT", "at+jwt", "x"} {
		token := sign(t, "RS256", keys().rsa, header("RS256", "rsa", `"typ":"`+typ+`"`), claims())
		if got := outcome(compile(t, conf).Decide(bearing(token))); got != forwarded {
			t.Errorf("typ %s: %s", typ, got)
		}
	}
}

func TestWithoutKidExactlyOneKeyMustFit(t *testing.T) {
	one, two := rsaJWK("a", "", "sig", &keys().rsa.PublicKey), rsaJWK("b", "", "sig", &keys().otherTenant.PublicKey)
	for name, c := range map[string]struct {
		set  []byte
		want string
	}{
		"one fits":              {tenantSet(), forwarded},
		"two fit":               {set(one, two), "unknown_key"},
		"one is for encryption": {set(one, rsaJWK("b", "", "enc", &keys().otherTenant.PublicKey)), forwarded},
		"none fits":             {set(ecJWK("p256", &keys().p256.PublicKey)), "unknown_key"},
	} {
		conf := route()
		conf.Issuers[0].JWKS = c.set
		token := sign(t, "RS256", keys().rsa, header("RS256", ""), claims())
		if got := outcome(compile(t, conf).Decide(bearing(token))); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestIssuersOfOneRouteStayApart: keys, audiences, algorithms and profile are
// those of the token's own issuer, although both name their key alike.
func TestIssuersOfOneRouteStayApart(t *testing.T) {
	const otherAPI = "https://other-api.example/"
	k := keys()
	conf := route(bothTenants, func(c *config.Config) {
		c.Issuers[1].Audience = []string{otherAPI}
		c.Issuers[1].TokenProfile = config.ProfileRFC9068
		c.Issuers[0].Algorithms = []string{"RS256", "ES256"}
	})
	other := []string{"iss", `"` + otherTenant + `"`, "aud", `"` + otherAPI + `"`, "client_id", `"spa"`, "jti", `"1"`}
	typed := header("RS256", "rsa", `"typ":"at+jwt"`)
	for name, c := range map[string]struct{ token, want string }{
		"the first":                             {good(t), forwarded},
		"the second":                            {sign(t, "RS256", k.otherTenant, typed, claims(other...)), forwarded},
		"the second with the first's key":       {sign(t, "RS256", k.rsa, typed, claims(other...)), "bad_signature"},
		"the first with the second's key":       {sign(t, "RS256", k.otherTenant, typed, claims()), "bad_signature"},
		"the second with the first's audience":  {sign(t, "RS256", k.otherTenant, typed, claims(append(other, "aud", `"`+api+`"`)...)), "bad_audience"},
		"the first with the second's audience":  {good(t, "aud", `"`+otherAPI+`"`), "bad_audience"},
		"the second with the first's algorithm": {sign(t, "ES256", k.p256, header("ES256", "p256", `"typ":"at+jwt"`), claims(other...)), "alg_not_allowed"},
		"the second with the first's type":      {sign(t, "RS256", k.otherTenant, header("RS256", "rsa"), claims(other...)), "typ_not_allowed"},
		"a third":                               {good(t, "iss", `"https://third.example/"`), "unknown_issuer"},
	} {
		if got := outcome(compile(t, conf).Decide(bearing(c.token))); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestAuthorisation(t *testing.T) {
	scopes := func(wanted ...string) func(*config.Config) {
		return func(c *config.Config) { c.RequiredScopes = wanted }
	}
	anyScope := func(wanted ...string) func(*config.Config) {
		return func(c *config.Config) { c.RequiredScopes, c.ScopesMatch = wanted, config.Any }
	}
	permissions := func(c *config.Config) { c.RequiredPermissions = []string{"read:a", "write:a"} }
	anyPermission := func(c *config.Config) { permissions(c); c.PermissionsMatch = config.Any }
	organizations := func(c *config.Config) { c.Organizations = []string{"org_1", "acme"} }
	clients := func(c *config.Config) { c.AllowedClients = []string{"spa", "cli"} }
	const noScope, noOrg, noClient = "insufficient_scope", "wrong_organization", "wrong_client"

	for name, c := range map[string]struct {
		change  func(*config.Config)
		changes []string
		want    string
	}{
		"scope: all in a string":           {scopes("read", "write"), []string{"scope", `"write x read"`}, forwarded},
		"scope: all in a list":             {scopes("read", "write"), []string{"scope", `["write","x","read"]`}, forwarded},
		"scope: all in scp, a list":        {scopes("read", "write"), []string{"scp", `["write","read"]`}, forwarded},
		"scope: all in scp, a string":      {scopes("read", "write"), []string{"scp", `"write read"`}, forwarded},
		"scope: scp beside scope":          {scopes("read"), []string{"scope", `"x"`, "scp", `["read"]`}, noScope},
		"scope: scp beside a null scope":   {scopes("read"), []string{"scope", `null`, "scp", `["read"]`}, noScope},
		"scope: one of two":                {scopes("read", "write"), []string{"scope", `"read"`}, noScope},
		"scope: part of a word":            {scopes("read"), []string{"scope", `"read:all"`}, noScope},
		"scope: other letters":             {scopes("read"), []string{"scope", `"READ"`}, noScope},
		"scope: a tab is no separator":     {scopes("read"), []string{"scope", `"x\tread"`}, noScope},
		"scope: two words in one element":  {scopes("read"), []string{"scope", `["x read"]`}, noScope},
		"scope: a list with a number":      {scopes("read"), []string{"scope", `["read",1]`}, noScope},
		"scope: an object":                 {scopes("read"), []string{"scope", `{"read":true}`}, noScope},
		"scope: missing":                   {scopes("read"), nil, noScope},
		"scope any: one of two":            {anyScope("read", "write"), []string{"scope", `"write"`}, forwarded},
		"scope any: none":                  {anyScope("read", "write"), []string{"scope", `"x"`}, noScope},
		"scope any: missing":               {anyScope("read", "write"), nil, noScope},
		"permissions: all":                 {permissions, []string{"permissions", `["write:a","read:a"]`}, forwarded},
		"permissions: one of two":          {permissions, []string{"permissions", `["read:a"]`}, noScope},
		"permissions: a string is no list": {permissions, []string{"permissions", `"read:a write:a"`}, noScope},
		"permissions: only as scope":       {permissions, []string{"scope", `"read:a write:a"`}, noScope},
		"permissions: missing":             {permissions, nil, noScope},
		"permissions any: one of two":      {anyPermission, []string{"permissions", `["read:a"]`}, forwarded},
		"permissions any: one as a string": {anyPermission, []string{"permissions", `"read:a"`}, noScope},
		"permissions any: none":            {anyPermission, []string{"permissions", `[]`}, noScope},
		"organization: by id":              {organizations, []string{"org_id", `"org_1"`}, forwarded},
		"organization: by name":            {organizations, []string{"org_id", `"org_9"`, "org_name", `"acme"`}, forwarded},
		"organization: a name in capitals": {organizations, []string{"org_id", `"org_9"`, "org_name", `"ACME"`}, forwarded},
		"organization: an id in capitals":  {organizations, []string{"org_id", `"ORG_1"`}, noOrg},
		"organization: a name like an id":  {organizations, []string{"org_id", `"org_9"`, "org_name", `"org_1"`}, noOrg},
		"organization: an id like a name":  {organizations, []string{"org_id", `"acme"`}, noOrg},
		"organization: another":            {organizations, []string{"org_id", `"org_9"`}, noOrg},
		"organization: a list":             {organizations, []string{"org_id", `["org_1"]`}, noOrg},
		"organization: missing":            {organizations, nil, noOrg},
		"client: azp":                      {clients, []string{"azp", `"cli"`}, forwarded},
		"client: client_id":                {clients, []string{"client_id", `"spa"`}, forwarded},
		"client: azp before client_id":     {clients, []string{"azp", `"x"`, "client_id", `"spa"`}, noClient},
		"client: null azp":                 {clients, []string{"azp", `null`, "client_id", `"spa"`}, noClient},
		"client: a list":                   {clients, []string{"azp", `["spa"]`}, noClient},
		"client: missing":                  {clients, nil, noClient},
	} {
		t.Run(name, func(t *testing.T) {
			if got := outcome(compile(t, route(c.change)).Decide(bearing(good(t, c.changes...)))); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestAScopeRefusalNamesWhatWouldDo(t *testing.T) {
	conf := route(func(c *config.Config) { c.RequiredScopes = []string{"read", "write"} })
	r := compile(t, conf).Decide(bearing(good(t, "scope", `"private-scope"`))).Refusal()
	if r.Scope != "read write" || r.Description != "the token needs all of the scopes read write" {
		t.Errorf("%+v", r)
	}
}

func TestClaimExpectations(t *testing.T) {
	value := func(v any) *any { return &v }
	yes, no := true, false
	for name, c := range map[string]struct {
		want  claim.Expectation
		claim []string
		holds bool
	}{
		"equals":                        {claim.Expectation{Claim: ref("x"), Equals: value("a")}, []string{"x", `"a"`}, true},
		"equals, another type":          {claim.Expectation{Claim: ref("x"), Equals: value(true)}, []string{"x", `"true"`}, false},
		"equals by value":               {claim.Expectation{Claim: ref("x"), Equals: value(json.Number("10"))}, []string{"x", `1.0e1`}, true},
		"equals beyond 2^53":            {claim.Expectation{Claim: ref("x"), Equals: value(json.Number("9007199254740993"))}, []string{"x", `9007199254740992`}, false},
		"a name with a URL":             {claim.Expectation{Claim: ref("https://a.example/roles"), Contains: value("admin")}, []string{"https://a.example/roles", `["admin"]`}, true},
		"a pointer":                     {claim.Expectation{Claim: ref("/address/country"), OneOf: []any{"NL", "DE"}}, []string{"address", `{"country":"DE"}`}, true},
		"a pointer to nothing":          {claim.Expectation{Claim: ref("/address/city"), OneOf: []any{"NL", "DE"}}, []string{"address", `{"country":"DE"}`}, false},
		"contains a word":               {claim.Expectation{Claim: ref("x"), Contains: value("b")}, []string{"x", `"a b c"`}, true},
		"contains part of a word":       {claim.Expectation{Claim: ref("x"), Contains: value("b")}, []string{"x", `"abc"`}, false},
		"contains all":                  {claim.Expectation{Claim: ref("x"), ContainsAll: []any{"a", "b"}}, []string{"x", `["a"]`}, false},
		"contains any":                  {claim.Expectation{Claim: ref("x"), ContainsAny: []any{"a", "b"}}, []string{"x", `["b"]`}, true},
		"matches the whole":             {claim.Expectation{Claim: ref("x"), Matches: must(claim.CompileMatches("a|b"))}, []string{"x", `"a"`}, true},
		"matches a part":                {claim.Expectation{Claim: ref("x"), Matches: must(claim.CompileMatches("a|b"))}, []string{"x", `"ax"`}, false},
		"matches up to a line break":    {claim.Expectation{Claim: ref("x"), Matches: must(claim.CompileMatches("a"))}, []string{"x", `"a\n"`}, false},
		"missing":                       {claim.Expectation{Claim: ref("x"), OneOf: []any{nil}}, nil, false},
		"exists":                        {claim.Expectation{Claim: ref("x"), Exists: &yes}, []string{"x", `null`}, true},
		"exists, missing":               {claim.Expectation{Claim: ref("x"), Exists: &yes}, nil, false},
		"must not exist":                {claim.Expectation{Claim: ref("x"), Exists: &no}, nil, true},
		"must not exist, null":          {claim.Expectation{Claim: ref("x"), Exists: &no}, []string{"x", `null`}, false},
		"one of two expectations holds": {claim.Expectation{Claim: ref("x"), Matches: must(claim.CompileMatches("a.*")), Equals: value("ab")}, []string{"x", `"ac"`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			conf := route(func(conf *config.Config) { conf.Claims = []claim.Expectation{c.want} })
			want := forwarded
			if !c.holds {
				want = "claim_mismatch"
			}
			if got := outcome(compile(t, conf).Decide(bearing(good(t, c.claim...)))); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}
