package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/inspect"
)

// adminAtMost bounds one request to the Admin API.
const adminAtMost = 30 * time.Second

// adminLists are the lists of the Admin API whose objects may have plugins.
var adminLists = []string{"routes", "services", "plugin_configs", "global_rules", "consumers", "consumer_groups"}

// adminClient asks APISIX's Admin API. A redirect is not followed, since it would take the key
// along.
type adminClient struct {
	base   *url.URL
	key    string // "" is none
	client *http.Client
}

// openAdmin asks nothing yet. The key is the environment's.
func openAdmin(base string) (*adminClient, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("--admin: want a URL such as http://127.0.0.1:9180, without a user and a query; the key is $APISIX_ADMIN_KEY")
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/apisix/admin"
	}
	return &adminClient{base: u, key: os.Getenv("APISIX_ADMIN_KEY"), client: &http.Client{
		Timeout:       adminAtMost,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (a *adminClient) close() { a.client.CloseIdleConnections() }

// readAdmin reads all lists.
func readAdmin(ctx context.Context, base string) ([]inspect.Input, error) {
	admin, err := openAdmin(base)
	if err != nil {
		return nil, err
	}
	defer admin.close()
	var answers []inspect.Input
	for _, list := range adminLists {
		data, err := admin.get(ctx, list)
		if err != nil {
			return nil, err
		}
		if data != nil {
			answers = append(answers, inspect.Input{Name: admin.url(list), Data: data})
		}
	}
	if len(answers) == 0 {
		return nil, cannotRun("--admin: %s knows none of %s", admin.base, strings.Join(adminLists, ", "))
	}
	return answers, nil
}

// url is that of a list, or of an object in one.
func (a *adminClient) url(path ...string) string { return a.base.JoinPath(path...).String() }

// get is nil where there is no such list or object.
func (a *adminClient) get(ctx context.Context, path ...string) ([]byte, error) {
	return a.ask(ctx, http.MethodGet, nil, path...)
}

func (a *adminClient) put(ctx context.Context, body []byte, path ...string) error {
	answer, err := a.ask(ctx, http.MethodPut, body, path...)
	if err == nil && answer == nil {
		err = cannotRun("--admin: %s answers with %s", a.url(path...), statusText(http.StatusNotFound))
	}
	return err
}

func (a *adminClient) ask(ctx context.Context, method string, body []byte, path ...string) ([]byte, error) {
	from := a.url(path...)
	req, err := http.NewRequestWithContext(ctx, method, from, bytes.NewReader(body))
	if err != nil {
		return nil, cannotRun("--admin: %w", err)
	}
	if a.key != "" {
		req.Header.Set("X-API-KEY", a.key)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, cannotRun("--admin: %w", err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusCreated:
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
