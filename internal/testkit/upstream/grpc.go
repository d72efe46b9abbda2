package upstream

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// grpc is the service grpc.health.v1.Health, which serves whatever it is asked for.
// Its header echo-bin says what the request was, as JSON.
func (u *Upstream) grpc(w http.ResponseWriter, r *http.Request) {
	u.requests.Add(1)
	// A length-prefixed message with the field status: SERVING.
	serving := []byte{0, 0, 0, 0, 2, 0x08, 0x01}
	echo, err := json.Marshal(Echo{Kind: "upstream", Method: r.Method, Host: r.Host, Path: r.URL.Path, Headers: r.Header})
	w.Header().Set("Content-Type", "application/grpc")
	if err != nil {
		w.Header().Set("Grpc-Status", "13") // INTERNAL
		return
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxEcho)); err != nil {
		return // the client is gone
	}
	w.Header().Set("Echo-Bin", base64.StdEncoding.EncodeToString(echo))
	switch r.URL.Path {
	case "/grpc.health.v1.Health/Check":
		_, _ = w.Write(serving)
		w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	case "/grpc.health.v1.Health/Watch": // a stream that stays open
		_, _ = w.Write(serving)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	default:
		w.Header().Set("Grpc-Status", "12") // UNIMPLEMENTED
	}
}
