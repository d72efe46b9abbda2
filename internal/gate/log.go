package gate

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fold"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/login"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/policy"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/refusal"
)

// linesPerSecond is how many lines a second the log gets for each reason of each
// route. The next line then says how many were left out.
const linesPerSecond = 10

// What a client may write into the log is bounded.
const (
	maxPathLogged      = 256
	maxKidLogged       = 64
	maxRequestIDLogged = 64
	maxLabel           = 128
)

// limits bound the lines of one route: one limit for each kind of refusal, and
// one for its reports.
type limits struct {
	refused [numKinds]limit
	answers [len(reasons)]limit
	reports limit
}

// limit is lock-free.
type limit struct {
	state   atomic.Uint64 // the Unix second, and in the low byte the lines in it
	leftOut atomic.Uint64
}

// take reports whether one more line may be written, and how many were left out
// since the last one.
func (l *limit) take(now time.Time) (leftOut uint64, ok bool) {
	second := uint64(now.Unix()) << 8
	for {
		state := l.state.Load()
		next := state + 1
		switch {
		case state&^0xff != second:
			next = second | 1
		case state&0xff >= linesPerSecond:
			l.leftOut.Add(1)
			return 0, false
		}
		if l.state.CompareAndSwap(state, next) {
			return l.leftOut.Swap(0), true
		}
	}
}

// Subjects says how the log names the subject of a token.
type Subjects uint8

// The values of Subjects.
const (
	HashedSubjects Subjects = iota // by a hash with a key of this process's own
	RawSubjects
)

// subjectKey makes hashes of subjects that nobody outside the process can make.
type subjectKey [sha256.Size]byte

func newSubjectKey() (key subjectKey) {
	_, _ = rand.Read(key[:]) // it never fails
	return key
}

func (key *subjectKey) hash(subject string) string {
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte(subject))
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// logRefused writes the line of one refusal. It never waits for the log's output:
// what does not wait is the logger's to see to.
func (g *Gate) logRefused(of *routeRecords, req Request, j *policy.Judgement, refused refusal.Refusal, now time.Time) {
	log, ctx := g.opt.Logger, context.Background()
	if refused.Kind != refusal.Internal && !log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	leftOut, ok := of.limits.refused[slot(refused.Kind)].take(now)
	if !ok {
		return
	}
	reason, cause := refused.Kind.Reason(), cmp.Or(refused.Cause, refused.Description)
	if refused.Kind == refusal.Internal {
		log.LogAttrs(ctx, slog.LevelError, "a request could not be checked and was denied", slog.String("route", of.label), slog.String("cause", cause))
	}
	attrs := requestAttrs(of, req, reason, refused.HTTPStatus())
	if j != nil {
		attrs = append(attrs, g.tokenAttrs(j)...)
	}
	log.LogAttrs(ctx, slog.LevelInfo, "refused", endAttrs(attrs, cause, leftOut)...)
}

// logAnswer writes the line of an answer of login's: a refusal, or for whoever
// follows a login at the level debug.
func (g *Gate) logAnswer(of *routeRecords, req Request, a login.Answer, limit *limit, now time.Time) {
	level, msg, ctx := slog.LevelDebug, "answered by login", context.Background()
	if a.Status >= http.StatusBadRequest {
		level, msg = slog.LevelInfo, "refused"
	}
	if !g.opt.Logger.Enabled(ctx, level) {
		return
	}
	if leftOut, ok := limit.take(now); ok {
		g.opt.Logger.LogAttrs(ctx, level, msg, endAttrs(requestAttrs(of, req, a.Reason, a.Status), a.Cause, leftOut)...)
	}
}

// requestAttrs are what every line of a refusal begins with.
func requestAttrs(of *routeRecords, req Request, reason string, status int) []slog.Attr {
	attrs := make([]slog.Attr, 0, 14)
	attrs = append(attrs, slog.String("route", of.label), slog.String("reason", reason), slog.Int("status", status))
	if req == nil {
		return attrs
	}
	attrs = append(attrs, slog.String("method", req.Method()), slog.String("path", truncated(req.Path(), maxPathLogged)), slog.String("ip", req.IP()))
	if id := requestID(req); id != "" {
		attrs = append(attrs, slog.String("request_id", id))
	}
	return attrs
}

// endAttrs are what it ends with.
func endAttrs(attrs []slog.Attr, cause string, leftOut uint64) []slog.Attr {
	if cause != "" {
		attrs = append(attrs, slog.String("cause", cause))
	}
	if leftOut > 0 {
		attrs = append(attrs, slog.Uint64("left_out", leftOut))
	}
	return attrs
}

// tokenAttrs are what the log says of a token: the configured issuer that it
// names, and with that the key; the subject where the issuer's signature is on it.
func (g *Gate) tokenAttrs(j *policy.Judgement) (attrs []slog.Attr) {
	nth, name, known := j.Issuer()
	if !known {
		return nil
	}
	tok, _ := j.Token()
	attrs = append(attrs, slog.Group("issuer", slog.Int("index", nth), slog.String("name", name)))
	if tok.HasKid {
		attrs = append(attrs, slog.String("kid", printable(tok.Kid, maxKidLogged)))
	}
	if subject := tok.String("sub"); subject != "" && j.Signed() {
		if g.opt.Subjects != RawSubjects {
			subject = g.records.key.hash(subject)
		}
		attrs = append(attrs, slog.String("subject", truncated(subject, maxPathLogged)))
	}
	return attrs
}

// logReport says that a rule with report_only would have denied a request.
func (g *Gate) logReport(of *routeRecords, rule int, now time.Time) {
	leftOut, ok := of.limits.reports.take(now)
	if !ok {
		return
	}
	attrs := []slog.Attr{slog.String("route", of.label), slog.Int("rule", rule)}
	if leftOut > 0 {
		attrs = append(attrs, slog.Uint64("left_out", leftOut))
	}
	g.opt.Logger.LogAttrs(context.Background(), slog.LevelInfo, "a rule with report_only would have denied a request", attrs...)
}

// requestID is what APISIX's plugin request-id, or who stands before APISIX, calls
// the request; "" where there is nothing of that form. A dot is not part of it, so
// that no token passes for one.
func requestID(req Request) string {
	for i := range req.NumHeader() {
		if !fold.Equal(req.HeaderName(i), "X-Request-Id") {
			continue
		}
		id := req.HeaderValue(i)
		if len(id) > maxRequestIDLogged {
			return ""
		}
		for _, c := range []byte(id) {
			letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
			if !letter && c != '-' && c != '_' && c != ':' {
				return ""
			}
		}
		return id
	}
	return ""
}

func truncated(s string, length int) string {
	if len(s) <= length {
		return s
	}
	return s[:length] + "…"
}

// printable is the ASCII of s that can be seen, with ? for all else.
func printable(s string, length int) string {
	visible := []byte(truncated(s, length))
	if len(s) > length {
		visible = append(visible[:length], "..."...)
	}
	for i, c := range visible {
		if c < 0x21 || c > 0x7e {
			visible[i] = '?'
		}
	}
	return string(visible)
}

// labelOf names a route in the log.
func labelOf(name, key string) string {
	if name != "" {
		return name
	}
	return truncated(key, maxLabel)
}

// nameIn is the name in a configuration that cannot be used, for the log and the
// metrics; "" where there is none that could be used.
func nameIn(document []byte) string {
	var named struct {
		Name string `json:"name"`
	}
	if len(document) > maxDocument || json.Unmarshal(document, &named) != nil || len(named.Name) > 64 {
		return ""
	}
	for _, c := range []byte(named.Name) {
		if c < 0x20 || c > 0x7e {
			return ""
		}
	}
	return named.Name
}

// maxDocument is the longest configuration that is read.
const maxDocument = 1 << 20
