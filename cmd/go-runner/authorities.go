package main

import (
	"crypto/x509"
	"os"

	// Mozilla's authorities, for where the system has none, as in an image of
	// our binary alone.
	_ "golang.org/x/crypto/x509roots/fallback"
)

// authorities are the system's and those of --ca-file; nil is the system's.
func authorities(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, badInput("--ca-file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, cannotRun("the system's certificate authorities: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, badInput("--ca-file: %s holds no certificate in PEM", file)
	}
	return pool, nil
}
