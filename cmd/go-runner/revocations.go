package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/secret"
)

const (
	maxRevocationBody = 16 << 10
	defaultPage       = 100
	maxPage           = 1000
)

// revocations serves /revocations on the admin address.
type revocations struct {
	feed  func() *revocation.Feed
	token atomic.Pointer[secret.Secret] // nil is none: then only loopback addresses are served
	log   *slog.Logger
	now   func() time.Time
}

// adminSecret is what --admin-token refers to; nil is none.
func adminSecret(s settings, log *slog.Logger) (*secret.Secret, error) {
	if s.adminToken == "" {
		return nil, nil
	}
	token, err := secret.Open(s.adminToken, secret.Options{Now: time.Now(), Logger: log})
	if err != nil {
		return nil, badInput("--admin-token: want %s with at least %d bytes: %w", secret.Form, secret.MinLen, err)
	}
	return token, nil
}

// ServeHTTP implements http.Handler.
func (h *revocations) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if status, code, why := h.admit(r); status != 0 {
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", `Bearer realm="go-runner"`)
		}
		writeError(w, status, code, why)
		return
	}
	id := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/revocations"), "/")
	hasID := id != ""
	switch {
	case r.Method == http.MethodGet && !hasID:
		h.list(w, r)
	case r.Method == http.MethodPost && !hasID:
		h.revoke(w, r)
	case r.Method == http.MethodDelete:
		h.takeBack(w, r, id)
	default:
		w.Header().Set("Allow", "GET, POST, DELETE")
		writeError(w, http.StatusMethodNotAllowed, "invalid_request", "want GET or POST /revocations, or DELETE /revocations/ID")
	}
}

// admit says why a request is not served; status 0 is that it is. Without a
// token it must come over loopback and name it: a page in a browser on this
// machine reaches loopback too, with an Origin, or under a name of its own.
func (h *revocations) admit(r *http.Request) (status int, code, why string) {
	if token := h.token.Load(); token != nil {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		a, b := sha256.Sum256([]byte(given)), sha256.Sum256(token.Value(h.now()))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(a[:], b[:]) != 1 {
			return http.StatusUnauthorized, "invalid_token", "send Authorization: Bearer with the token of --admin-token"
		}
		return 0, "", ""
	}
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local == nil || !isLoopback(local.String()) || !isLoopback(r.Host) || r.Header.Get("Origin") != "" {
		return http.StatusForbidden, "access_denied", "without --admin-token, revocations are served on a loopback address alone: start the runner with --admin-token, or ask 127.0.0.1"
	}
	return 0, "", ""
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// shown is an entry in an answer.
type shown struct {
	ID     string `json:"id"`
	Issuer string `json:"issuer"`
	Kind   string `json:"kind"`
	Before string `json:"before,omitempty"`
	Added  string `json:"added"`
	Until  string `json:"until"`
}

func show(e revocation.Entry) shown {
	at := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }
	s := shown{ID: e.ID.String(), Issuer: e.Issuer, Kind: e.Kind.String(), Added: at(e.Added), Until: at(e.Until)}
	if e.Kind.Timed() {
		s.Before = at(e.Before)
	}
	return s
}

func (h *revocations) list(w http.ResponseWriter, r *http.Request) {
	limit, after := defaultPage, (*revocation.ID)(nil)
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxPage {
			writeError(w, http.StatusBadRequest, "invalid_request", fmt.Sprintf("limit: want a number from 1 to %d", maxPage))
			return
		}
		limit = n
	}
	if text := r.URL.Query().Get("after"); text != "" {
		id, err := revocation.ParseID(text)
		if err != nil {
			writeError(w, http.StatusBadRequest, "invalid_request", "after: "+err.Error())
			return
		}
		after = &id
	}
	page := h.feed().List(after, limit)
	answer := struct {
		Revocations []shown `json:"revocations"`
		Next        string  `json:"next,omitempty"` // to ask with after=
	}{Revocations: []shown{}}
	for _, e := range page {
		answer.Revocations = append(answer.Revocations, show(e))
	}
	if len(page) == limit {
		answer.Next = page[limit-1].ID.String()
	}
	writeJSON(w, http.StatusOK, answer)
}

func (h *revocations) revoke(w http.ResponseWriter, r *http.Request) {
	asked, ok := h.read(w, r)
	if !ok {
		return
	}
	e, err := h.feed().Revoke(r.Context(), asked)
	h.audit(r, "revoked", e, err)
	if err != nil {
		writeFeedError(w, err)
		return
	}
	writeJSON(w, http.StatusCreated, show(e))
}

func (h *revocations) takeBack(w http.ResponseWriter, r *http.Request, text string) {
	var id revocation.ID
	if text != "" {
		var err error
		if id, err = revocation.ParseID(text); err != nil {
			writeError(w, http.StatusBadRequest, "invalid_request", err.Error())
			return
		}
	} else {
		asked, ok := h.read(w, r)
		if !ok {
			return
		}
		id = revocation.IDOf(asked.Issuer, asked.Kind, asked.Value)
	}
	e, err := h.feed().TakeBack(r.Context(), id)
	h.audit(r, "taken back", e, err)
	if err != nil {
		writeFeedError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, show(e))
}

// audit leaves a line for every entry that somebody made or took back.
func (h *revocations) audit(r *http.Request, what string, e revocation.Entry, err error) {
	who := "loopback"
	if h.token.Load() != nil {
		who = "admin-token"
	}
	attrs := []any{"action", what, "by", who, "remote", r.RemoteAddr, "kind", e.Kind.String(), "id", e.ID.String(), "issuer", e.Issuer, "before", e.Before.UTC()}
	if err != nil {
		h.log.Warn("revocation failed", append(attrs, "error", err.Error())...)
		return
	}
	h.log.Info("revocation", attrs...)
}

func (h *revocations) read(w http.ResponseWriter, r *http.Request) (revocation.Revocation, bool) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		writeError(w, http.StatusUnsupportedMediaType, "invalid_request", "send Content-Type: application/json")
		return revocation.Revocation{}, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRevocationBody))
	if err != nil {
		writeError(w, http.StatusRequestEntityTooLarge, "invalid_request", fmt.Sprintf("want at most %d bytes", maxRevocationBody))
		return revocation.Revocation{}, false
	}
	asked, err := parseRevocation(body)
	if err == nil {
		err = asked.Check(h.now())
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, "invalid_request", err.Error())
	}
	return asked, err == nil
}

func writeFeedError(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, revocation.ErrUnknown):
		writeError(w, http.StatusNotFound, "not_found", err.Error())
	case errors.Is(err, revocation.ErrFull):
		writeError(w, http.StatusInsufficientStorage, "revocations_full", err.Error())
	case errors.Is(err, revocation.ErrNotShared):
		w.Header().Set("Retry-After", "5")
		writeError(w, http.StatusServiceUnavailable, "temporarily_unavailable", revocation.ErrNotShared.Error()+"; try again")
	default:
		writeError(w, http.StatusBadRequest, "invalid_request", err.Error())
	}
}

func writeError(w http.ResponseWriter, status int, code, why string) {
	writeJSON(w, status, map[string]string{"error": code, "error_description": why})
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // an error is the client gone
}
