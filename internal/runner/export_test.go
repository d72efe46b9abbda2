package runner

import "time"

// SetTimeouts is how long a frame may take to arrive, and an answer to be read.
func (s *Server) SetTimeouts(of time.Duration) { s.frameTimeout, s.writeTimeout = of, of }
