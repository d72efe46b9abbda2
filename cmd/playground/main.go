package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/gateway"
)

var b64 = base64.RawURLEncoding

func ready(v any) { b, _ := json.Marshal(v); fmt.Println(string(b)) }

func main() {
	switch os.Args[1] {
	case "upstream":
		var n atomic.Int64
		m := http.NewServeMux()
		m.HandleFunc("/control/counters", func(w http.ResponseWriter, r *http.Request) {
			json.NewEncoder(w).Encode(map[string]any{"requests": n.Load()})
		})
		m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			n.Add(1)
			b, _ := io.ReadAll(r.Body)
			json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "host": r.Host, "path": r.URL.Path, "query": r.URL.RawQuery, "headers": r.Header, "body": string(b), "body_length": len(b)})
		})
		l, _ := net.Listen("tcp", "127.0.0.1:0")
		ready(map[string]string{"ready": "upstream", "url": "http://" + l.Addr().String()})
		http.Serve(l, m)
	case "issuer":
		var mu sync.Mutex
		keys := []*rsa.PrivateKey{}
		base := 0
		add := func() { k, _ := rsa.GenerateKey(rand.Reader, 2048); keys = append(keys, k) }
		add()
		add()
		rogue, _ := rsa.GenerateKey(rand.Reader, 2048)
		faults := map[string]string{}
		l, _ := net.Listen("tcp", "127.0.0.1:0")
		u := "http://" + l.Addr().String() + "/"
		m := http.NewServeMux()
		m.HandleFunc("/control/rotate", func(w http.ResponseWriter, r *http.Request) { mu.Lock(); add(); base++; mu.Unlock() })
		m.HandleFunc("/control/fault", func(w http.ResponseWriter, r *http.Request) {
			var f map[string]string
			json.NewDecoder(r.Body).Decode(&f)
			mu.Lock()
			faults[f["path"]] = f["fault"]
			mu.Unlock()
		})
		sick := func(w http.ResponseWriter, p string) bool {
			mu.Lock()
			defer mu.Unlock()
			if faults[p] != "" && faults[p] != "none" {
				w.WriteHeader(500)
				return true
			}
			return false
		}
		m.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
			if sick(w, "discovery") {
				return
			}
			json.NewEncoder(w).Encode(map[string]any{"issuer": u, "jwks_uri": u + ".well-known/jwks.json"})
		})
		m.HandleFunc("/.well-known/jwks.json", func(w http.ResponseWriter, r *http.Request) {
			if sick(w, "jwks") {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			var ks []any
			for i := base; i < base+2; i++ {
				ks = append(ks, map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": fmt.Sprintf("k%d", i), "n": b64.EncodeToString(keys[i].N.Bytes()), "e": "AQAB"})
			}
			json.NewEncoder(w).Encode(map[string]any{"keys": ks})
		})
		m.HandleFunc("/mint", func(w http.ResponseWriter, r *http.Request) {
			var q struct {
				Claims    map[string]any
				Omit      []string
				Header    map[string]any
				Alg, Key  string
				ExpiresIn int `json:"expires_in"`
			}
			json.NewDecoder(r.Body).Decode(&q)
			mu.Lock()
			defer mu.Unlock()
			now := time.Now().Unix()
			if q.ExpiresIn == 0 {
				q.ExpiresIn = 3600
			}
			c := map[string]any{"iss": u, "sub": "auth0|user-1", "aud": "https://api.example.com", "iat": now, "exp": now + int64(q.ExpiresIn), "azp": "c"}
			for k, v := range q.Claims {
				c[k] = v
			}
			for _, k := range q.Omit {
				delete(c, k)
			}
			h := map[string]any{"alg": "RS256", "typ": "JWT", "kid": fmt.Sprintf("k%d", base)}
			if q.Alg != "" {
				h["alg"] = q.Alg
			}
			for k, v := range q.Header {
				h[k] = v
			}
			key := keys[base]
			if q.Key == "rogue" {
				key = rogue
			}
			hb, _ := json.Marshal(h)
			cb, _ := json.Marshal(c)
			in := b64.EncodeToString(hb) + "." + b64.EncodeToString(cb)
			s := sha256.Sum256([]byte(in))
			sig, _ := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, s[:])
			if h["alg"] == "none" {
				sig = nil
			}
			json.NewEncoder(w).Encode(map[string]any{"access_token": in + "." + b64.EncodeToString(sig)})
		})
		ready(map[string]string{"ready": "issuer", "url": u})
		http.Serve(l, m)
	case "gateway":
		f := flag.NewFlagSet("g", flag.ExitOnError)
		addr, aa := f.String("addr", "", ""), f.String("admin-addr", "", "")
		sock, cmd, key := f.String("socket", "", ""), f.String("cmd", "", ""), f.String("admin-key", "", "")
		wk := f.Int("workers", 2, "")
		f.Parse(os.Args[2:])
		o := gateway.Options{Addr: *addr, AdminAddr: *aa, SocketPath: *sock, Workers: *wk, AdminKey: *key, Log: os.Stderr}
		if *cmd != "" {
			o.Cmd = strings.Fields(*cmd)
		}
		g, err := gateway.Start(o)
		if err != nil {
			panic(err)
		}
		ready(map[string]string{"ready": "gateway", "url": g.URL(), "admin": g.AdminURL()})
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM)
		<-c
		g.Close()
	}
}
