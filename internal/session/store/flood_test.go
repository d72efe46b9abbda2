package store_test

import (
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session/store"
)

// TestACookieThatEndedPushesNoSuccessorOut: whoever was logged out may send his
// old cookie as often as he likes. Where that pushed out what the refreshes of
// others brought, their requests that come late would use a refresh token twice,
// and the issuer would log them out.
func TestACookieThatEndedPushesNoSuccessorOut(t *testing.T) {
	opt := options(t)
	c := store.NewCookies(opt)
	s, auth := fresh(), &issuer{}
	next, err := c.Refresh(t.Context(), s, start, auth.refresh(s))
	if err != nil {
		t.Fatal(err)
	}
	ended := fresh()
	ended.ID[0]++
	for range 40_000 {
		if _, err := c.Delete(t.Context(), ended, nil); err != nil {
			t.Fatal(err)
		}
	}
	late, err := c.Refresh(t.Context(), s, start, auth.refresh(s))
	if err != nil || late != next {
		t.Errorf("late: %v", err)
	}
	if entries, bytes := opt.Memory.KnownRefreshes(); entries != 2 || bytes > 8<<10 {
		t.Errorf("%d outcomes in %d bytes", entries, bytes)
	}
}
