package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/cmd/playground/page"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/issuer"
)

// announcedWithin is how long a rotation waits until the runner knows the key that
// is next: it asks for unknown keys at most once in 10 s.
const announcedWithin = 15 * time.Second

// rotate makes the issuer sign with its next key. A provider announces that key
// well before, and so a rotation waits until the runner has heard of it.
func (b *bench) rotate(ctx context.Context) (string, error) {
	kid := ""
	for _, k := range b.tour.issuer.SigningKeys() {
		if k.Generation == "next" && k.Alg == "RS256" {
			kid = k.Kid
		}
	}
	if !b.announced(ctx, kid) {
		return "The keys were not rotated: the runner has not heard of the next one yet, since the issuer is sick or was rotated just now. Issuers announce a key well before they sign with it.", nil
	}
	if err := b.tour.issuer.Rotate(); err != nil {
		return "", err
	}
	if err := b.load.renew(); err != nil {
		return "", err
	}
	return "The issuer signs with its next key now, and the key before is still in its set: tokens of both pass.", nil
}

// announced waits until the runner knows a key, and makes it ask.
func (b *bench) announced(ctx context.Context, kid string) bool {
	ctx, cancel := context.WithTimeout(ctx, announcedWithin)
	defer cancel()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		metrics, err := b.Metrics(ctx)
		if err == nil && bytes.Contains(metrics, []byte(`kid="`+kid+`"`)) {
			return true
		}
		if len(b.Sick()) > 0 {
			return false
		}
		b.nudge(ctx)
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// nudge has the runner ask the issuer for a key that it does not know.
func (b *bench) nudge(ctx context.Context) {
	token, err := b.tour.issuer.Mint(issuer.MintRequest{Key: "rogue", Header: map[string]any{"kid": "unknown-" + rand.Text()}})
	if err != nil {
		return
	}
	one := step{path: loadPath, headers: [][2]string{{"Authorization", "Bearer " + token}}}
	_, _ = one.send(ctx, b.tour.gateway.URL()) // 401, whatever the issuer answers
}

// keyDocuments are what the runner asks an issuer for.
var keyDocuments = []string{"jwks", "discovery"}

func (b *bench) makeSick(ctx context.Context) (string, error) {
	for _, path := range keyDocuments {
		if err := b.tour.issuer.SetFault(issuer.Fault{Path: path, Fault: "status", Status: http.StatusServiceUnavailable}); err != nil {
			return "", err
		}
	}
	b.mu.Lock()
	b.sick = []string{b.tour.issuer.URL()}
	b.mu.Unlock()
	b.nudge(ctx)
	return "The issuer answers 503 to whoever asks for its keys. The runner keeps its last good keys, for 24 hours: nothing changes for good tokens.", nil
}

func (b *bench) makeWell() (string, error) {
	for _, path := range keyDocuments {
		if err := b.tour.issuer.SetFault(issuer.Fault{Path: path, Fault: "none"}); err != nil {
			return "", err
		}
	}
	b.mu.Lock()
	b.sick = nil
	b.mu.Unlock()
	return "The issuer gives its keys out again. The runner tries again by itself, within a minute at most.", nil
}

func (b *bench) revokeUser(ctx context.Context, subject string) (string, error) {
	if subject == loadSubject {
		return "That is the load's own user, who is not revoked: the load would no longer know what is right.", nil
	}
	now := time.Now().Truncate(time.Millisecond)
	for _, of := range []*issuer.Issuer{b.tour.issuer, b.tour.other} {
		if err := b.revoke(ctx, revocation.Revocation{Issuer: of.URL(), Kind: revocation.Subject, Value: subject, Before: now}); err != nil {
			return "", err
		}
	}
	return "What was issued to " + subject + " until now is refused from now on. A new login works at once: ask for a new token to see it.", nil
}

// revoke tells the runner, and remembers it for its successors.
func (b *bench) revoke(ctx context.Context, r revocation.Revocation) error {
	if err := b.askRunner(ctx, b.current(), http.MethodPost, r); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.revoked = append(slices.DeleteFunc(b.revoked, func(o revocation.Revocation) bool {
		return o.Issuer == r.Issuer && o.Kind == r.Kind && o.Value == r.Value
	}), r)
	return nil
}

func (b *bench) clearRevocations(ctx context.Context) (string, error) {
	for _, r := range b.Revocations() {
		if err := b.askRunner(ctx, b.current(), http.MethodDelete, r); err != nil {
			return "", err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.revoked = nil
	return "Nobody is revoked any more.", nil
}

// askRunner makes or takes back a revocation at a runner's admin address.
func (b *bench) askRunner(ctx context.Context, to *runner, method string, r revocation.Revocation) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	entry := map[string]any{"issuer": r.Issuer, r.Kind.String(): r.Value}
	if !r.Before.IsZero() && method == http.MethodPost {
		entry["before"] = r.Before.UTC().Format(time.RFC3339Nano)
	}
	body, err := json.Marshal(entry)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, to.admin+"/revocations", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+b.launch.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the runner's admin address: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("the runner answered %d to a revocation", resp.StatusCode)
	}
	return nil
}

// restart has a successor take the socket over, and then ends the runner. What was
// revoked is told to the successor: without a Redis a runner forgets it.
func (b *bench) restart(ctx context.Context) (string, error) {
	if len(b.Sick()) > 0 {
		return "The runner was not restarted: the issuer is sick, and a new process has no keys yet and could not fetch any. Its requests would get 503 until the issuer is well.", nil
	}
	old := b.current()
	next, err := b.launch.start(ctx)
	if err != nil {
		return "", err
	}
	var failed error
	for _, r := range b.Revocations() {
		failed = errors.Join(failed, b.askRunner(ctx, next, http.MethodPost, r))
	}
	b.succeed(next) // it has the socket, come what may
	if err := errors.Join(failed, old.stop()); err != nil {
		return "", err
	}
	return fmt.Sprintf("Process %d took the socket over from process %d, which then ended. What was revoked was told to it again: with Redis, runners share that by themselves.",
		next.process.Pid, old.process.Pid), nil
}

// readVersion is the version that the runner's metrics tell.
func readVersion(metrics []byte) string {
	_, rest, _ := strings.Cut(string(metrics), "auth0_jwt_build_info{")
	_, rest, _ = strings.Cut(rest, `,version="`) // and not go_version
	version, _, _ := strings.Cut(rest, `"`)
	return version
}

var _ page.Bench = (*bench)(nil)
