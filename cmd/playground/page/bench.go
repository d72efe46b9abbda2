package page

import (
	"context"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// Bench is what the page works on: a gateway, the real runner, two issuers and an
// upstream. Its methods may be called by many at once.
type Bench interface {
	Site() Site
	// Mint makes a token of one of the tenants.
	Mint(t Tenant, r issuer.MintRequest) (string, error)
	// PutRoute puts a route through the gateway's Admin API.
	PutRoute(ctx context.Context, id string, body []byte) error
	// Act does what a button says, and tells in a plain sentence what happened.
	Act(ctx context.Context, a Act, subject string) (said string, err error)
	// Metrics are the runner's own, as Prometheus reads them.
	Metrics(ctx context.Context) ([]byte, error)
	// Runner is the process that serves now.
	Runner() Runner
	// Revocations are what was revoked and not taken back.
	Revocations() []revocation.Revocation
	// Sick are the issuers that were made sick.
	Sick() []string
	Load() Load
}

// Site is where everything is. URLs of issuers end in a slash, the others do not.
type Site struct {
	Gateway, Admin, Upstream string
	Node                     string // the upstream's host and port, as the gateway reaches it
	Issuer, OtherIssuer      string
	APISIX                   string // what the gateway is a double of
	RunnerVersion            string
	// Client and the environment variables that hold its secret and the sessions'.
	Client, ClientSecret, SessionSecret string
	Began                               time.Time // when what is revoked from the start was
}

// Tenant is one of the bench's two issuers.
type Tenant uint8

// The tenants.
const (
	Home Tenant = iota
	Other
)

// Runner is a runner process.
type Runner struct {
	Up  bool
	PID int
	// Start counts the processes: what the runner remembers, and its counters,
	// begin anew with each.
	Start int
}

// Load is what the background load has sent since it was started.
type Load struct {
	Running bool  `json:"running"`
	Good    int64 `json:"good"`   // answers to good tokens
	Bad     int64 `json:"bad"`    // answers to bad ones
	Wrong   int64 `json:"wrong"`  // good ones refused, or bad ones let through
	Failed  int64 `json:"failed"` // no answer, or 5xx
}

// Act is what a button does.
type Act string

// The acts.
const (
	RotateKeys       Act = "rotate-keys"
	IssuerSick       Act = "issuer-sick"
	IssuerWell       Act = "issuer-well"
	RevokeUser       Act = "revoke-user"
	ClearRevocations Act = "clear-revocations"
	RestartRunner    Act = "restart-runner"
	ReloadGateway    Act = "reload-gateway"
	LoadStart        Act = "load-start"
	LoadStop         Act = "load-stop"
)

var acts = []Act{RotateKeys, IssuerSick, IssuerWell, RevokeUser, ClearRevocations, RestartRunner, ReloadGateway, LoadStart, LoadStop}
