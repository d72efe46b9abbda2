package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
)

// hangGuard ends what hangs. Nothing that works comes near it, however busy the
// machine is.
const hangGuard = 5 * time.Minute

var update = flag.Bool("update", false, "write the golden files of the scripts anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"go-runner": main})
}

// TestScripts runs the real binary, one behaviour a script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		// With -update the files that outputs are compared with are written anew.
		UpdateScripts: *update,
		Setup:         mintedTokens,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"sealcookie": sealCookie,
			"waitsocket": waitSocket,
			"deadsocket": deadSocket,
			"terminate":  terminate,
			"get":        get,
			"waiturl":    waitURL,
			"waitstatus": waitStatus,
		},
	})
}

// mintedAt is when the token of fixed.jwt was issued, an hour before it expires.
var mintedAt = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// mintedTokens leaves tokens of one key of the tests, and a configuration
// with that key: good.jwt, expired.jwt, fixed.jwt, inline.json, keys.json. $ADMIN
// is an address that is free.
func mintedTokens(env *testscript.Env) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Setenv("ADMIN", l.Addr().String())
	if err := l.Close(); err != nil {
		return err
	}
	for name, lives := range map[string]time.Duration{"good.jwt": time.Hour, "expired.jwt": -time.Hour} {
		token := forge.Sign("EdDSA", forge.Ed25519(), forge.Header("EdDSA", ""), forge.Claims("https://tenant.example/", "https://api.example.com", time.Now(),
			"scope", `"read:orders"`, "exp", forge.Seconds(time.Now().Add(lives)), "iat", ""))
		if err := os.WriteFile(filepath.Join(env.WorkDir, name), []byte(token+"\n"), 0o600); err != nil {
			return err
		}
	}
	fixed := forge.Sign("EdDSA", forge.Ed25519(), forge.Header("EdDSA", "2026-03"), forge.Claims("https://tenant.eu.auth0.com/", "https://api.example.com", mintedAt,
		"scope", `"read:orders"`, "https://example.com/email_verified", "true", "exp", forge.Seconds(mintedAt.Add(time.Hour)), "iat", forge.Seconds(mintedAt)))
	for name, content := range map[string]string{
		"fixed.jwt": fixed, "keys.json": string(forge.JWKS(forge.JWK(forge.Ed25519(), "kid", "2026-03"))),
	} {
		if err := os.WriteFile(filepath.Join(env.WorkDir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	conf := fmt.Sprintf(`{"issuer":"https://tenant.example/","audience":"https://api.example.com","algorithms":["EdDSA"],
		"jwks":%s,"required_scopes":["read:orders"],
		"claim_headers":{"X-User-Id":"sub"},"forward_token":false,"rules":[{"expression":"request.method == 'GET'"}]}`,
		forge.JWKS(forge.JWK(forge.Ed25519())))
	return os.WriteFile(filepath.Join(env.WorkDir, "inline.json"), []byte(conf), 0o600)
}

// exits CODE COMMAND... runs a command that has to end with that exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// waitsocket PATH waits until somebody listens there.
func waitSocket(ts *testscript.TestScript, _ bool, args []string) {
	hangs := time.After(hangGuard)
	for {
		if conn, err := net.Dial("unix", ts.MkAbs(args[0])); err == nil {
			ts.Check(conn.Close())
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-hangs:
			ts.Fatalf("nobody listens on %s", args[0])
		}
	}
}

// deadsocket PATH leaves a socket file behind that nobody listens on.
func deadSocket(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: ts.MkAbs(args[0]), Net: "unix"})
	ts.Check(err)
	l.SetUnlinkOnClose(false)
	ts.Check(l.Close())
	_, err = os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
}

// waiturl URL waits until it answers with 200.
func waitURL(ts *testscript.TestScript, neg bool, args []string) {
	waitStatus(ts, neg, []string{"200", args[0]})
}

// waitstatus STATUS URL waits until it answers with that status.
func waitStatus(ts *testscript.TestScript, _ bool, args []string) {
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	hangs := time.After(hangGuard)
	for {
		if answer, err := http.Get(args[1]); err == nil {
			answer.Body.Close()
			if answer.StatusCode == status {
				return
			}
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-hangs:
			ts.Fatalf("%s does not answer with %d", args[1], status)
		}
	}
}

// get URL prints what is served there.
func get(ts *testscript.TestScript, _ bool, args []string) {
	answer, err := http.Get(args[0])
	ts.Check(err)
	defer answer.Body.Close()
	_, err = fmt.Fprintln(ts.Stdout(), answer.Status)
	ts.Check(err)
	_, err = io.Copy(ts.Stdout(), answer.Body)
	ts.Check(err)
}

// terminate sends SIGTERM to the command that is longest in the background; the
// script's own kill knows INT and KILL only.
func terminate(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Check(ts.BackgroundCmds()[0].Process.Signal(syscall.SIGTERM))
}
