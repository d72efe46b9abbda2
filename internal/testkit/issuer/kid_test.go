package issuer_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// A verifier that still holds the keys from before a restart must meet a kid
// that it does not know, and ask for the new set, rather than an old name on a
// new key, which it would refuse until its next refresh.
func TestAnIssuerThatRestartedUsesNoNameOfAnEarlierKey(t *testing.T) {
	seen := map[string]bool{}
	for range 2 {
		i := start(t, issuer.Options{})
		for _, key := range i.SigningKeys() {
			if seen[key.Kid] {
				t.Errorf("the kid %q names a second key", key.Kid)
			}
			seen[key.Kid] = true
		}
	}
}

func TestAKeyKeepsItsNameAsLongAsItLives(t *testing.T) {
	i := start(t, issuer.Options{})
	kids := func(generation string) (kids []string) {
		for _, key := range i.SigningKeys() {
			if key.Generation == generation {
				kids = append(kids, key.Kid)
			}
		}
		return kids
	}
	announced := kids("next")
	for _, generation := range []string{"current", "previous"} {
		if err := i.Rotate(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(announced, kids(generation)); diff != "" {
			t.Errorf("as the %s keys: %s", generation, diff)
		}
	}
}
