package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/runner"
)

// socketPath reads the address of --listen.
func socketPath(address string) (string, error) {
	if address == "" {
		return "", cannotRun("no address to listen on: APISIX sets APISIX_LISTEN_ADDRESS when it starts the runner; " +
			"as a side-car give --listen unix:/PATH/runner.sock, the path of ext-plugin.path_for_test in APISIX's config.yaml")
	}
	path, err := runner.ParseAddress(address)
	if err != nil {
		return "", cannotRun("%w", err)
	}
	return path, nil
}

// octal is a file mode, as chmod takes it.
type octal fs.FileMode

func (o *octal) String() string    { return fmt.Sprintf("%04o", uint32(*o)) }
func (o *octal) Type() string      { return "mode" }
func (o *octal) mode() fs.FileMode { return fs.FileMode(*o) }

func (o *octal) Set(text string) error {
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || n == 0 || n > 0o777 {
		return errors.New("want an octal mode from 0001 to 0777, such as 0660")
	}
	*o = octal(n)
	return nil
}
