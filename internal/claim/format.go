package claim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
)

// Format is how a claim is written as a header value.
type Format uint8

// The values of claim_headers' format.
const (
	// Plain writes a string as it is, a number as in the token, a boolean as
	// true or false, and a list of scalars joined with ",", in which an
	// element's own "%" and "," are percent-encoded. Null, objects and nested
	// lists do not fit.
	Plain Format = iota
	// JSON writes compact JSON. Null does not fit.
	JSON
	// Base64 writes compact JSON in base64url without padding. Null does not
	// fit.
	Base64
)

// Write writes a claim. fits is false for a value that the format has no text
// for, or whose text does not fit a header.
func (f Format) Write(value any) (text string, fits bool) {
	switch f {
	case Plain:
		return plain(value)
	case JSON:
		text, fits = compact(value)
		return text, fits && FitsHeader(text)
	case Base64:
		text, fits = compact(value)
		return base64.RawURLEncoding.EncodeToString([]byte(text)), fits
	}
	return "", false
}

func plain(value any) (text string, fits bool) {
	list, isList := value.([]any)
	if !isList {
		text, fits = scalar(value)
		return text, fits && FitsHeader(text)
	}
	var b strings.Builder
	for i, v := range list {
		element, ok := scalar(v)
		if !ok {
			return "", false
		}
		if i > 0 {
			b.WriteByte(',')
		}
		_, _ = listEscaper.WriteString(&b, element) // a Builder never fails
	}
	return b.String(), FitsHeader(b.String())
}

var listEscaper = strings.NewReplacer("%", "%25", ",", "%2C")

func scalar(value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case json.Number:
		return string(value), true
	case bool:
		return strconv.FormatBool(value), true
	}
	return "", false
}

func compact(value any) (string, bool) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if value == nil || enc.Encode(value) != nil {
		return "", false
	}
	return strings.TrimSuffix(b.String(), "\n"), true
}

// FitsHeader reports whether s can be a header value and arrive as it was: not
// empty (APISIX takes an empty value for a deletion), without control
// characters (RFC 9110 section 5.5), and without a space at either end, which
// the hop would trim.
func FitsHeader(s string) bool {
	return s != "" && s == strings.Trim(s, " ") && strings.IndexFunc(s, unicode.IsControl) < 0
}
