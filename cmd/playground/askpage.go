package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/cmd/playground/page"
)

// askPage asks the page's API once, as the page does: what there is to begin with,
// a check, and a try of the first example.
func askPage(ctx context.Context, at *page.Server) (list []outcome, err error) {
	asking := pageClient{at}
	var start struct {
		Examples []struct {
			Config          string
			Request, Caller json.RawMessage
		}
	}
	if err := asking.call(ctx, http.MethodGet, "start", nil, &start); err != nil {
		return nil, err
	}
	if len(start.Examples) == 0 {
		return nil, fmt.Errorf("the page has no example")
	}
	first := start.Examples[0]
	var checked struct{ OK bool }
	if err := asking.call(ctx, http.MethodPost, "check", map[string]string{"config": first.Config}, &checked); err != nil {
		return nil, err
	}
	var tried struct {
		Answer struct {
			Status int
			Reason string
		}
	}
	if err := asking.call(ctx, http.MethodPost, "try", map[string]any{"config": first.Config, "request": first.Request, "caller": first.Caller}, &tried); err != nil {
		return nil, err
	}
	return []outcome{
		{"the page checks its first example", "POST /api/check", fmt.Sprint(checked.OK), "true"},
		{"the page tries it", "POST /api/try", fmt.Sprintf("%d %s", tried.Answer.Status, tried.Answer.Reason), "403 claim_mismatch"},
	}, nil
}

// pageClient calls the page's API.
type pageClient struct{ server *page.Server }

func (p pageClient) call(ctx context.Context, method, name string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, p.server.URL()+"api/"+name, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("X-Playground-Token", p.server.Token())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the page: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the page answered %d to %s", resp.StatusCode, name)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
