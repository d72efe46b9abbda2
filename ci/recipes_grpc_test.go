package ci_test

import (
	"context"
	"encoding/json"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// caller calls the health service behind a gateway.
type caller struct {
	grpc_health_v1.HealthClient
	ctx context.Context
}

// dial has no connection kept between callers, so that every worker gets some.
func (r recipe) dial(t *testing.T, token string, more ...string) caller {
	t.Helper()
	conn, err := grpc.NewClient(host(r.on.gateway),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(r.id+".example"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), hangGuard)
	t.Cleanup(cancel)
	if token != "" {
		more = append(more, "authorization", "Bearer "+token)
	}
	return caller{grpc_health_v1.NewHealthClient(conn), metadata.AppendToOutgoingContext(ctx, more...)}
}

// check is a call, and what the upstream was sent of it.
func (c caller) check() (*echo, error) {
	var header metadata.MD
	if _, err := c.Check(c.ctx, &grpc_health_v1.HealthCheckRequest{Service: "orders"}, grpc.Header(&header)); err != nil {
		return nil, err
	}
	return echoOf(header)
}

func echoOf(header metadata.MD) (*echo, error) {
	var e echo
	for _, text := range header.Get("echo-bin") {
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			return nil, err
		}
	}
	return &e, nil
}

func TestRecipeGRPC(t *testing.T) {
	token := tokenOf("alice", nil)
	r := cook(t, newRecipe(t, under, "gRPC", map[string]string{"ALICE": token}))
	for name, forged := range map[string][]string{
		"nothing more":      nil,
		"another's name":    {"x-user-id", "auth0|victim"},
		"it twice":          {"x-user-id", "auth0|victim", "x-user-id", "auth0|victim"},
		"it with _":         {"x_user_id", "auth0|victim"},
		"another's address": {"x-real-ip", "192.0.2.1", "x-forwarded-for", "192.0.2.1"},
	} {
		run(t, "a call passes and the upstream knows whose it is, with "+name, func(t *testing.T) {
			e, err := r.dial(t, token, forged...).check()
			if err != nil {
				t.Fatal(err)
			}
			e.has(t, "X-User-Id", "auth0|alice")
			for _, header := range []string{"X-Real-IP", "X-Forwarded-For"} {
				for _, value := range e.values(header) {
					if value == "192.0.2.1" {
						t.Errorf("the upstream got the client's own %s", header)
					}
				}
			}
		})
		run(t, "a stream too, with "+name, func(t *testing.T) {
			c := r.dial(t, token, forged...)
			stream, err := c.Watch(c.ctx, &grpc_health_v1.HealthCheckRequest{})
			if err != nil {
				t.Fatal(err)
			}
			// The upstream says no more until the client leaves.
			if served, err := stream.Recv(); err != nil || served.Status != grpc_health_v1.HealthCheckResponse_SERVING {
				t.Fatalf("got %v, %v", served, err)
			}
			header, err := stream.Header()
			if err != nil {
				t.Fatal(err)
			}
			e, err := echoOf(header)
			if err != nil {
				t.Fatal(err)
			}
			e.has(t, "X-User-Id", "auth0|alice")
		})
	}
	run(t, "the upstream's own status arrives", func(t *testing.T) {
		c := r.dial(t, token)
		if _, err := c.List(c.ctx, &grpc_health_v1.HealthListRequest{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("got %v", err)
		}
	})
	for name, bad := range map[string]string{
		"no token": "", "an opaque one": "opaque", "an expired one": claims(map[string]any{"exp": 1}),
		"one of another audience": claims(map[string]any{"aud": "https://other.example"}),
	} {
		run(t, "with "+name+" a caller is unauthenticated", func(t *testing.T) {
			before := under.upstream.requests(t)
			if _, err := r.dial(t, bad, "x-user-id", "auth0|victim").check(); status.Code(err) != codes.Unauthenticated {
				t.Errorf("got %v", err)
			}
			if under.upstream.requests(t) != before {
				t.Error("the call reached the upstream")
			}
		})
	}
	run(t, "two tokens are a refusal", func(t *testing.T) {
		if _, err := r.dial(t, token, "authorization", "Bearer "+token).check(); err == nil {
			t.Error("the call passed")
		}
	})
}
