//go:build !linux

package runner

// loops are there on Linux alone.
type loops struct{ wanted int }

func (s *Server) acceptInLoops(*Listener) bool { return false }

func (s *Server) drainLoops() {}
