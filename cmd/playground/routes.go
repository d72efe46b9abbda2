package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

const routesPath = "/apisix/admin/routes"

// putRoutes configures the gateway as anyone would: through the Admin API.
func (s *site) putRoutes(ctx context.Context) error {
	routes := map[string]map[string]any{
		"api": {
			"claims":        map[string]any{"email_verified": true},
			"claim_headers": map[string]any{"X-User-Id": "sub", "X-User-Email": "email"},
		},
		"orders": {"required_scopes": []string{"read:orders"}},
		"public": {"unauth_action": "pass", "claim_headers": map[string]any{"X-User-Id": "sub"}},
	}
	for _, conf := range routes {
		conf["audience"] = issuer.DefaultAudience
	}
	if !s.withoutLogin {
		routes["app"] = s.appRoute() // the audience of an ID token is the application
		if err := s.registerApp(ctx); err != nil {
			return err
		}
	}
	for id, conf := range routes {
		conf["issuer"], conf["name"] = s.issuer, id
		value, err := json.Marshal(conf)
		if err != nil {
			return err
		}
		body, err := json.Marshal(map[string]any{
			"uri":      "/" + id + "/*",
			"upstream": map[string]any{"type": "roundrobin", "nodes": map[string]int{s.node: 1}},
			"plugins": map[string]any{"ext-plugin-pre-req": map[string]any{
				"conf": []any{map[string]string{"name": "auth0-jwt", "value": string(value)}},
			}},
		})
		if err != nil {
			return err
		}
		if err := s.askAdmin(ctx, http.MethodPut, s.admin+routesPath+"/"+id, body); err != nil {
			return err
		}
	}
	return nil
}

// errAdminKey is a refusal that no waiting mends.
var errAdminKey = errors.New("the Admin API does not take the admin key: is this gateway the demo's, started with the same key?")

// askAdmin sends one request to the Admin API. No error of it holds the key.
func (s *site) askAdmin(ctx context.Context, method, url string, body []byte) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if s.adminKey != "" {
		req.Header.Set("X-API-KEY", s.adminKey)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the Admin API: %w", err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return errAdminKey
	case resp.StatusCode >= http.StatusMultipleChoices:
		return fmt.Errorf("the Admin API answered %d to %s %s", resp.StatusCode, method, req.URL.Path)
	}
	return nil
}
