package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// putRoutes configures the gateway as anyone would: through the Admin API.
func (t *tour) putRoutes(ctx context.Context) error {
	for id, conf := range map[string]map[string]any{
		"api": {
			"claims":        map[string]any{"email_verified": true},
			"claim_headers": map[string]any{"X-User-Id": "sub", "X-User-Email": "email"},
		},
		"orders": {"required_scopes": []string{"read:orders"}},
		"public": {"unauth_action": "pass", "claim_headers": map[string]any{"X-User-Id": "sub"}},
	} {
		conf["issuer"], conf["audience"] = t.issuer.URL(), issuer.DefaultAudience
		value, err := json.Marshal(conf)
		if err != nil {
			return err
		}
		body, err := json.Marshal(map[string]any{
			"uri":      "/" + id + "/*",
			"upstream": map[string]any{"type": "roundrobin", "nodes": map[string]int{t.upstream.Node(): 1}},
			"plugins": map[string]any{"ext-plugin-pre-req": map[string]any{
				"conf": []any{map[string]string{"name": "auth0-jwt", "value": string(value)}},
			}},
		})
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, t.gateway.AdminURL()+"/apisix/admin/routes/"+id, bytes.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("the Admin API: %w", err)
		}
		resp.Body.Close()
		if resp.StatusCode >= 300 {
			return fmt.Errorf("the Admin API answered %d for route %s", resp.StatusCode, id)
		}
	}
	return nil
}
