package fetch_test

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
)

// nameServer answers every question for an IPv4 address with the same one
// (RFC 1035 section 4), over the connection that the resolver dials.
type nameServer struct{ address atomic.Pointer[netip.Addr] }

func (s *nameServer) dial(context.Context, string, string) (net.Conn, error) {
	resolver, own := net.Pipe()
	go func() {
		defer own.Close()
		for {
			var size [2]byte
			if _, err := io.ReadFull(own, size[:]); err != nil {
				return
			}
			query := make([]byte, binary.BigEndian.Uint16(size[:]))
			if _, err := io.ReadFull(own, query); err != nil {
				return
			}
			answer := s.answer(query)
			if _, err := own.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
				return
			}
		}
	}()
	return resolver, nil
}

func (s *nameServer) answer(query []byte) []byte {
	const header, typeA = 12, 1
	end := header
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 5 // the empty label, type and class
	answers := byte(0)
	var record []byte
	if kind := binary.BigEndian.Uint16(query[end-4:]); kind == typeA {
		answers = 1
		record = slices.Concat([]byte{0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4}, s.address.Load().AsSlice())
	}
	return slices.Concat(query[:2], []byte{0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0}, query[header:end], record)
}

func TestANameIsJudgedByEveryAddressThatItResolvesTo(t *testing.T) {
	var names nameServer
	resolver := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: names.dial}
	t.Cleanup(func() { net.DefaultResolver = resolver })
	secure := serve(t, httptest.NewTLSServer, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // so that the next request resolves the name again
		page(w, r)
	}))
	trusted := x509.NewCertPool()
	trusted.AddCert(secure.Certificate())
	c := fetch.New(fetch.Options{AllowNetworks: networks("127.0.0.1/32"), RootCAs: trusted})
	defer c.Close()
	_, port, _ := net.SplitHostPort(secure.Listener.Addr().String())
	for _, step := range []struct{ address, failed string }{
		{"127.0.0.1", ""},
		{"127.0.0.2", fetch.FailedAddress},
		{"169.254.169.254", fetch.FailedAddress},
		{"127.0.0.1", ""},
	} {
		address := netip.MustParseAddr(step.address)
		names.address.Store(&address)
		if _, failed := get(t, c, fetch.Request{URL: "https://example.com:" + port}); failed != step.failed {
			t.Errorf("%s: failed with %q, want %q", step.address, failed, step.failed)
		}
	}
}
