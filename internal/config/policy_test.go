package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
)

func TestRulesSchemaAndSecretsAreReadReadyForUse(t *testing.T) {
	first, second := strings.Repeat("1", 64), strings.Repeat("2", 64)
	t.Setenv("CONFIG_TEST_FIRST", first)
	t.Setenv("CONFIG_TEST_SECOND", second)
	c, err := config.Parse([]byte(`{"domain":"t.eu.auth0.com","audience":"api","algorithms":["HS256","HS512"],
		"client_secret":["$env://CONFIG_TEST_FIRST","$env://CONFIG_TEST_SECOND"],
		"claim_schema":{"required":["sub"]},
		"rules":[{"expression":"true"},{"expression":"claims.a == 1","message":"no","status":401,"report_only":true}]}`), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	i := c.Issuers[0]
	if len(i.Secrets) != 2 || string(i.Secrets[1].Value(time.Now())) != second || i.DiscoveryURL != "" {
		t.Errorf("%d secrets, discovery %q", len(i.Secrets), i.DiscoveryURL)
	}
	if c.ClaimSchema.Fits(map[string]any{}) || !c.ClaimSchema.Fits(map[string]any{"sub": "a"}) {
		t.Error("the schema is not the one that was written")
	}
	if len(c.Rules) != 2 || c.Rules[0].Status != 403 || c.Rules[0].ReportOnly || c.Rules[0].Expression == nil {
		t.Errorf("the first rule: %+v", c.Rules)
	}
	if r := c.Rules[1]; r.Status != 401 || !r.ReportOnly || r.Message != "no" {
		t.Errorf("the second rule: %+v", r)
	}
}
