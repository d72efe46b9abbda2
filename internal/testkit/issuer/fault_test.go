package issuer_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"syscall"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// fetch follows no redirect and reads at most 1 MiB.
func fetch(ctx context.Context, url string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp, body, err
}

func TestFaults(t *testing.T) {
	i := start(t, issuer.Options{})
	const jwks, discovery = ".well-known/jwks.json", ".well-known/openid-configuration"
	for _, tc := range []struct {
		fault issuer.Fault
		path  string
		holds func(resp *http.Response, body []byte, err error) bool
	}{
		{issuer.Fault{Path: "jwks", Fault: "status"}, jwks, func(r *http.Response, _ []byte, err error) bool {
			return err == nil && r.StatusCode == 500
		}},
		{issuer.Fault{Path: "jwks", Fault: "status", Status: 429}, jwks, func(r *http.Response, _ []byte, err error) bool {
			return err == nil && r.StatusCode == 429
		}},
		{issuer.Fault{Path: "jwks", Fault: "html"}, jwks, func(r *http.Response, body []byte, err error) bool {
			return err == nil && r.StatusCode == 200 && body[0] == '<'
		}},
		{issuer.Fault{Path: "jwks", Fault: "truncated"}, jwks, func(_ *http.Response, body []byte, err error) bool {
			return errors.Is(err, io.ErrUnexpectedEOF) && len(body) > 0
		}},
		{issuer.Fault{Path: "jwks", Fault: "endless"}, jwks, func(_ *http.Response, body []byte, err error) bool {
			return err == nil && len(body) == 1<<20
		}},
		{issuer.Fault{Path: "jwks", Fault: "reset"}, jwks, func(_ *http.Response, _ []byte, err error) bool {
			return errors.Is(err, syscall.ECONNRESET)
		}},
		{issuer.Fault{Path: "jwks", Fault: "empty"}, jwks, func(_ *http.Response, body []byte, err error) bool {
			return err == nil && string(body) == `{"keys":[]}`+"\n"
		}},
		{issuer.Fault{Path: "discovery", Fault: "empty"}, discovery, func(_ *http.Response, body []byte, err error) bool {
			return err == nil && string(body) == "{}\n"
		}},
		{issuer.Fault{Path: "discovery", Fault: "wrong_issuer"}, discovery, func(_ *http.Response, body []byte, err error) bool {
			var document struct{ Issuer string }
			return err == nil && json.Unmarshal(body, &document) == nil && document.Issuer != "" && document.Issuer != i.URL()
		}},
		{issuer.Fault{Path: "jwks", Fault: "redirect"}, jwks, func(r *http.Response, _ []byte, err error) bool {
			if err != nil || r.StatusCode != 302 {
				return false
			}
			_, body, err := fetch(t.Context(), r.Header.Get("Location"))
			return err == nil && json.Valid(body)
		}},
	} {
		t.Run(tc.fault.Path+" "+tc.fault.Fault, func(t *testing.T) {
			if err := i.SetFault(tc.fault); err != nil {
				t.Fatal(err)
			}
			if resp, body, err := fetch(t.Context(), i.URL()+tc.path); !tc.holds(resp, body, err) {
				t.Errorf("got %v, %d bytes, %v", resp, len(body), err)
			}
			if err := i.SetFault(issuer.Fault{Path: tc.fault.Path, Fault: "none"}); err != nil {
				t.Fatal(err)
			}
			if _, body, err := fetch(t.Context(), i.URL()+tc.path); err != nil || !json.Valid(body) {
				t.Errorf("not well again: %v", err)
			}
		})
	}
}

func TestASlowAnswerBeginsAndIsNotOverWhenTheClientGivesUp(t *testing.T) {
	i := start(t, issuer.Options{})
	if err := i.SetFault(issuer.Fault{Path: "jwks", Fault: "slow"}); err != nil {
		t.Fatal(err)
	}
	ctx, giveUp := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.URL()+".well-known/jwks.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	giveUp()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAnUnknownFaultIsRefused(t *testing.T) {
	i := start(t, issuer.Options{})
	for _, body := range []string{
		`{"path":"keys","fault":"status"}`, `{"path":"jwks","fault":"slwo"}`, `{"path":"jwks","fault":"wrong_issuer"}`,
		`{"path":"jwks","fault":"status","status":101}`, `{"path":"jwks","fault":"none","stauts":500}`,
	} {
		if status, answer := call(t, i, "control/fault", "application/json", body); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
}
