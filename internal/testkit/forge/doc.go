// Package forge makes the keys, JWKs, tokens and DPoP proofs of the tests. It
// knows how they are written (RFC 7515, 7517, 7518, 8037 and 9449), also how to
// write wrong ones. It must not know who verifies them, so it imports nothing
// of the product.
//
// # The little language
//
// A JSON text is a string that is put in as it is written, so that a test can
// write what no encoder would: "7", `"alice"`, `["a",]`. [Object] and [Claims]
// take changes in pairs of a name and the JSON text of its value. A later pair
// takes the place of an earlier one with the same name, and the text "" takes
// the member out:
//
//	forge.Claims(issuer, audience, now, "sub", `"bob"`, "exp", "", "n", "1.0")
//
// [Header] takes whole members as JSON text, and [And] adds one more, so that a
// name can stand there twice:
//
//	forge.And(forge.Header("RS256", "k", `"typ":"at+jwt"`), `"alg":"none"`)
//
// [JWK] takes pairs of a name and a plain string, of which "" adds nothing.
// What it returns is a map, which a test may spoil further.
//
// Everything panics that cannot do what it was asked to: then the test itself
// is wrong.
package forge
