package openredirect_test

import (
	"slices"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/openredirect"
)

const origin = "https://app.example.com"

func TestTheRuleOfBrowsersFindsOpenRedirects(t *testing.T) {
	for location, want := range map[string]string{
		"/a": origin, "/a//b": origin, "/.//evil.example": origin, "/?//evil.example": origin,
		"//evil.example": "https://evil.example", `/\evil.example`: "https://evil.example", "/\t/evil.example": "https://evil.example",
		" //a@evil.example/": "https://evil.example", `https:\\evil.example`: "https://evil.example", "javascript:alert(1)": "javascript://alert(1)",
	} {
		if got := openredirect.Origin(origin, location); got != want {
			t.Errorf("%q: %s", location, got)
		}
	}
}

// An attack of which a line was lost is one that nobody tries.
func TestTheListIsWhole(t *testing.T) {
	all := openredirect.Attacks()
	if len(all) < 120 {
		t.Errorf("only %d attacks", len(all))
	}
	leave := slices.DeleteFunc(slices.Clone(all), func(attack string) bool { return openredirect.Origin(origin, attack) == origin })
	if len(leave) < 60 {
		t.Errorf("only %d lead a browser away", len(leave))
	}
}
