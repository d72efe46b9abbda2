package gateway

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// hop are the headers nginx keeps to one connection. A header that Connection
// names is not one of them: nginx does not read that list.
var hop = map[string]bool{
	"connection": true, "keep-alive": true, "proxy-connection": true, "te": true,
	"transfer-encoding": true, "upgrade": true, "expect": true,
	"content-length": true, "host": true,
}

// handle takes a request through its route's plugins to the upstream.
func (g *Gateway) handle(req *request) answer {
	req.forwarded()
	r := g.routes.match(req)
	if r == nil {
		return answer{status: 404, body: []byte(`{"error_msg":"404 Route Not Found"}` + "\n")}
	}
	w := g.nextWorker()
	node := ""
	if r.Upstream != nil && len(r.Upstream.nodes) > 0 {
		node = r.Upstream.nodes[int(g.turn.Load())%len(r.Upstream.nodes)]
	}
	req.upstreamHost = node
	given := g.inChain(w, r, req, node)
	if req.cors != nil {
		req.cors.filter(req)
	}
	return given
}

func (g *Gateway) inChain(w *worker, r *route, req *request, node string) answer {
	for _, p := range r.chain {
		if stopped := p.run(w, req); stopped != nil {
			return *stopped
		}
	}
	if node == "" {
		return answer{status: 503}
	}
	return g.proxy(r.Upstream, node, req)
}

// forwarded sets what APISIX 3.18 puts in place of the client's own claims
// before any plugin runs; plugins see it, and it counts to the 100.
func (req *request) forwarded() {
	host, _ := req.headers.get("Host")
	port := strconv.Itoa(int(req.local.Port()))
	if at := strings.LastIndexByte(host, ':'); at >= 0 {
		if _, err := strconv.ParseUint(host[at+1:], 10, 16); err == nil {
			port = host[at+1:]
		}
	}
	req.headers.set("X-Forwarded-Proto", scheme)
	req.headers.set("X-Forwarded-Host", host)
	req.headers.set("X-Forwarded-Port", port)
	req.headers.set("Forwarded", "")
}

// proxy sends the request on; nginx buffers its body first.
func (g *Gateway) proxy(u *upstream, node string, req *request) answer {
	body, err := req.readBody()
	if err != nil {
		return answer{status: 400}
	}
	out := &http.Request{
		Method: req.method, URL: targetURL(u.Scheme, node, req.upstreamTarget()),
		Header: req.upstreamHeader(), Host: req.hostFor(u, node),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if len(body) > 0 {
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	response, err := g.upstream.RoundTrip(out)
	if err != nil {
		g.log.Printf("upstream: %v", err)
		return answer{status: 502}
	}
	for name, values := range response.Header {
		for _, value := range values {
			if !hop[strings.ToLower(name)] {
				req.response.add(name, value)
			}
		}
	}
	return answer{status: response.StatusCode, stream: response.Body, length: response.ContentLength}
}

func (req *request) hostFor(u *upstream, node string) string {
	host, _ := req.headers.get("Host")
	if req.hostSet {
		host = req.upstreamHost
	}
	if u.PassHost == "node" || host == "" {
		return node
	}
	return host
}

// upstreamHeader keeps names as they were sent, and repeated ones repeated.
func (req *request) upstreamHeader() http.Header {
	remote := req.remote.Addr().Unmap().String()
	forwardedFor := remote
	if before, there := req.headerVariable("x_forwarded_for"); there {
		forwardedFor = before + ", " + remote
	}
	req.headers.set("X-Forwarded-For", forwardedFor)
	req.headers.set("X-Real-IP", remote)
	header := http.Header{"User-Agent": {""}} // keeps net/http from adding its own
	for _, line := range req.headers {
		name := line.name
		if strings.EqualFold(name, "User-Agent") {
			header.Set(name, line.value)
			continue
		}
		if !hop[strings.ToLower(name)] {
			header[name] = append(header[name], line.value)
		}
	}
	return header
}

// targetURL is a URL whose request target is the given text, byte for byte
// where net/http can say it.
func targetURL(scheme, node, target string) *url.URL {
	path, query, _ := strings.Cut(target, "?")
	u := &url.URL{Scheme: scheme, Host: node, RawQuery: query}
	if strings.HasPrefix(path, "//") {
		u.Path, u.RawPath = unescape(path), path
	} else {
		u.Opaque = path
	}
	return u
}
