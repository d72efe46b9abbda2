package gateway

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	upstreamConnectTimeout = 6 * time.Second
	upstreamTimeout        = 60 * time.Second
	upstreamIdleConns      = 64
	upstreamInline         = 64 << 10 // bytes that a socket takes without a reader
)

// upstreamPool speaks to upstreams. It writes what it is given: net/http would
// trim headers' values, and nginx does not.
type upstreamPool struct {
	mu     sync.Mutex
	idle   map[string][]*upstreamConn
	all    map[*upstreamConn]struct{}
	closed bool
}

// upstreamConn carries one request at a time.
type upstreamConn struct {
	net.Conn
	r    *bufio.Reader
	node string
	sent chan error // one value, when the request was written
}

// roundTrip sends a request and reads the answer's header. The answer's body
// must be closed. The connection is for one on which the upstream switched
// protocols.
func (p *upstreamPool) roundTrip(scheme, node, method string, head, body []byte) (*http.Response, *upstreamConn, error) {
	conn, err := p.connect(scheme, node)
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(upstreamTimeout))
	write := func() {
		_, err := (&net.Buffers{head, body}).WriteTo(conn.Conn)
		conn.sent <- err
	}
	if len(body) > upstreamInline {
		go write() // the upstream may answer before it has read everything
	} else {
		write()
	}
	for {
		response, err := http.ReadResponse(conn.r, &http.Request{Method: method})
		switch {
		case err != nil:
			p.end(conn)
			return nil, nil, err
		case response.StatusCode == http.StatusSwitchingProtocols:
			response.Body = &upstreamBody{ReadCloser: response.Body, pool: p, conn: conn, last: true}
			return response, conn, nil
		case response.StatusCode/100 != 1:
			response.Body = &upstreamBody{ReadCloser: response.Body, pool: p, conn: conn, last: response.Close}
			return response, conn, nil
		}
	}
}

func (p *upstreamPool) connect(scheme, node string) (*upstreamConn, error) {
	for conn := p.takeIdle(node); conn != nil; conn = p.takeIdle(node) {
		if quiet(conn.Conn, conn.r) {
			return conn, nil
		}
		p.end(conn)
	}
	dialer := &net.Dialer{Timeout: upstreamConnectTimeout}
	dial := dialer.Dial
	if scheme == "https" {
		dial = (&tls.Dialer{NetDialer: dialer}).Dial
	}
	raw, err := dial("tcp", node)
	if err != nil {
		return nil, err
	}
	conn := &upstreamConn{Conn: raw, r: bufio.NewReader(raw), node: node, sent: make(chan error, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = raw.Close()
		return nil, errors.New("the gateway is closed")
	}
	if p.all == nil {
		p.idle, p.all = map[string][]*upstreamConn{}, map[*upstreamConn]struct{}{}
	}
	p.all[conn] = struct{}{}
	return conn, nil
}

func (p *upstreamPool) takeIdle(node string) *upstreamConn {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := p.idle[node]
	if len(idle) == 0 {
		return nil
	}
	p.idle[node] = idle[:len(idle)-1]
	return idle[len(idle)-1]
}

func (p *upstreamPool) keep(conn *upstreamConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.idle[conn.node]) >= upstreamIdleConns {
		return false
	}
	p.idle[conn.node] = append(p.idle[conn.node], conn)
	return true
}

func (p *upstreamPool) end(conn *upstreamConn) {
	_ = conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, conn)
}

func (p *upstreamPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for conn := range p.all {
		_ = conn.Close()
	}
}

// upstreamBody gives its connection back where it was read to the end.
type upstreamBody struct {
	io.ReadCloser
	pool  *upstreamPool
	conn  *upstreamConn
	last  bool // the upstream closes the connection
	ended bool
}

func (b *upstreamBody) Read(p []byte) (int, error) {
	_ = b.conn.SetReadDeadline(time.Now().Add(upstreamTimeout))
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}

func (b *upstreamBody) Close() error {
	if !b.last && (b.ended || b.ReadCloser == http.NoBody) {
		select {
		case err := <-b.conn.sent:
			if err == nil && b.pool.keep(b.conn) {
				return nil
			}
		default: // answered before it read everything
		}
	}
	b.pool.end(b.conn)
	return nil
}
