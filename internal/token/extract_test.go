package token_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

type places struct {
	headers [][2]string
	args    map[string][]string
}

func (p places) NumHeader() int            { return len(p.headers) }
func (p places) HeaderName(i int) []byte   { return []byte(p.headers[i][0]) }
func (p places) HeaderValue(i int) string  { return p.headers[i][1] }
func (p places) Args(name string) []string { return p.args[name] }

var (
	bearer = token.Source{Kind: token.Header, Name: "authorization", Scheme: "Bearer"}
	scheme = token.Source{Kind: token.Header, Name: "authorization", Scheme: "Token"}
	bare   = token.Source{Kind: token.Header, Name: "x-token"}
	cookie = token.Source{Kind: token.Cookie, Name: "session"}
	query  = token.Source{Kind: token.Query, Name: "access_token"}
)

func headers(pairs ...string) places {
	var p places
	for i := 0; i < len(pairs); i += 2 {
		p.headers = append(p.headers, [2]string{pairs[i], pairs[i+1]})
	}
	return p
}

func argument(values ...string) places {
	return places{args: map[string][]string{"access_token": values}}
}

func TestExtract(t *testing.T) {
	all := []token.Source{bearer, scheme, bare, cookie, query}
	for name, c := range map[string]struct {
		req  places
		want token.Found
	}{
		"none":                            {headers("accept", "*/*"), token.Found{}},
		"bearer":                          {headers("authorization", "Bearer t"), token.Found{Raw: "t", Source: bearer}},
		"bearer in other letters":         {headers("AUTHORIZATION", "bEARER t"), token.Found{Raw: "t", Source: bearer}},
		"bearer alone":                    {headers("authorization", "Bearer"), token.Found{}},
		"bearer and nothing":              {headers("authorization", "Bearer  "), token.Found{}},
		"bearer without a space":          {headers("authorization", "Bearert"), token.Found{}},
		"bearer with a second word":       {headers("authorization", "Bearer t u"), token.Found{Raw: "t u", Source: bearer}},
		"the second scheme":               {headers("authorization", "token t"), token.Found{Raw: "t", Source: scheme}},
		"another scheme":                  {headers("authorization", "Basic t"), token.Found{}},
		"no scheme":                       {headers("authorization", "t"), token.Found{}},
		"a bare header":                   {headers("X-Token", "t"), token.Found{Raw: "t", Source: bare}},
		"a bare header keeps its scheme":  {headers("x-token", "Bearer t"), token.Found{Raw: "Bearer t", Source: bare}},
		"an empty bare header":            {headers("x-token", ""), token.Found{}},
		"a header with _ for -":           {headers("x_token", "t"), token.Found{Raw: "t", Source: bare}},
		"parts with commas":               {headers("authorization", "Bearer a,b"), token.Found{Raw: "a,b", Source: bearer}},
		"JSON":                            {headers("authorization", `Bearer {"a":[1, 2]}`), token.Found{Raw: `{"a":[1, 2]}`, Source: bearer}},
		"another scheme with parameters":  {headers("authorization", `Digest username="a", realm="b c"`), token.Found{}},
		"a longer scheme":                 {headers("authorization", "Bearer-x t"), token.Found{}},
		"a cookie":                        {headers("cookie", "a=1; session=t; b=2"), token.Found{Raw: "t", Source: cookie}},
		"a cookie in the second line":     {headers("cookie", "a=1", "Cookie", "session=t"), token.Found{Raw: "t", Source: cookie}},
		"a cookie without spaces":         {headers("cookie", "a=1;session=t;b=2"), token.Found{Raw: "t", Source: cookie}},
		"a cookie in quotes":              {headers("cookie", `session="t"`), token.Found{Raw: "t", Source: cookie}},
		"a cookie with spaces around =":   {headers("cookie", `session = t`), token.Found{Raw: "t", Source: cookie}},
		"a cookie in other letters":       {headers("cookie", "Session=t"), token.Found{}},
		"a cookie without a value":        {headers("cookie", "session"), token.Found{}},
		"a cookie whose name ends so":     {headers("cookie", "my-session=t"), token.Found{}},
		"an argument":                     {argument("t"), token.Found{Raw: "t", Source: query}},
		"an empty argument":               {argument(""), token.Found{}},
		"an empty place and another":      {headers("x-token", "", "cookie", "session=t"), token.Found{Raw: "t", Source: cookie}},
		"another scheme and a bare token": {headers("authorization", "Basic t", "x-token", "t"), token.Found{Raw: "t", Source: bare}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := token.Extract(all, c.req)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Errorf("%v; (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestExtractRefusesMoreThanOne(t *testing.T) {
	all := []token.Source{bearer, scheme, bare, cookie, query}
	both := argument("t")
	both.headers = [][2]string{{"authorization", "Bearer t"}}
	for name, req := range map[string]places{
		"a header twice":                    headers("authorization", "Bearer t", "authorization", "Bearer u"),
		"a header twice, the same":          headers("authorization", "Bearer t", "Authorization", "Bearer t"),
		"a header twice, once empty":        headers("x-token", "t", "x-token", ""),
		"a header twice, once of no token":  headers("authorization", "Bearer t", "authorization", "Basic u"),
		"a cookie twice":                    headers("cookie", "session=t; session=u"),
		"a cookie in two lines":             headers("cookie", "session=t", "cookie", "session=u"),
		"a cookie twice, once with a space": headers("cookie", "session=t; session =u"),
		"an argument twice":                 argument("t", "u"),
		"an argument twice, once empty":     argument("", "t"),
		"a header and a cookie":             headers("authorization", "Bearer t", "cookie", "session=u"),
		"a header and an argument":          both,
		"two headers":                       headers("authorization", "Bearer t", "x-token", "t"),
	} {
		got, err := token.Extract(all, req)
		if !errors.Is(err, token.ErrMultiple) || got != (token.Found{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestExtractRefusesWhatAReaderBehindUsCouldTakeForAToken: the header reaches
// the upstream as it is wherever a request without a token is forwarded, and
// beside a good token in another place.
func TestExtractRefusesWhatAReaderBehindUsCouldTakeForAToken(t *testing.T) {
	for name, value := range map[string]string{
		"a leading tab":               "\tBearer t",
		"a leading space":             " Bearer t",
		"a tab behind the scheme":     "Bearer\tt",
		"a comma behind the scheme":   "Bearer,t",
		"a leading comma":             ", Bearer t",
		"two spaces":                  "Bearer  t",
		"a space and a tab":           "Bearer \tt, Basic x",
		"a credential before":         "Basic x, Bearer t",
		"a credential before, no gap": "Basic x,Bearer t",
		"a credential behind":         "Bearer t, Basic x",
		"the scheme twice":            "Bearer t, bearer u",
		"the scheme twice, no comma":  "Bearer t Bearer u",
		"in quotes":                   `"Bearer t"`,
		"a colon":                     "Bearer: t",
		"an equals sign":              "Bearer=t",
		"within a parameter":          `Digest a="Bearer t", b="c"`,
		"a no-break space":            "Bearer\u00a0t",
		"a vertical tab":              "Bearer\vt",
		"other letters":               "BASIC x, bEARER t",
	} {
		got, err := token.Extract([]token.Source{bearer, cookie}, headers("authorization", value, "cookie", "session=good"))
		if !errors.Is(err, token.ErrUnclear) || got != (token.Found{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestExtractFindsOneHeaderBehindTwoSpellings(t *testing.T) {
	_, err := token.Extract([]token.Source{bare}, headers("x-token", "t", "X_Token", "u"))
	if !errors.Is(err, token.ErrMultiple) {
		t.Errorf("%v", err)
	}
}
