package auth0jwt

import "time"

// WithClock makes options of another clock.
func WithClock(o *Options, now func() time.Time) { o.now = now }
