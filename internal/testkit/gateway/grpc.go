package gateway

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// notForwardedByGRPC are the client's headers that nginx sets itself, or leaves
// out, where it speaks gRPC with the upstream. Of the client's address it says
// nothing there: what the client says of it arrives.
var notForwardedByGRPC = map[string]bool{
	"host": true, "connection": true, "keep-alive": true, "te": true, "proxy-connection": true,
	"transfer-encoding": true, "upgrade": true, "expect": true, "content-length": true, "content-type": true,
}

func newGRPCTransport() *http.Transport {
	return &http.Transport{Protocols: unencryptedHTTP2(), DisableCompression: true}
}

// proxyGRPC sends the request on as it comes, and the answer too. nginx does so for
// clients of HTTP/1.1 as well, which cannot read the trailers.
func (g *Gateway) proxyGRPC(u *upstream, node string, req *request) answer {
	if req.proto != "HTTP/2.0" {
		g.log.Print("upstream: the double speaks gRPC for clients of HTTP/2 alone")
		return answer{status: 502}
	}
	body := req.body
	if req.bodyRead {
		body = bytes.NewReader(req.buffered)
	}
	if body == nil {
		body = http.NoBody
	}
	out, err := http.NewRequestWithContext(req.context(), req.method, "http://"+node, io.NopCloser(body))
	if err != nil {
		g.log.Printf("upstream: %v", err)
		return answer{status: 502}
	}
	out.URL = &url.URL{Scheme: "http", Host: node, Opaque: req.target}
	out.Host, out.ContentLength = req.hostFor(u, node), -1
	out.Header.Set("User-Agent", "") // none that the client does not send
	for _, line := range req.headers {
		if !notForwardedByGRPC[strings.ToLower(line.name)] {
			out.Header.Add(line.name, line.value)
		}
	}
	if agents := out.Header["User-Agent"]; len(agents) > 1 {
		out.Header["User-Agent"] = agents[1:]
	}
	out.Header.Set("Content-Type", "application/grpc")
	out.Header.Set("Te", "trailers")
	req.upstreamAddr = node
	response, err := g.grpc.RoundTrip(out)
	if err != nil {
		g.log.Printf("upstream: %v", err)
		return answer{status: 502}
	}
	req.takeHeaders(response.Header)
	return answer{status: response.StatusCode, stream: response.Body, length: response.ContentLength, upstream: response}
}
