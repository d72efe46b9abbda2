package main

import (
	"crypto/x509"
	"os"
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
		pool = x509.NewCertPool() // there is none, as in an image of our binary alone
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, badInput("--ca-file: %s holds no certificate in PEM", file)
	}
	return pool, nil
}
