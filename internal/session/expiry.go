package session

import "time"

// RefreshBefore is how much time the token of a session has left when it is
// refreshed.
const RefreshBefore = time.Minute

// Live reports whether a session has not ended: neither its time is over nor was
// it idle for that long.
func (s *Session) Live(idle time.Duration, now time.Time) bool { return s.Left(idle, now) > 0 }

// Left is how long a session lives yet without a request.
func (s *Session) Left(idle time.Duration, now time.Time) time.Duration {
	return min(s.Ends.Sub(now), s.Written.Add(idle).Sub(now))
}

// Due reports whether a session was written so long ago, a twentieth of idle,
// that it is written anew as it is. One that a refresh is about to replace is
// not: written by a request that came just before that refresh, it would reach
// the browser after its successor and bring back the used refresh token.
func (s *Session) Due(idle time.Duration, now time.Time) bool {
	between := idle / 20
	if s.RefreshToken != "" && s.Expires.Sub(now) < RefreshBefore+min(RefreshBefore, between) {
		return false
	}
	return now.Sub(s.Written) >= between
}
