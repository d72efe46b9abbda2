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
