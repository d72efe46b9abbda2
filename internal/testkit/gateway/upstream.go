package gateway

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
)

// hop are the response headers nginx keeps to one connection.
var hop = map[string]bool{
	"connection": true, "keep-alive": true, "proxy-connection": true,
	"transfer-encoding": true, "upgrade": true, "content-length": true,
}

// notForwarded are the client's headers that nginx sets itself, or leaves out.
// A header that Connection names is not one of them: nginx does not read that
// list, and on a route with enable_websocket the upstream gets it.
var notForwarded = map[string]bool{
	"host": true, "connection": true, "keep-alive": true, "te": true,
	"transfer-encoding": true, "upgrade": true, "expect": true,
	"content-length": true, "x-real-ip": true, "x-forwarded-for": true,
}

// handle takes a worker's request through its route's plugins to the upstream.
func (g *Gateway) handle(req *request, w *worker) answer {
	req.forwarded()
	r := g.routes.match(req)
	if r == nil {
		req.status = 404
		return answer{status: req.status, body: []byte(`{"error_msg":"404 Route Not Found"}` + "\n")}
	}
	req.matched = r
	node := ""
	if r.Upstream != nil && len(r.Upstream.nodes) > 0 {
		node = r.Upstream.nodes[int(g.node.Add(1))%len(r.Upstream.nodes)]
	}
	req.upstreamHost, _ = req.headers.get("Host")
	given := g.inChain(w, r, req, node)
	if req.cors != nil {
		req.cors.filter(req)
	}
	if req.keep != nil {
		req.keep(&given)
	}
	req.status = given.status
	return given
}

func (g *Gateway) inChain(w *worker, r *route, req *request, node string) answer {
	for _, p := range r.chain {
		if p.run == nil {
			continue
		}
		if stopped := p.run(w, req); stopped != nil {
			return *stopped
		}
	}
	if node == "" {
		return answer{status: 503}
	}
	if r.WebSocket {
		req.upgrade, _ = req.variable("http_upgrade")
		req.connection, _ = req.variable("http_connection")
	}
	return g.proxy(r.Upstream, node, req)
}

// logged has the access log, and every plugin of the route that logs, write of a
// request, whoever answered it.
func (req *request) logged(w *worker) {
	if w.gateway.access != nil {
		w.gateway.access.Print(req.accessLine(w.gateway.options.AccessLogFormat))
	}
	if req.matched == nil {
		return
	}
	for _, p := range req.matched.chain {
		if p.log != nil {
			p.log(w, req)
		}
	}
}

// forwarded sets what APISIX 3.18 puts in place of the client's own claims
// before any plugin runs; plugins see it, and it counts to the 100.
func (req *request) forwarded() {
	host, _ := req.headers.get("Host")
	port := strconv.Itoa(int(req.local.Port()))
	if at := strings.LastIndexByte(host, ':'); at >= 0 && at+1 < len(host) && strings.Trim(host[at+1:], "0123456789") == "" {
		port = host[at+1:]
	}
	if host == "" {
		host = req.host
	}
	req.headers.set("X-Forwarded-Proto", scheme)
	req.headers.set("X-Forwarded-Host", host)
	req.headers.set("X-Forwarded-Port", port)
	req.headers.set("Forwarded", "")
}

// proxy sends the request on; nginx buffers its body first.
func (g *Gateway) proxy(u *upstream, node string, req *request) answer {
	if u.Scheme == "grpc" {
		return g.proxyGRPC(u, node, req)
	}
	body, err := req.readBody()
	if err != nil {
		return answer{status: 400}
	}
	req.upstreamAddr = node
	response, conn, err := g.upstream.roundTrip(u.Scheme, node, req.method, req.upstreamHead(u, node, len(body)), body)
	if err != nil {
		g.log.Printf("upstream: %v", err)
		return answer{status: 502}
	}
	switched := response.StatusCode == http.StatusSwitchingProtocols
	if switched && req.upgrade == "" {
		_ = response.Body.Close()
		g.log.Print("upstream: switched protocols unasked")
		return answer{status: 502}
	}
	req.takeHeaders(response.Header)
	given := answer{status: response.StatusCode, stream: response.Body, length: response.ContentLength, buffered: req.buffers(response.Header)}
	if switched {
		req.response.set("Upgrade", response.Header.Get("Upgrade"))
		given.tunnel = conn
	}
	return given
}

func (req *request) takeHeaders(h http.Header) {
	req.upstreamHeader = h
	for name, values := range h {
		for _, value := range values {
			if !hidden(strings.ToLower(name)) {
				req.response.add(name, value)
			}
		}
	}
}

// hidden are the upstream's headers that a client does not get.
func hidden(name string) bool { return hop[name] || strings.HasPrefix(name, "x-accel-") }

// buffers reports whether nginx collects an answer before it sends a part of it.
func (req *request) buffers(upstream http.Header) bool {
	switch strings.ToLower(upstream.Get("X-Accel-Buffering")) {
	case "no":
		return false
	case "yes":
		return true
	}
	return !req.unbuffered
}

func (req *request) hostFor(u *upstream, node string) string {
	if u.PassHost == "node" {
		return node
	}
	return req.upstreamHost
}

// upstreamHead is the request line and header as nginx writes them: its own
// headers, then the client's, byte for byte and repeated where they were.
func (req *request) upstreamHead(u *upstream, node string, length int) []byte {
	remote := req.remote.Addr().Unmap().String()
	forwardedFor := remote
	if before, there := req.headerVariable("x_forwarded_for"); there {
		forwardedFor = before + ", " + remote
	}
	var head bytes.Buffer
	head.WriteString(req.method + " " + req.upstreamTarget() + " HTTP/1.1\r\n")
	if host := req.hostFor(u, node); host != "" {
		head.WriteString("Host: " + escapeValue(host) + "\r\n")
	}
	head.WriteString("X-Real-IP: " + remote + "\r\nX-Forwarded-For: " + forwardedFor + "\r\n")
	if req.upgrade != "" {
		head.WriteString("Upgrade: " + req.upgrade + "\r\n")
	}
	if req.connection != "" {
		head.WriteString("Connection: " + req.connection + "\r\n")
	}
	_, sized := req.headers.get("Content-Length")
	if sized || req.body != nil || length > 0 {
		head.WriteString("Content-Length: " + strconv.Itoa(length) + "\r\n")
	}
	for _, line := range req.headers {
		if !notForwarded[strings.ToLower(line.name)] {
			head.WriteString(line.name + ": " + line.value + "\r\n")
		}
	}
	head.WriteString("\r\n")
	return head.Bytes()
}
