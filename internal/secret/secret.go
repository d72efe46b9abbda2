// Package secret reads symmetric keys by reference, from the environment or
// from a file, and reads files again when they change. It must not know what a
// secret is used for, and none of its errors holds one.
package secret

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
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
const Form = `"$env://NAME" or "$file:///path"`

// The errors of [Open]; all of them wrap one.
var (
	ErrNoReference = errors.New("not a reference")
	ErrNotThere    = errors.New("what it refers to is not there or cannot be read")
	ErrTooShort    = errors.New("the secret is shorter than that")
	ErrTooLong     = errors.New("the secret is longer than 64 KiB")
	// ErrOutside and ErrNotBelow say nothing of what there is outside of the
	// directory: nobody looks.
	ErrOutside  = errors.New("the operator limits the files of secrets to one directory (--secrets-dir), and this is none below it")
	ErrNotBelow = errors.New("the operator limits the files of secrets to one directory (--secrets-dir), and there is none by this name below it that can be read; a link must not lead out of it")
)

// Options are what a secret has to be like and where it may stand.
type Options struct {
	// MinLen is the shortest secret that will do, in bytes; less than
	// [MinLen] is that.
	MinLen int
	// Use is what the secret is for.
	Use Use
	// Dir is an absolute path; files that are not below it are refused. "" is
	// any file. References to the environment are not limited by it.
	Dir string
	// Now is the time.
	Now time.Time
	// Logger is told of a file that cannot be read later on; nil is
	// slog.Default.
	Logger *slog.Logger
}

// Use is what a secret is for. It says how short one may be.
type Use uint8

const (
	// KeyUse is a key of a MAC or a cipher: at least [MinLen].
	KeyUse Use = iota
	// CredentialUse is what another party issued, such as a client's secret or a
	// key in PEM: anything that is not empty.
	CredentialUse
)

// Secret is a secret and where it came from. Its methods may be called by any
// goroutine.
type Secret struct {
	opt     Options
	path    string // "" for the environment
	value   atomic.Pointer[[]byte]
	mu      sync.Mutex   // held by whoever reads the file again
	checked atomic.Int64 // Unix ns
	failing bool         // guarded by mu
}

// Open reads the secret that ref names. Line breaks at its end do not count.
func Open(ref string, opt Options) (*Secret, error) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	s := &Secret{opt: opt}
	var value []byte
	var err error
	if name, ok := strings.CutPrefix(ref, envPrefix); ok && name != "" {
		text, there := os.LookupEnv(name)
		if !there {
			return nil, ErrNotThere
		}
		value, err = s.trimmed([]byte(text))
	} else if path, ok := strings.CutPrefix(ref, filePrefix); ok && strings.HasPrefix(path, "/") {
		s.path = path
		value, err = s.read()
	} else {
		return nil, ErrNoReference
	}
	if err != nil {
		return nil, err
	}
	s.value.Store(&value)
	s.checked.Store(opt.Now.UnixNano())
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
	value, err := s.read()
	if err != nil {
		if !s.failing {
			s.opt.Logger.Warn("a secret's file cannot be used; the last good secret stays in use", "path", s.path, "error", err.Error())
		}
		s.failing = true
		return
	}
	s.failing = false
	s.value.Store(&value)
}

func (s *Secret) read() ([]byte, error) {
	if s.opt.Dir == "" {
		data, err := readRegular(s.path, os.Stat, os.OpenFile)
		if err != nil {
			return nil, ErrNotThere
		}
		return s.trimmed(data)
	}
	name, err := filepath.Rel(s.opt.Dir, s.path)
	if err != nil || !filepath.IsLocal(name) {
		return nil, ErrOutside
	}
	// Opened each time: the directory itself may be replaced. What is below it
	// is found without leaving it, whatever links there are.
	root, err := os.OpenRoot(s.opt.Dir)
	if err != nil {
		return nil, ErrNotBelow
	}
	defer root.Close()
	data, err := readRegular(name, root.Stat, root.OpenFile)
	if err != nil {
		return nil, ErrNotBelow
	}
	return s.trimmed(data)
}

var errNotRegular = errors.New("not a regular file")

// readRegular reads a file up to a little more than a secret may have. It opens
// nothing but regular files, since opening a device can do harm, and it waits
// for no pipe that takes a file's place meanwhile.
func readRegular(name string, stat func(string) (fs.FileInfo, error), open func(string, int, fs.FileMode) (*os.File, error)) ([]byte, error) {
	if info, err := stat(name); err != nil || !info.Mode().IsRegular() {
		return nil, cmp.Or(err, errNotRegular)
	}
	f, err := open(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, cmp.Or(err, errNotRegular)
	}
	return io.ReadAll(io.LimitReader(f, maxLen+3)) // with a line break at its end
}

// trimmed is the secret in data.
func (s *Secret) trimmed(data []byte) ([]byte, error) {
	data = bytes.TrimRight(data, "\r\n")
	least := max(s.opt.MinLen, MinLen)
	if s.opt.Use == CredentialUse {
		least = max(s.opt.MinLen, 1)
	}
	switch {
	case len(data) < least:
		return nil, ErrTooShort
	case len(data) > maxLen:
		return nil, ErrTooLong
	}
	return data, nil
}
