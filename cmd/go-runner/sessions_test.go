package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/config"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/gate"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/session"
)

// sessionOfToken is the session that a login left at mintedAt with the token of
// fixed.jwt.
func sessionOfToken(token string) *session.Session {
	return &session.Session{
		ID: [16]byte{1}, Begun: mintedAt, Ends: mintedAt.Add(72 * time.Hour), Written: mintedAt.Add(20 * time.Minute),
		AccessToken: token, RefreshToken: "hidden-refresh-token", Expires: mintedAt.Add(time.Hour), SID: "hidden-sid", Subject: "hidden-sub",
	}
}

// sealcookie CONFIG FILE [CHANGE...] writes the line of cookies of a session for a
// configuration. A change is stepped-up, no-refresh, no-sid or long.
func sealCookie(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.Setenv("SESSION_SECRET", ts.Getenv("SESSION_SECRET")))
	ts.Check(os.Setenv("OTHER_SECRET", ts.Getenv("OTHER_SECRET")))
	conf, err := config.Parse([]byte(ts.ReadFile(args[0])), config.Options{Redis: true})
	ts.Check(err)
	s := sessionOfToken(ts.ReadFile("fixed.jwt"))
	for _, change := range args[2:] {
		switch change {
		case "stepped-up":
			s.SteppedUp = login.StepUp{ACRValues: "gold"}.Name()
		case "no-refresh":
			s.RefreshToken = ""
		case "no-sid":
			s.SID = ""
		case "long":
			s.IDToken = strings.Repeat("hidden", 500)
		default:
			ts.Fatalf("the change %q is not known", change)
		}
	}
	sealer := session.NewSealer(conf.Login.Session.Secrets, gate.SessionBinding(conf))
	chunks := s.SealChunks(sealer.First(mintedAt), 4000)
	names := conf.Login.SessionCookies()
	line := fmt.Sprintf("%s=%s", names[0], chunks.First)
	if chunks.Second != "" {
		line += fmt.Sprintf("; %s=%s", names[1], chunks.Second)
	}
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), args[1]), []byte(line+"\n"), 0o600))
}
