// Package session seals what a browser keeps of its session, and opens it
// again: keys, bytes and times. It must not know OpenID.
package session

import "time"

// Session is what a login left. It is not changed once it was made; a refresh
// makes a successor with the same ID and Begun.
type Session struct {
	// ID is random, drawn at login. A logout revokes it.
	ID [16]byte
	// Begun is the time of the login, in whole milliseconds.
	Begun time.Time
	// Ends is the latest time that the session lives to, whatever happens.
	Ends time.Time
	// Written is when its cookie was written; the session is idle since then.
	Written time.Time

	AccessToken  string // "" where the route judges the ID token and forwards no access token
	IDToken      string // "" where nothing needs it
	RefreshToken string // "" where the issuer gave none
	// Expires is when the token that the route judges does, as its issuer said.
	Expires time.Time

	SID     string // sid of the ID token (OpenID Connect Front-Channel Logout 1.0 section 3); "" is none
	Subject string // sub of the ID token
	// SteppedUp names what a step-up asked this login for, "" where none did: what
	// it falls short of all the same is not asked for again.
	SteppedUp string
	// Refreshes is how often the tokens were replaced since the login. A session
	// does not take the place of one that was refreshed more often.
	Refreshes uint32
}
