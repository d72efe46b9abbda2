package token_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/testkit/forge"
	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/token"
)

// now is a whole second.
const now = 1_800_000_000

// dated is a claims set with these members; without exp, that is an hour
// ahead.
func dated(members ...string) string {
	text := `{"x":0`
	hasExp := false
	for i := 0; i < len(members); i += 2 {
		text += `,"` + members[i] + `":` + members[i+1]
		hasExp = hasExp || members[i] == "exp"
	}
	if !hasExp {
		text += `,"exp":` + from(3600)
	}
	return text + "}"
}

func from(offset int64) string { return strconv.FormatInt(now+offset, 10) }

func TestTimesAtTheSecond(t *testing.T) {
	const leeway, maxAge = 30 * time.Second, 10 * time.Minute
	for name, c := range map[string]struct {
		claims string
		age    time.Duration
		want   error
	}{
		"exp 29 s ago":                      {dated("exp", from(-29)), 0, nil},
		"exp 29.5 s ago":                    {dated("exp", from(-30)+".5"), 0, nil},
		"exp 30 s ago":                      {dated("exp", from(-30)), 0, token.ErrExpired},
		"exp 31 s ago":                      {dated("exp", from(-31)), 0, token.ErrExpired},
		"nbf in 30 s":                       {dated("nbf", from(30)), 0, nil},
		"nbf in 30.5 s":                     {dated("nbf", from(30)+".5"), 0, token.ErrNotYetValid},
		"nbf in 31 s":                       {dated("nbf", from(31)), 0, token.ErrNotYetValid},
		"iat in 30 s":                       {dated("iat", from(30)), 0, nil},
		"iat in 31 s":                       {dated("iat", from(31)), 0, token.ErrNotYetValid},
		"iat of 1970":                       {dated("iat", "0"), 0, nil},
		"age of 10 min":                     {dated("iat", from(-600)), maxAge, nil},
		"age of 10 min and the leeway":      {dated("iat", from(-630)), maxAge, nil},
		"age of 10 min, leeway and 1 s":     {dated("iat", from(-631)), maxAge, token.ErrTooOld},
		"age unknown":                       {dated(), maxAge, token.ErrMalformed},
		"age without limit":                 {dated(), 0, nil},
		"expired comes before not yet":      {dated("exp", from(-60), "nbf", from(60)), 0, token.ErrExpired},
		"malformed comes before expired":    {dated("exp", from(-60), "iat", `"x"`), 0, token.ErrMalformed},
		"the last second of 9999":           {dated("exp", "253402300799"), 0, nil},
		"the last moment of 9999":           {dated("exp", "253402300799.999"), 0, nil},
		"the year 10000":                    {dated("exp", "253402300800"), 0, token.ErrMalformed},
		"exp in exponent form":              {dated("exp", "1.9e9"), 0, nil},
		"exp that rounds up to 10000":       {dated("exp", "253402300799.9999999999"), 0, token.ErrMalformed},
		"exp of a text":                     {dated("exp", `"`+from(60)+`"`), 0, token.ErrMalformed},
		"exp of more digits than a float's": {dated("exp", from(60)+".00000000000000000000000000001"), 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			tok, err := token.Parse(compact(header, c.claims))
			if err != nil {
				t.Fatal(err)
			}
			if err := tok.CheckTimes(time.Unix(now, 0), leeway, c.age); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestTimesWithoutLeeway(t *testing.T) {
	tok, err := token.Parse(compact(header, dated("exp", from(0), "nbf", from(-1), "iat", from(-1))))
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Time]error{
		time.Unix(now-2, 0):           token.ErrNotYetValid,
		time.Unix(now-1, 0):           nil,
		time.Unix(now-1, 999_000_000): nil,
		time.Unix(now, 0):             token.ErrExpired,
	} {
		if err := tok.CheckTimes(at, 0, 0); !errors.Is(err, want) {
			t.Errorf("at %d ms: %v, want %v", at.UnixMilli(), err, want)
		}
	}
}

func TestADateIsReadToTheFraction(t *testing.T) {
	for _, tt := range []struct {
		claims string
		want   time.Time
		there  bool
		err    error
	}{
		{dated(), time.Time{}, false, nil},
		{dated("auth_time", from(0)), time.Unix(now, 0), true, nil},
		{dated("auth_time", from(0)+".25"), time.Unix(now, 250_000_000), true, nil},
		{dated("auth_time", "null"), time.Time{}, true, token.ErrMalformed},
		{dated("auth_time", `"1"`), time.Time{}, true, token.ErrMalformed},
		{dated("auth_time", "-1"), time.Time{}, true, token.ErrMalformed},
		{dated("auth_time", "1e300"), time.Time{}, true, token.ErrMalformed},
	} {
		tok, err := token.Parse(forge.Compact(forge.Header("none", ""), tt.claims, nil))
		if err != nil {
			t.Fatal(err)
		}
		got, there, err := tok.Date("auth_time")
		if !got.Equal(tt.want) || there != tt.there || !errors.Is(err, tt.err) {
			t.Errorf("%s: %v, %t, %v", tt.claims, got, there, err)
		}
	}
}
