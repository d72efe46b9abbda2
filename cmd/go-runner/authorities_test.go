package main

import (
	"crypto/x509"
	"os"
	"os/exec"
	"testing"
)

func TestThereAreAuthoritiesWhereTheSystemHasNone(t *testing.T) {
	const inside = "TEST_OF_AUTHORITIES"
	if os.Getenv(inside) != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			t.Fatal(err)
		}
		if pool.Equal(x509.NewCertPool()) {
			t.Error("there are none")
		}
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The system's authorities are read once in a process.
	cmd := exec.Command(program, "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), inside+"=1", "SSL_CERT_FILE=/does/not/exist", "SSL_CERT_DIR=/does/not/exist")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
