package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/revocation"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

const revocationForm = `want {"issuer":URL, one of "sub", "sid", "client", "jti": VALUE, and for sub and client "before": TIME where it is not now}`

// parseRevocation reads a document. Its errors repeat nothing of it.
func parseRevocation(body []byte) (r revocation.Revocation, err error) {
	parsed, err := strictjson.Parse(body, strictjson.Options{})
	if err != nil {
		return r, fmt.Errorf("%w; %s", err, revocationForm)
	}
	object, ok := parsed.(map[string]any)
	if !ok {
		return r, errors.New(revocationForm)
	}
	for name, value := range object {
		text, isText := value.(string)
		kind, isKind := revocation.KindOf(name)
		number, isNumber := value.(json.Number)
		switch {
		case name == "before" && isNumber:
			text, isText = number.String(), true
			fallthrough
		case name == "before" && isText:
			if r.Before, err = parseTime(text); err != nil {
				return r, fmt.Errorf("before: %w", err)
			}
		case !isText:
			return r, errors.New(revocationForm)
		case name == "issuer":
			r.Issuer = text
		case isKind && kind != revocation.Session && r.Value == "" && text != "":
			r.Kind, r.Value = kind, text
		default:
			return r, errors.New(revocationForm)
		}
	}
	if r.Issuer == "" || r.Value == "" {
		return r, errors.New(revocationForm)
	}
	return r, nil
}

// parseTime reads RFC 3339, or seconds since 1970.
func parseTime(text string) (time.Time, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds > 0 && seconds < 253402300800 {
		return time.UnixMilli(int64(seconds * 1e3)), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, errors.New("want a time such as 2026-03-01T12:00:00Z, or seconds since 1970")
	}
	return t, nil
}
