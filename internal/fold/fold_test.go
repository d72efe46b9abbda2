package fold_test

import (
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
)

func TestEqual(t *testing.T) {
	for _, c := range []struct {
		name, other string
		want        bool
	}{
		{"authorization", "Authorization", true},
		{"X-USER-ID", "x-user-id", true},
		{"", "", true},
		{"x-user-id", "x_user_id", false},
		{"x-user", "x-user-id", false},
		{"cookie", "coo\u212aie", false}, // the Kelvin sign is no k to nginx
		{"@x", "`x", false},              // these differ by the bit that letters' case is
		{"[x", "{x", false},
	} {
		if got := fold.Equal([]byte(c.name), c.other); got != c.want {
			t.Errorf("Equal(%q, %q) = %v", c.name, c.other, got)
		}
		if got := fold.Equal([]byte(c.other), c.name); got != c.want {
			t.Errorf("Equal(%q, %q) = %v", c.other, c.name, got)
		}
	}
}
