package config

import (
	"encoding/json"
	"math/big"
	"strings"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

const defaultLeeway = 30 * time.Second

// MaxLeeway is the greatest leeway that a route may allow.
const MaxLeeway = 5 * time.Minute

const durationForm = `a duration, 0 or more: a Go duration such as "30s", or a number of seconds`

// duration reads a Go duration string or a number of seconds, to the
// nanosecond. It is never negative.
func (v value) duration() (time.Duration, bool) {
	var d time.Duration
	ok := false
	switch j := v.json.(type) {
	case string:
		parsed, err := time.ParseDuration(j)
		d, ok = parsed, err == nil
	case json.Number:
		d, ok = seconds(j)
	}
	if !ok || d < 0 {
		v.refuse(durationForm)
		return 0, false
	}
	return d, true
}

// seconds is exact: what is no whole number of nanoseconds is none.
func seconds(n json.Number) (time.Duration, bool) {
	// big.Rat would write out what a large exponent stands for.
	mantissa, exponent, _ := strings.Cut(strings.ToLower(string(n)), "e")
	if _, finite := strictjson.Finite(n); !finite || len(mantissa) > 40 || len(exponent) > 3 {
		return 0, false
	}
	r, ok := new(big.Rat).SetString(string(n))
	if !ok {
		return 0, false
	}
	r.Mul(r, big.NewRat(int64(time.Second), 1))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, false
	}
	return time.Duration(r.Num().Int64()), true
}

func (o object) leeway() time.Duration {
	v, ok := o.get("leeway")
	if !ok {
		return defaultLeeway
	}
	d, ok := v.duration()
	if ok && d > MaxLeeway {
		v.refuse("at most 5m")
	}
	return d
}

func (o object) maxTokenAge() time.Duration { return o.limit("max_token_age") }

// maxAuthAge is in whole seconds, as max_age of the challenge is.
func (o object) maxAuthAge() time.Duration {
	d := o.limit("max_auth_age")
	if d%time.Second != 0 {
		v, _ := o.get("max_auth_age")
		v.refuse("whole seconds")
	}
	return d
}

// limit reads a duration of more than 0; absent is 0.
func (o object) limit(key string) time.Duration {
	v, ok := o.get(key)
	if !ok {
		return 0
	}
	d, ok := v.duration()
	if ok && d == 0 {
		v.refuse("more than 0; leave the key out for no limit")
	}
	return d
}
