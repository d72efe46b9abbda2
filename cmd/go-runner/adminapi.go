package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
)

// adminAtMost bounds one request to the Admin API.
const adminAtMost = 30 * time.Second

// adminLists are the lists of the Admin API whose objects may have plugins.
var adminLists = []string{"routes", "services", "plugin_configs", "global_rules", "consumers", "consumer_groups"}

// readAdmin reads them all. A redirect is not followed, since it would take the
// key along.
func readAdmin(ctx context.Context, base, key string) ([]inspect.Input, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("--admin: want a URL such as http://127.0.0.1:9180, without a user")
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/apisix/admin"
	}
	client := &http.Client{
		Timeout:       adminAtMost,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	var answers []inspect.Input
	for _, list := range adminLists {
		from := u.JoinPath(list).String()
		data, err := askAdmin(ctx, client, from, key)
		if err != nil {
			return nil, err
		}
		if data != nil {
			answers = append(answers, inspect.Input{Name: from, Data: data})
		}
	}
	if len(answers) == 0 {
		return nil, cannotRun("--admin: %s knows none of %s", u, strings.Join(adminLists, ", "))
	}
	return answers, nil
}

// askAdmin is nil where there is no such list.
func askAdmin(ctx context.Context, client *http.Client, from, key string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, cannotRun("--admin: %w", err)
	}
	if key != "" {
		req.Header.Set("X-API-KEY", key)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, cannotRun("--admin: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, cannotRun("--admin: %s answers with %d: the environment's APISIX_ADMIN_KEY is not its key", from, resp.StatusCode)
	default:
		return nil, cannotRun("--admin: %s answers with %s", from, statusText(resp.StatusCode))
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, inspect.MaxInput+1))
	if err != nil {
		return nil, cannotRun("--admin: %w", err)
	}
	return data, nil
}

func statusText(status int) string { return fmt.Sprintf("%d %s", status, http.StatusText(status)) }
