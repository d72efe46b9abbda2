package page

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
)

const (
	answerWithin = 10 * time.Second
	maxAnswer    = 1 << 20 // bytes
)

// received is an answer as it came.
type received struct {
	status  int
	headers [][2]string
	body    []byte
	wire    *gateway.Exchange // nil where the runner was not asked
}

// send sends a request that is valid to the gateway and to nothing else. It writes
// the bytes itself, so that every header is sent as it was given, repeated ones and
// ones with _ too, and in a connection of its own, by which the exchange with the
// runner is found.
func send(ctx context.Context, site Site, wire *Wire, r request) (received, error) {
	at, err := url.Parse(site.Gateway)
	if err != nil {
		return received{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at.Host)
	if err != nil {
		return received{}, fmt.Errorf("the gateway does not answer: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	client, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return received{}, err
	}
	wire.watch(client)
	defer wire.take(client)
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\n", r.Method, r.Path)
	for _, h := range r.Headers {
		fmt.Fprintf(&head, "%s: %s\r\n", h[0], h[1])
	}
	head.WriteString("\r\n")
	if _, err := conn.Write(head.Bytes()); err != nil {
		return received{}, fmt.Errorf("the gateway does not take the request: %w", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.Method})
	if err != nil {
		return received{}, fmt.Errorf("the gateway gives no answer: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return received{}, fmt.Errorf("the gateway's answer was cut: %w", err)
	}
	got := received{status: resp.StatusCode, body: body, wire: wire.take(client)}
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		for _, value := range resp.Header[name] {
			got.headers = append(got.headers, [2]string{name, value})
		}
	}
	return got, nil
}
