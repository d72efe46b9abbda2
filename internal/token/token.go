// Package token takes a token out of a request and reads it strictly, without
// believing it: everything here is untrusted until a signature says otherwise.
// It must not know where keys come from.
package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// MaxLen is the longest token that is read, in bytes.
const MaxLen = 16 << 10

// ErrMalformed is wrapped by every error of [Parse]. The text around it says
// what is wrong and holds nothing of the token.
var ErrMalformed = errors.New("malformed token")

func malformed(why string) error { return fmt.Errorf("%w: %s", ErrMalformed, why) }

// Untrusted is a JWS in compact serialisation (RFC 7515 section 3.1) that
// reads well and was not verified.
type Untrusted struct {
	Raw          string
	SigningInput string // the first two parts with their dot
	Signature    []byte

	Alg    string
	Typ    string // "" when absent
	Kid    string
	HasKid bool

	Header  map[string]any // strictjson values
	Claims  map[string]any
	Payload []byte // the claims set as it was signed
}

// Parse reads a compact JWS (RFC 7515 section 5.2 steps 1 to 5) and its
// claims set. It refuses what RFC 8725 and RFC 7515 let a verifier refuse:
// padding and line breaks in base64url, trailing bits, repeated member names
// at any depth, text after an object, invalid UTF-8, crit, zip, b64.
func Parse(raw string) (*Untrusted, error) {
	if len(raw) > MaxLen {
		return nil, malformed("longer than 16 KiB")
	}
	switch strings.Count(raw, ".") {
	case 2:
	case 0:
		return nil, malformed("an opaque token, not a JWT")
	case 4:
		return nil, malformed("an encrypted token (JWE)")
	default:
		return nil, malformed("not three parts")
	}
	head, rest, _ := strings.Cut(raw, ".")
	body, sig, _ := strings.Cut(rest, ".")
	t := &Untrusted{Raw: raw, SigningInput: raw[:len(head)+1+len(body)]}

	header, _, err := object(head, "header")
	if err != nil {
		return nil, err
	}
	t.Header = header
	if err := t.readHeader(header); err != nil {
		return nil, err
	}
	if t.Claims, t.Payload, err = object(body, "claims set"); err != nil {
		return nil, err
	}
	if t.Signature, err = decode(sig); err != nil {
		return nil, malformed("the signature is not base64url without padding")
	}
	return t, nil
}

func (t *Untrusted) readHeader(header map[string]any) error {
	// Extensions this verifier would have to understand: RFC 7515 section
	// 4.1.11, RFC 7797, and zip of RFC 7516, which is no member of a JWS.
	for _, name := range []string{"crit", "zip", "b64"} {
		if _, there := header[name]; there {
			return malformed(name + " in the header")
		}
	}
	var ok bool
	if t.Alg, ok = header["alg"].(string); !ok {
		return malformed("alg is not a string")
	}
	if typ, there := header["typ"]; there {
		if t.Typ, ok = typ.(string); !ok || t.Typ == "" {
			return malformed("typ is not a string")
		}
	}
	if kid, there := header["kid"]; there {
		if t.Kid, ok = kid.(string); !ok {
			return malformed("kid is not a string")
		}
		t.HasKid = true
	}
	return nil
}

func object(part, what string) (map[string]any, []byte, error) {
	data, err := decode(part)
	if err != nil {
		return nil, nil, malformed("the " + what + " is not base64url without padding")
	}
	v, err := strictjson.Parse(data, strictjson.Options{})
	if err != nil {
		kind := errors.Unwrap(err)
		return nil, nil, malformed(fmt.Sprintf("the %s: %v", what, kind))
	}
	members, ok := v.(map[string]any)
	if !ok {
		return nil, nil, malformed("the " + what + " is not a JSON object")
	}
	return members, data, nil
}

var base64url = base64.RawURLEncoding.Strict()

// decode is strict base64url. Go's decoder skips CR and LF; we do not.
func decode(part string) ([]byte, error) {
	if strings.IndexByte(part, '\r') >= 0 || strings.IndexByte(part, '\n') >= 0 {
		return nil, base64.CorruptInputError(0)
	}
	return base64url.DecodeString(part)
}

// String is the string claim of that name; "" when it is absent or no string.
func (t *Untrusted) String(name string) string {
	s, _ := t.Claims[name].(string)
	return s
}

// number is a claim that must be a number if it is there.
func (t *Untrusted) number(name string) (n json.Number, there, ok bool) {
	v, there := t.Claims[name]
	if !there {
		return "", false, true
	}
	n, ok = v.(json.Number)
	return n, true, ok
}
