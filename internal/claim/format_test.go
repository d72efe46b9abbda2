package claim_test

import (
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/claim"
)

func TestFormats(t *testing.T) {
	plain := claim.Plain
	for _, c := range []struct {
		name   string
		format claim.Format
		json   string
		want   string
		fits   bool
	}{
		{"plain text as it is", plain, `"auth0|ann, 100%"`, "auth0|ann, 100%", true},
		{"plain text beyond ASCII", plain, `"J\u00fcrgen"`, "Jürgen", true},
		{"plain number as in the token", plain, `1.50E+2`, "1.50E+2", true},
		{"plain true", plain, `true`, "true", true},
		{"plain false", plain, `false`, "false", true},
		{"plain null does not fit", plain, `null`, "", false},
		{"plain empty text does not fit", plain, `""`, "", false},
		{"plain text with a line feed does not fit", plain, `"a\nX-Admin: 1"`, "", false},
		{"plain text with a carriage return does not fit", plain, `"a\r"`, "", false},
		{"plain text with a NUL does not fit", plain, `"a\u0000b"`, "", false},
		{"plain text with a tab does not fit", plain, `"a\tb"`, "", false},
		{"plain object does not fit", plain, `{"a":1}`, "", false},
		{"plain empty object does not fit", plain, `{}`, "", false},

		{"plain list", plain, `["a",1,true]`, "a,1,true", true},
		{"plain list of one", plain, `["a"]`, "a", true},
		{"plain list escapes commas and percent signs", plain, `["a,b","100%","%2C"]`, "a%2Cb,100%25,%252C", true},
		{"plain list keeps empty elements", plain, `["a","","b"]`, "a,,b", true},
		{"plain empty list does not fit", plain, `[]`, "", false},
		{"plain list with a list does not fit", plain, `["a",["b"]]`, "", false},
		{"plain list with an object does not fit", plain, `["a",{}]`, "", false},
		{"plain list with null does not fit", plain, `["a",null]`, "", false},
		{"plain list with a line feed does not fit", plain, `["a","b\n"]`, "", false},

		{"json text", claim.JSON, `"a\"b"`, `"a\"b"`, true},
		{"json is compact", claim.JSON, `{ "a" : [ 1, 2.50 ] }`, `{"a":[1,2.50]}`, true},
		{"json escapes no HTML", claim.JSON, `"<a&b>"`, `"<a&b>"`, true},
		{"json escapes what is no header text", claim.JSON, `"a\r\nb"`, `"a\r\nb"`, true},
		{"json false", claim.JSON, `false`, `false`, true},
		{"json empty list", claim.JSON, `[]`, `[]`, true},
		{"json empty text", claim.JSON, `""`, `""`, true},
		{"json null does not fit", claim.JSON, `null`, "", false},
		{"json list of null", claim.JSON, `[null]`, `[null]`, true},
		{"json with DEL does not fit, as JSON does not escape it", claim.JSON, `"a\u007f"`, "", false},
		{"json with C1 controls does not fit", claim.JSON, `"\u0085"`, "", false},

		{"base64 text", claim.Base64, `"a"`, "ImEi", true},
		{"base64 without padding", claim.Base64, `"ab"`, "ImFiIg", true},
		{"base64url alphabet", claim.Base64, `"\u00ff\u00ff\u00ff>>>???"`, "IsO_w7_Dvz4-Pj8_PyI", true},
		{"base64 takes control characters", claim.Base64, `"\u0085"`, "IsKFIg", true},
		{"base64 object", claim.Base64, `{"a":1}`, "eyJhIjoxfQ", true},
		{"base64 null does not fit", claim.Base64, `null`, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, fits := c.format.Write(parse(t, c.json))
			if fits != c.fits || fits && got != c.want {
				t.Errorf("%s: %q, fits %v; want %q, %v", c.json, got, fits, c.want, c.fits)
			}
			if fits && !claim.FitsHeader(got) {
				t.Errorf("%q is said to fit a header and does not", got)
			}
		})
	}
}

func TestFitsHeader(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{"a", true},
		{"a b", true},
		{"ü", true},
		{`"\,;=%`, true},
		{"", false},
		{" ", false},
		{" a", false},
		{"a ", false},
		{"a\x00", false},
		{"a\tb", false},
		{"a\r\nb", false},
		{"\x1b[0m", false},
		{"a\x7f", false},
		{"a\u0085b", false},
	} {
		if got := claim.FitsHeader(c.text); got != c.want {
			t.Errorf("%q: %v", c.text, got)
		}
	}
}
