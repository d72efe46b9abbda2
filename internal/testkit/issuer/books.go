package issuer

import (
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"time"
)

// books are what the provider remembers.
type books struct {
	mu          sync.Mutex
	clients     map[string]*Client
	users       map[string]*User
	settings    Settings
	sessions    map[string]*session       // by cookie
	forms       map[string]*authorization // shown to a person, by their id
	pushed      map[string]*authorization // by request_uri
	codes       map[string]*code
	refresh     map[string]*refreshToken
	access      map[string]*grant // by access token, for userinfo
	consents    map[string]bool   // client and user
	invitations map[string]Organization
	used        map[string]bool
	asked       []map[string]string // parameters of /authorize and PAR
}

func newBooks() *books {
	b := &books{
		clients: map[string]*Client{}, users: map[string]*User{}, sessions: map[string]*session{},
		forms: map[string]*authorization{}, pushed: map[string]*authorization{}, codes: map[string]*code{},
		refresh: map[string]*refreshToken{}, access: map[string]*grant{}, consents: map[string]bool{},
		invitations: map[string]Organization{}, used: map[string]bool{},
	}
	for _, name := range []string{"alice", "bob"} {
		b.users["auth0|"+name] = newUser("auth0|"+name, name)
	}
	return b
}

// first reports whether it is asked about name for the first time.
func (b *books) first(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.used[name]
	b.used[name] = true
	return !before
}

// User is a person who can log in. There are auth0|alice and auth0|bob from the
// start.
type User struct {
	Sub           string         `json:"sub"`
	Claims        map[string]any `json:"claims"`        // of ID tokens and userinfo, whatever the scope
	AccessClaims  map[string]any `json:"access_claims"` // of access tokens
	Permissions   []string       `json:"permissions"`
	Organizations []Organization `json:"organizations"`
}

// Organization is one of Auth0's.
type Organization struct {
	ID   string `json:"id"` // org_…
	Name string `json:"name"`
}

func newUser(sub, name string) *User {
	return &User{Sub: sub, Claims: map[string]any{
		"name": name, "nickname": name, "email": name + "@example.com", "email_verified": true,
	}}
}

// AddUser adds a user, or replaces the one with that sub.
func (i *Issuer) AddUser(u User) {
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	i.books.users[u.Sub] = &u
}

// Invite makes an invitation to an organization, which one login may use.
func (i *Issuer) Invite(o Organization) (invitation string) {
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	invitation = rand.Text()
	i.books.invitations[invitation] = o
	return invitation
}

// subs are the users' names in order.
func (b *books) subs() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.users))
}

// user finds a user by sub, or by the name after the bar.
func (b *books) user(name string) *User {
	b.mu.Lock()
	defer b.mu.Unlock()
	if u := b.users[name]; u != nil {
		return u
	}
	return b.users["auth0|"+name]
}

// Settings say how the provider answers. The zero Settings are Auth0's, with a
// form for a person.
type Settings struct {
	Headless   *Headless `json:"headless"` // nil shows a form
	RequirePAR bool      `json:"require_par"`
	WithoutIss bool      `json:"without_iss"` // answers have no iss (RFC 9207), and discovery says so
	// Discovery is laid over the discovery document; a null takes a member out.
	// It changes no endpoint.
	Discovery map[string]any `json:"discovery"`
}

// Headless answers in place of a person: the user of login_hint logs in, or
// User where there is none, with a second factor where one is asked for, and
// allows everything.
type Headless struct {
	User string `json:"user"` // "" is auth0|alice
	Deny bool   `json:"deny"` // access_denied in place of a login
}

// Set changes the settings, all of them at once.
func (i *Issuer) Set(s Settings) {
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	i.books.settings = s
}

func (i *Issuer) settings() Settings {
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	return i.books.settings
}

// session is a browser's login here. It is changed under the books' lock.
type session struct {
	sid      string
	user     *User
	authTime time.Time
	acr      string          // "" without a second factor
	clients  map[string]bool // that got tokens of it
}

// asking notes what an application asked for.
func (b *books) asking(p params) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, maps.Clone(p))
}

// Asked are the parameters of every authorization request so far, those that
// were pushed and those that were refused included.
func (i *Issuer) Asked() []map[string]string {
	i.books.mu.Lock()
	defer i.books.mu.Unlock()
	return slices.Clone(i.books.asked)
}
