// Package secret reads symmetric keys by reference, from the environment or
// from a file, and reads files again when they change. It must not know what a
// secret is used for, and none of its errors holds one.
package secret

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// MinLen is the shortest secret in use, in bytes (RFC 7518 section 3.2
	// for HS256).
	MinLen = 32
	maxLen = 64 << 10

	envPrefix  = "$env://"
	filePrefix = "$file://"
	checkEvery = 30 * time.Second
)

// Form is how a reference is written.
const Form = `a reference to a secret of at least 32 bytes: "$env://NAME" or "$file:///path"`

// The errors of [Open]; all of them wrap one.
var (
	ErrNoReference = errors.New("not a reference")
	ErrNotThere    = errors.New("what it refers to is not there or cannot be read")
	ErrTooShort    = errors.New("the secret is shorter than 32 bytes")
	ErrTooLong     = errors.New("the secret is longer than 64 KiB")
)

// Secret is a secret and where it came from. Its methods may be called by any
// goroutine.
type Secret struct {
	path    string // "" for the environment
	value   atomic.Pointer[[]byte]
	mu      sync.Mutex   // held by whoever reads the file again
	checked atomic.Int64 // Unix ns
	failing bool         // guarded by mu
	log     *slog.Logger
}

// Open reads the secret that ref names. Line breaks at its end do not count.
func Open(ref string, now time.Time, log *slog.Logger) (*Secret, error) {
	s := &Secret{log: log}
	var value []byte
	var err error
	if name, ok := strings.CutPrefix(ref, envPrefix); ok && name != "" {
		text, there := os.LookupEnv(name)
		if !there {
			return nil, ErrNotThere
		}
		value, err = checked([]byte(text))
	} else if path, ok := strings.CutPrefix(ref, filePrefix); ok && strings.HasPrefix(path, "/") {
		s.path = path
		value, err = readFile(path)
	} else {
		return nil, ErrNoReference
	}
	if err != nil {
		return nil, err
	}
	s.value.Store(&value)
	s.checked.Store(now.UnixNano())
	return s, nil
}

// Value is the secret. A file is read again when that is 30 s ago, by one of
// the callers; the last good value stays in use when it cannot be read.
func (s *Secret) Value(now time.Time) []byte {
	if s.path != "" && now.UnixNano()-s.checked.Load() >= int64(checkEvery) && s.mu.TryLock() {
		s.again(now)
		s.mu.Unlock()
	}
	return *s.value.Load()
}

func (s *Secret) again(now time.Time) {
	s.checked.Store(now.UnixNano())
	value, err := readFile(s.path)
	if err != nil {
		if !s.failing {
			s.log.Warn("a secret's file cannot be read; the last good secret stays in use", "path", s.path, "error", err.Error())
		}
		s.failing = true
		return
	}
	s.failing = false
	s.value.Store(&value)
}

// readFile reads a regular file, so that no pipe can hold a request.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return nil, ErrNotThere
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, ErrNotThere
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxLen+1))
	if err != nil {
		return nil, ErrNotThere
	}
	return checked(data)
}

func checked(data []byte) ([]byte, error) {
	data = []byte(strings.TrimRight(string(data), "\r\n"))
	switch {
	case len(data) < MinLen:
		return nil, ErrTooShort
	case len(data) > maxLen:
		return nil, ErrTooLong
	}
	return data, nil
}
