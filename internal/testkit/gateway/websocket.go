package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"time"
)

// through carries bytes between a client and an upstream that switched protocols,
// until either ends or says nothing for as long as nginx waits.
func (req *request) through(a answer, r *bufio.Reader, w *bufio.Writer, conn net.Conn) {
	defer func() { _ = a.stream.Close() }()
	fmt.Fprintf(w, "HTTP/1.1 %d Switching Protocols\r\nServer: %s\r\nConnection: upgrade\r\n", a.status, serverName)
	for _, line := range req.response {
		fmt.Fprintf(w, "%s: %s\r\n", line.name, line.value)
	}
	_, _ = w.WriteString("\r\n")
	if w.Flush() != nil {
		return
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pass(a.tunnel, r, conn)
		_ = a.tunnel.Close()
	}()
	pass(conn, a.tunnel.r, a.tunnel.Conn)
	_ = conn.Close()
	<-ended
}

// pass copies what comes from a connection, through its reader.
func pass(to io.Writer, from io.Reader, conn net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(upstreamTimeout))
		n, err := from.Read(buf)
		if n > 0 {
			if _, bad := to.Write(buf[:n]); bad != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
