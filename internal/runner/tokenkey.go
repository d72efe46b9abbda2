package runner

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

const tokenKeySize = 32

// TokenKey is the key of the configurations' tokens that belongs to a socket:
// in a file beside it, which is made where there is none, so that APISIX's
// tokens still name the same configurations after a restart. Every user has a
// file of his own, since he must be its owner and nobody else may read it. The
// error says why there is none to be had.
func TokenKey(socket string) ([]byte, error) {
	name := ".go-runner-tokens-" + strconv.Itoa(os.Geteuid()) + ".key"
	key, err := tokenKey(filepath.Dir(socket), name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(filepath.Dir(socket), name), err)
	}
	return key, nil
}

var (
	errKeyForeign = errors.New("the file is not this user's own, or others may read it")
	errKeySize    = errors.New("the file is not a key")
)

func tokenKey(path, name string) ([]byte, error) {
	dir, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	key, err := readKey(dir, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, errKeySize): // our own, and of no use
		if err := dir.Remove(name); err != nil {
			return nil, err
		}
	default:
		return key, err
	}
	if err := makeKey(dir, name); err != nil {
		return nil, err
	}
	return readKey(dir, name) // whoever was first
}

func readKey(dir *os.Root, name string) ([]byte, error) {
	// Without O_NONBLOCK a pipe in its place would hold the start up.
	f, err := dir.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, errKeyForeign
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || !isOwn(info) || info.Mode().Perm()&0o077 != 0 {
		return nil, errKeyForeign
	}
	if info.Size() != tokenKeySize {
		return nil, errKeySize
	}
	key := make([]byte, tokenKeySize)
	if _, err := io.ReadFull(f, key); err != nil {
		return nil, err
	}
	return key, nil
}

// makeKey makes the file whole or not at all, and leaves one that is there.
func makeKey(dir *os.Root, name string) error {
	private, privateName, err := privateDirectory(dir)
	if err != nil {
		return err
	}
	defer func() {
		_ = private.Remove(name)
		_ = private.Close()
		_ = dir.Remove(privateName) // an empty directory is all that could be left
	}()
	key := make([]byte, tokenKeySize)
	_, _ = rand.Read(key) // it never fails
	if err := private.WriteFile(name, key, 0o600); err != nil {
		return err
	}
	if err := dir.Link(filepath.Join(privateName, name), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
