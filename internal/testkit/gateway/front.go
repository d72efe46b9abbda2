package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

const (
	serverName   = "APISIX/3.18.0"
	proxyBuffers = 64 << 10
	drainAtMost  = 1 << 20 // of a body nobody read, to keep a connection
)

// answer is what the client gets. A reader is streamed; a nil body with a
// status from 300 on is nginx's own page.
type answer struct {
	status int
	body   []byte
	stream io.ReadCloser
	length int64 // of stream, -1 where it is not known
	// buffered has nginx collect the stream before it sends a part of it.
	buffered bool
	tunnel   *upstreamConn  // where the upstream switched protocols
	upstream *http.Response // whose trailers follow the stream; or nil
}

// serveConn answers the requests of one client connection, one after another.
func (g *Gateway) serveConn(c *client) {
	conn := c.Conn
	defer func() { _ = conn.Close() }()
	r := bufio.NewReaderSize(conn, largeBuffer)
	w := bufio.NewWriter(conn)
	for {
		if _, err := r.Peek(1); err != nil || !g.begin(c) {
			return
		}
		if beginsHTTP2(r) {
			g.serveHTTP2(c, r)
			return
		}
		req, err := readHead(r)
		var refused badRequest
		if errors.As(err, &refused) {
			req = &request{proto: "HTTP/1.1", close: true}
			_ = req.write(w, answer{status: int(refused)})
			lingerClose(conn)
			return
		}
		if err != nil {
			return
		}
		req.remote, _ = netip.ParseAddrPort(conn.RemoteAddr().String())
		req.local, _ = netip.ParseAddrPort(conn.LocalAddr().String())
		req.frame(r, conn)
		worker := c.of.nextWorker()
		given := g.handle(req, worker)
		drained := req.drain()
		req.close = req.close || !drained || g.quitting(c)
		if given.tunnel != nil {
			req.through(given, r, w, conn)
			req.logged(worker)
			return
		}
		bad := req.write(w, given)
		req.logged(worker)
		if bad != nil {
			return
		}
		if req.close {
			lingerClose(conn)
			return
		}
		if !g.rest(c) {
			return
		}
	}
}

// lingerClose lets the client read the answer before the connection is reset
// for bytes nobody read.
func lingerClose(conn net.Conn) {
	if half, ok := conn.(*net.TCPConn); ok && half.CloseWrite() == nil {
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = io.Copy(io.Discard, io.LimitReader(conn, drainAtMost))
	}
}

// frame finds the body behind a header.
func (req *request) frame(r *bufio.Reader, conn net.Conn) {
	if _, chunked := req.headers.get("Transfer-Encoding"); chunked {
		req.body = &chunkedBody{Reader: httputil.NewChunkedReader(r), r: r}
	} else if length, sized := req.headers.get("Content-Length"); sized {
		n, _ := strconv.ParseInt(length, 10, 64)
		if n > 0 {
			req.body = &sizedBody{r: r, left: n}
		}
	}
	expect, _ := req.headers.get("Expect")
	if req.body != nil && strings.EqualFold(expect, "100-continue") {
		req.body = &expectedBody{Reader: req.body, conn: conn}
	}
}

// sizedBody reports a cut-off body as an error, which io.LimitReader does not.
type sizedBody struct {
	r    io.Reader
	left int64
}

func (b *sizedBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if errors.Is(err, io.EOF) && b.left > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

type chunkedBody struct {
	io.Reader
	r    *bufio.Reader
	done bool
}

func (b *chunkedBody) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		b.done = true
		if _, bad := textproto.NewReader(b.r).ReadMIMEHeader(); bad != nil {
			err = bad
		}
	}
	return n, err
}

// expectedBody tells the client to continue once somebody wants the body.
type expectedBody struct {
	io.Reader
	conn  net.Conn
	asked bool
}

func (b *expectedBody) Read(p []byte) (int, error) {
	if !b.asked {
		b.asked = true
		if _, err := io.WriteString(b.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return 0, err
		}
	}
	return b.Reader.Read(p)
}

// drain reads what is left of the body. It is false where the connection is
// of no more use.
func (req *request) drain() bool {
	if req.body == nil || req.bodyRead {
		return true
	}
	if expected, ok := req.body.(*expectedBody); ok && !expected.asked {
		return false
	}
	n, err := io.Copy(io.Discard, io.LimitReader(req.body, drainAtMost))
	return err == nil && n < drainAtMost
}

// complete is the answer with what nginx adds where nobody said more.
func (req *request) complete(a answer) answer {
	if a.body == nil && a.stream == nil && a.status >= 300 {
		a.body = nginxPage(a.status)
		req.response.set("Content-Type", "text/html; charset=utf-8")
	}
	if _, typed := req.response.get("Content-Type"); !typed && len(a.body) > 0 {
		req.response.set("Content-Type", "text/plain; charset=utf-8")
	}
	if a.stream == nil {
		a.length = int64(len(a.body))
	}
	return a
}

// write sends the answer with the response headers plugins left.
func (req *request) write(w *bufio.Writer, a answer) error {
	if a.stream != nil {
		defer func() { _ = a.stream.Close() }()
	}
	a = req.complete(a)
	bodyless := req.method == http.MethodHead || a.status == 204 || a.status == 304
	chunked := a.length < 0 && req.proto == "HTTP/1.1" && !bodyless
	req.close = req.close || a.length < 0 && !chunked && !bodyless
	req.head(w, a, chunked)
	switch {
	case bodyless:
	case a.stream == nil:
		_, _ = w.Write(a.body)
	case chunked:
		c := httputil.NewChunkedWriter(w)
		if err := a.send(c, w.Flush); err != nil {
			return err
		}
		_ = c.Close()
		_, _ = w.WriteString("\r\n")
	default:
		if err := a.send(w, w.Flush); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (req *request) head(w *bufio.Writer, a answer, chunked bool) {
	fmt.Fprintf(w, "HTTP/1.1 %d %s\r\n", a.status, http.StatusText(a.status))
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Connection"} {
		req.response.set(name, "")
	}
	if _, dated := req.response.get("Date"); !dated {
		req.response.set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	req.response.set("Server", serverName)
	clean := strings.NewReplacer("\r", "", "\n", "")
	for _, line := range req.response {
		fmt.Fprintf(w, "%s: %s\r\n", clean.Replace(line.name), clean.Replace(line.value))
	}
	switch {
	case chunked:
		_, _ = w.WriteString("Transfer-Encoding: chunked\r\n")
	case a.length >= 0 && a.status != 204 && a.status != 304:
		fmt.Fprintf(w, "Content-Length: %d\r\n", a.length)
	}
	if req.close {
		_, _ = w.WriteString("Connection: close\r\n")
	}
	_, _ = w.WriteString("\r\n")
}

// send sends what the upstream says as it says it, or where nginx may buffer it,
// each time the buffers are full. nginx has smaller ones, and passes chunks of an
// upstream of HTTP/1.1 on: nobody should count on that.
func (a answer) send(to io.Writer, flush func() error) error {
	buf := make([]byte, proxyBuffers)
	read := a.stream.Read
	if a.buffered {
		read = a.fill
	}
	for {
		n, err := read(buf)
		if n > 0 {
			if _, bad := to.Write(buf[:n]); bad != nil {
				return bad
			}
			if bad := flush(); bad != nil {
				return bad
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// fill reads until p is full or the stream ended. io.ReadFull would not tell an end
// from a stream that was cut.
func (a answer) fill(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = a.stream.Read(p[n:])
		n += more
	}
	return n, err
}

// nginxPage is nginx's own page; a status it has none for has an empty body.
func nginxPage(status int) []byte {
	text := http.StatusText(status)
	switch status {
	case 503:
		text = "Service Temporarily Unavailable"
	case 504:
		text = "Gateway Time-out"
	}
	if text == "" || status > 429 && status < 500 {
		return []byte{}
	}
	title := strconv.Itoa(status) + " " + text
	return []byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" +
		title + "</h1></center>\r\n<hr><center>openresty</center>\r\n" +
		"<p><em>Powered by <a href=\"https://apisix.apache.org/\">APISIX</a>.</em></p></body>\r\n</html>\r\n")
}
