package gateway

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// nginx's client_header_buffer_size and large_client_header_buffers.
const (
	smallBuffer  = 1 << 10
	largeBuffer  = 8 << 10
	largeBuffers = 4
)

// request is one client request on its way through a route's plugins.
type request struct {
	method, proto string
	ctx           context.Context // of a request over HTTP/2; else nil
	target        string          // the client's own bytes, $real_request_uri
	rawPath       string          // target up to the query
	path          string          // decoded and normalised
	query         string          // set by plugins too
	requestURI    string          // $request_uri: path and query as they were at first
	host          string          // $host

	headers      headers
	vars         map[string]string // what ctx.var remembers
	shown        shownHeaders      // nil until a plugin asked for the headers
	body         io.Reader         // nil where the client sends none
	buffered     []byte            // the body once it was read
	bodyRead     bool
	argsSet      bool   // by a plugin: target is no longer what is sent
	upstreamURI  string // path and query set by a plugin; empty: the client's own
	upstreamHost string // the client's Host, until a plugin sets another
	upstreamAddr string // where it was sent; empty: nowhere
	// upgrade and connection are the client's own headers, on a route with
	// enable_websocket.
	upgrade, connection string
	unbuffered          bool // by proxy-buffering: the answer is sent as it comes
	remote              netip.AddrPort
	local               netip.AddrPort
	close               bool // the connection ends with this request
	response            headers
	// upstreamHeader is the upstream's own, before any plugin changed it.
	upstreamHeader http.Header
	cors           *corsConf           // set where cors ran
	keep           func(given *answer) // set where proxy-cache found nothing
	matched        *route
	status         int // of the answer, once there is one
}

// badRequest is an answer nginx gives itself, before any route.
type badRequest int

func (b badRequest) Error() string { return "nginx answers " + strconv.Itoa(int(b)) }

// uniqueHeaders are the ones nginx answers 400 to a second of.
var uniqueHeaders = map[string]bool{
	"host": true, "authorization": true, "content-length": true,
	"transfer-encoding": true, "if-modified-since": true,
	"if-unmodified-since": true, "if-match": true, "if-none-match": true,
	"content-range": true, "range": true, "if-range": true, "expect": true,
	"upgrade": true,
}

// headLines counts what is left of nginx's header buffers: a line never spans
// two of them.
type headLines struct {
	r           *bufio.Reader // as large as one large buffer
	left, spare int
}

func (h *headLines) next() ([]byte, error) {
	line, err := h.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, badRequest(400)
	}
	if err != nil {
		return nil, err
	}
	if len(line) > h.left {
		if h.spare--; h.spare < 0 {
			return nil, badRequest(400)
		}
		h.left = largeBuffer
	}
	h.left -= len(line)
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

// readHead reads a request line and header as nginx does. The error is a
// badRequest where nginx answers it, else the connection's end.
func readHead(r *bufio.Reader) (*request, error) {
	lines := &headLines{r: r, left: smallBuffer, spare: largeBuffers}
	first, err := lines.next()
	for err == nil && len(first) == 0 {
		first, err = lines.next()
	}
	if errors.Is(err, badRequest(400)) {
		return nil, badRequest(414)
	}
	if err != nil {
		return nil, err
	}
	req := &request{}
	if err := req.readLine(string(first)); err != nil {
		return nil, err
	}
	for {
		line, err := lines.next()
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			break
		}
		if err := req.readHeader(string(line)); err != nil {
			return nil, err
		}
	}
	return req, req.check()
}

func (req *request) readLine(line string) error {
	parts := strings.Split(line, " ")
	if len(parts) != 3 || parts[0] == "" {
		return badRequest(400)
	}
	req.method, req.target, req.proto = parts[0], parts[1], parts[2]
	for _, c := range []byte(req.target) {
		if c < ' ' || c == 0x7f {
			return badRequest(400)
		}
	}
	for _, c := range []byte(req.method) {
		if (c < 'A' || c > 'Z') && c != '_' && c != '-' {
			return badRequest(400)
		}
	}
	switch req.proto {
	case "HTTP/1.1", "HTTP/1.0":
	case "HTTP/2.0":
		return badRequest(505)
	default:
		return badRequest(400)
	}
	if !strings.HasPrefix(req.target, "/") {
		authority, rest, ok := absolute(req.target)
		if !ok {
			return badRequest(400)
		}
		if req.host, ok = validHost(authority); !ok {
			return badRequest(400)
		}
		req.target = rest
	}
	return req.readTarget()
}

// readTarget takes path and query out of the target. A fragment stays in the
// target alone.
func (req *request) readTarget() error {
	target, _, _ := strings.Cut(req.target, "#")
	req.rawPath, req.query, _ = strings.Cut(target, "?")
	raw := req.rawPath
	if raw == "" {
		raw = "/"
	}
	path, ok := normalise(raw)
	if !ok {
		return badRequest(400)
	}
	req.path = path
	req.requestURI = withQuery(path, req.query)
	return nil
}

func (req *request) readHeader(line string) error {
	name, value, colon := strings.Cut(line, ":")
	if !colon || name == "" {
		return badRequest(400)
	}
	dropped := false
	for _, c := range []byte(name) {
		switch {
		case c <= ' ' || c == 0x7f:
			return badRequest(400)
		case c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '-' || c == '_':
		default:
			dropped = true // ignore_invalid_headers
		}
	}
	if strings.IndexByte(value, 0) >= 0 {
		return badRequest(400)
	}
	if _, again := req.headers.get(name); again && uniqueHeaders[strings.ToLower(name)] {
		return badRequest(400)
	}
	if !dropped {
		req.headers.add(name, strings.Trim(value, " "))
	}
	return nil
}

// check is what nginx asks of a header as a whole.
func (req *request) check() error {
	host, there := req.headers.get("Host")
	if !there && req.proto == "HTTP/1.1" {
		return badRequest(400)
	}
	if there {
		name, ok := validHost(host)
		if !ok {
			return badRequest(400)
		}
		if req.host == "" { // an absolute target's own wins
			req.host = name
		}
	}
	coding, chunked := req.headers.get("Transfer-Encoding")
	length, sized := req.headers.get("Content-Length")
	switch {
	case chunked && (sized || req.proto == "HTTP/1.0"):
		return badRequest(400)
	case chunked && !strings.EqualFold(coding, "chunked"):
		return badRequest(501)
	}
	if sized {
		if _, err := strconv.ParseUint(length, 10, 62); err != nil {
			return badRequest(400)
		}
	}
	if req.method == "TRACE" || req.method == "CONNECT" {
		return badRequest(405)
	}
	connection, _ := req.headers.get("Connection")
	connection = strings.ToLower(connection)
	req.close = strings.Contains(connection, "close") ||
		req.proto == "HTTP/1.0" && !strings.Contains(connection, "keep-alive")
	return nil
}
