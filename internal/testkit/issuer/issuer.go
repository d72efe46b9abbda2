// Package issuer is an OpenID provider in Auth0's shape for tests: discovery,
// JWKS, rotation, tokens with any claims, logins, sessions, logout, faults and
// counters. It must not know who verifies its tokens or sends browsers to it.
//
// A test registers an application with [Issuer.Register] and, where no person
// clicks, lets [Settings.Headless] answer for one. Everything that the methods
// do can be done over HTTP too: control.go lists the paths.
package issuer

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// DefaultAudience is the aud of a token that asks for no other.
const DefaultAudience = "https://api.example.com"

// Options say where the issuer is.
type Options struct {
	Addr string // where it listens; "" is 127.0.0.1:0
	URL  string // its name in iss, with a slash at the end; "" is http://ADDR/
	// BrowserURL is where browsers reach it, with a slash at the end; "" is URL.
	// Discovery announces the endpoints that browsers are sent to below it, and
	// all others below URL: in containers, a name that the runner resolves is
	// often none that a browser on the host does.
	BrowserURL string
	// Now is the clock; nil is time.Now. [Issuer.SetClock] puts it wrong.
	Now func() time.Time
}

// Issuer is a running provider. Its methods may be called at any time and by
// many at once.
type Issuer struct {
	server http.Server
	served chan struct{} // closed when the server ended
	ending chan struct{} // closed when Close begins
	url    string
	public string                      // BrowserURL
	rogue  func() (*generation, error) // made when first asked for
	clock  func() time.Time
	out    *http.Client // to the applications, for back-channel logout
	books  *books

	mu          sync.Mutex
	generations []*generation // previous, current, next
	revoked     bool          // previous left the set
	faults      map[string]*activeFault
	offset      time.Duration // of the clock
	counters    Counters
	counted     chan struct{} // closed and made anew with every count
}

// Start makes its keys and listens. The error says that the URL is not one
// that Auth0 would put in iss, or that the address is taken.
func Start(opt Options) (*Issuer, error) {
	if opt.Addr == "" {
		opt.Addr = "127.0.0.1:0"
	}
	for _, url := range []string{opt.URL, opt.BrowserURL} {
		if url != "" && !strings.HasSuffix(url, "/") {
			return nil, fmt.Errorf("issuer: the URL %q must end in a slash, as Auth0's do", url)
		}
	}
	l, err := net.Listen("tcp", opt.Addr)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	i := &Issuer{
		url: opt.URL, public: opt.BrowserURL, served: make(chan struct{}), ending: make(chan struct{}), faults: map[string]*activeFault{},
		rogue: sync.OnceValues(newGeneration), clock: opt.Now, out: backChannel(),
		counted: make(chan struct{}), books: newBooks(),
	}
	if i.clock == nil {
		i.clock = time.Now
	}
	if i.url == "" {
		i.url = "http://" + l.Addr().String() + "/"
	}
	if i.public == "" {
		i.public = i.url
	}
	if i.generations, err = newGenerations(3); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	i.server = http.Server{Handler: i.handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(i.served)
		_ = i.server.Serve(l) // ends at Close only: net/http retries what passes
	}()
	return i, nil
}

// URL is the issuer's name, as in iss, with a slash at the end.
func (i *Issuer) URL() string { return i.url }

// Close ends it, with every connection. It is called once.
func (i *Issuer) Close() error {
	close(i.ending)
	err := i.server.Close()
	<-i.served
	return err
}

// SetClock makes the issuer's clock differ from the one it was given: ahead is
// negative for a clock that is slow.
func (i *Issuer) SetClock(ahead time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.offset = ahead
}

func (i *Issuer) now() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.clock().Add(i.offset)
}

// Rotate makes the next keys the current ones, the current ones the previous
// ones and new ones the next, as Auth0 does. The previous ones stay in the set.
func (i *Issuer) Rotate() error {
	fresh, err := newGeneration() // before the lock: it takes a while
	if err != nil {
		return err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.generations = append(i.generations[1:], fresh)
	i.revoked = false
	return nil
}

// Revoke takes the previous keys out of the set, until the next Rotate.
func (i *Issuer) Revoke() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.revoked = true
}
