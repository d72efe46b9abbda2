package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func execute(ctx context.Context, out io.Writer, args ...string) error {
	root := command()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(io.Discard)
	return root.ExecuteContext(ctx)
}

func TestAServerSaysInOneLineThatItIsReadyAndEndsWhenTold(t *testing.T) {
	for name, args := range map[string][]string{
		"issuer":   {"issuer", "--url", "https://tenant.example/"},
		"upstream": {"upstream"},
		"gateway":  {"gateway", "--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--socket", "nobody.sock"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, end := context.WithCancel(t.Context())
			r, w := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				err := execute(ctx, w, args...)
				w.CloseWithError(err)
				ended <- err
			}()
			dec := json.NewDecoder(r)
			var ready struct{ Ready, URL, Admin string }
			if err := dec.Decode(&ready); err != nil {
				t.Fatal(err)
			}
			if ready.Ready != name || !strings.HasPrefix(ready.URL, "http") || (ready.Admin != "") != (name == "gateway") {
				t.Errorf("got %+v", ready)
			}
			end()
			if rest, err := io.ReadAll(io.MultiReader(dec.Buffered(), r)); err != nil || strings.TrimSpace(string(rest)) != "" {
				t.Errorf("after the line: %q, %v", rest, err)
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHealthcheckAsksFor200(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer server.Close()
	if err := execute(t.Context(), io.Discard, "healthcheck", server.URL); err != nil {
		t.Error(err)
	}
	status = http.StatusServiceUnavailable
	if err := execute(t.Context(), io.Discard, "healthcheck", server.URL); err == nil {
		t.Error("503 is not healthy")
	}
}

func TestTheGatewayTakesASocketOrACommand(t *testing.T) {
	for _, args := range [][]string{{"gateway"}, {"gateway", "--socket", "a", "--cmd", "b"}} {
		if err := execute(t.Context(), io.Discard, args...); err == nil {
			t.Errorf("%v: started", args)
		}
	}
}

func TestARunnerThatCannotServeEndsTheTourAndLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	quits := filepath.Join(t.TempDir(), "quits")
	if err := os.WriteFile(quits, []byte("#!/bin/sh\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for binary, says := range map[string]string{"./not-built": "make build", quits: "ended before it listened"} {
		var out bytes.Buffer
		err := execute(t.Context(), &out, "--once", "--runner", binary)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
		if out.Len() > 0 {
			t.Errorf("said %q", out.String())
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
}
