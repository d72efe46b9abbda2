package config

import (
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
)

// Login is the key login: browser sessions. It is not changed after [Parse]
// made it.
type Login struct {
	// Digest is of the object as it was written, references to secrets included.
	// Two that are equal have the same.
	Digest [32]byte

	ClientID         string
	ClientSecret     *secret.Secret // nil is none
	ClientPrivateKey *secret.Secret // a private key in PEM; nil is none, and with neither the client is public

	RedirectURI  string // the callback
	Origin       string // of RedirectURI, as RFC 6454 section 6.2 writes it: scheme, host, and the port where it is not the scheme's own
	CallbackPath string // of RedirectURI
	Insecure     bool   // the origin's scheme is http, which the operator allowed

	DiscoveryURL string // of the issuer, also where its keys come from elsewhere
	Audience     string // sent as audience; "" sends none

	Scope               string // holds openid
	JudgeIDToken        bool   // subject_token: id_token
	ForwardAccessToken  bool
	AuthorizationParams map[string]string
	ForwardParams       []string
	PushedRequests      PushedRequests

	LoginPath             string
	LogoutPath            string
	PostLogoutRedirectURI string // "" is none
	BackchannelLogoutPath string // "" is none

	Session LoginSession
}

// PushedRequests says when authorization requests are pushed (RFC 9126).
type PushedRequests uint8

// The values of pushed_authorization_requests.
const (
	PushWhereRequired PushedRequests = iota // by discovery
	PushAlways
	PushNever
)

// LoginSession is the key session of login.
type LoginSession struct {
	Secrets         []*secret.Secret // at least one; the first seals, all open
	Redis           bool             // session.store: redis
	Cookie          string           // the cookie's name
	SameSiteNone    bool
	IdleTimeout     time.Duration
	AbsoluteTimeout time.Duration
}
