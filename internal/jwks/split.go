package jwks

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// maxKeys bounds the time that one set takes to read: 1,000 keys on P-521, the
// most costly ones, take 20 to 30 ms of a core. Issuers publish a handful of keys.
const maxKeys = 1000

// split takes a JWKS apart into the texts of its keys, each of which is JSON by
// its grammar and no more than that. All around the keys is held to strictjson's
// rules: it reads the document with the list of keys left empty.
func split(document []byte) ([]json.RawMessage, error) {
	malformed := &fetchError{kind: FailedMalformed, at: atJWKS}
	dec := json.NewDecoder(bytes.NewReader(document))
	if !opens(dec, '{') {
		return nil, malformed
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, malformed
		}
		if name == "keys" {
			break
		}
		var other json.RawMessage
		if dec.Decode(&other) != nil {
			return nil, malformed
		}
	}
	if !opens(dec, '[') {
		return nil, malformed
	}
	begin := dec.InputOffset()
	var list []json.RawMessage
	for dec.More() {
		if len(list) == maxKeys {
			return nil, &fetchError{kind: fetch.FailedTooLarge, at: atJWKS}
		}
		var key json.RawMessage
		if dec.Decode(&key) != nil {
			return nil, malformed
		}
		list = append(list, key)
	}
	around := slices.Concat(document[:begin], document[dec.InputOffset():])
	if _, err := strictjson.Parse(around, strictjson.Options{}); err != nil {
		return nil, malformed
	}
	return list, nil
}

// opens reports whether the next token is that bracket.
func opens(dec *json.Decoder, bracket json.Delim) bool {
	token, err := dec.Token()
	return err == nil && token == bracket
}
