package claim

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
)

// Plain writes a claim as a header value: a string as it is, a number as in
// the token, a boolean as true or false, a list of scalars joined with "," in
// which an element's own "%" and "," are percent-encoded. fits is false for
// null, objects, nested lists and values that do not fit a header.
func Plain(value any) (text string, fits bool) {
	list, isList := value.([]any)
	if !isList {
		text, fits = scalar(value)
		return text, fits && FitsHeader(text)
	}
	for i, v := range list {
		element, ok := scalar(v)
		if !ok {
			return "", false
		}
		if i > 0 {
			text += ","
		}
		text += listEscaper.Replace(element)
	}
	return text, FitsHeader(text)
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

// JSON writes a claim as compact JSON. fits is false for null and for text
// that does not fit a header.
func JSON(value any) (text string, fits bool) {
	text, fits = compact(value)
	return text, fits && FitsHeader(text)
}

// Base64 writes a claim as compact JSON in base64url without padding. fits is
// false for null.
func Base64(value any) (text string, fits bool) {
	text, fits = compact(value)
	return base64.RawURLEncoding.EncodeToString([]byte(text)), fits
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

// FitsHeader tells whether s can be a header value and arrive as it was: not
// empty (APISIX takes an empty value for a deletion), without control
// characters (RFC 9110 section 5.5), and without a space at either end, which
// the hop would trim.
func FitsHeader(s string) bool {
	return s != "" && s == strings.Trim(s, " ") && strings.IndexFunc(s, unicode.IsControl) < 0
}
