package token

import (
	"errors"
	"math"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// The outcomes of [Times.Check] besides [ErrMalformed].
var (
	ErrExpired     = errors.New("token expired")
	ErrNotYetValid = errors.New("token not yet valid")
	ErrTooOld      = errors.New("token too old")
)

// maxDate is 10000-01-01T00:00:00Z in seconds; dates are within 1970..9999.
const maxDate = 253402300800

// Times are a token's dates in seconds since 1970 (RFC 7519 section 4.1). Each
// but exp may be missing.
type Times struct {
	exp, nbf, iat          float64
	hasExp, hasNbf, hasIat bool
}

// Times reads the dates; its errors wrap [ErrMalformed].
func (t *Untrusted) Times() (times Times, err error) {
	if times.exp, times.hasExp, err = t.date("exp"); err != nil {
		return Times{}, err
	}
	if times.nbf, times.hasNbf, err = t.date("nbf"); err != nil {
		return Times{}, err
	}
	if times.iat, times.hasIat, err = t.date("iat"); err != nil {
		return Times{}, err
	}
	return times, nil
}

// Check holds exp, nbf and iat against now. exp is required; nbf and iat are
// not; all allow for leeway. maxAge, if not 0, is the most that may have passed
// since iat, which is then required.
func (t *Times) Check(now time.Time, leeway, maxAge time.Duration) error {
	n := float64(now.UnixNano()) / 1e9
	skew := leeway.Seconds()
	switch {
	case !t.hasExp:
		return errNoExp
	case n >= t.exp+skew:
		return ErrExpired
	case t.hasNbf && t.nbf > n+skew, t.hasIat && t.iat > n+skew:
		return ErrNotYetValid
	case maxAge == 0:
		return nil
	case !t.hasIat:
		return errNoIat
	case n-t.iat > maxAge.Seconds()+skew:
		return ErrTooOld
	}
	return nil
}

// IssuedAt is iat in seconds since 1970, where it is there.
func (t *Times) IssuedAt() (seconds float64, there bool) { return t.iat, t.hasIat }

var (
	errNoExp = malformed("exp is missing")
	errNoIat = malformed("iat is missing")
)

// CheckTimes is [Untrusted.Times] and [Times.Check].
func (t *Untrusted) CheckTimes(now time.Time, leeway, maxAge time.Duration) error {
	times, err := t.Times()
	if err != nil {
		return err
	}
	return times.Check(now, leeway, maxAge)
}

// Date is the claim of that name as a NumericDate, and whether it is there; its
// errors wrap [ErrMalformed].
func (t *Untrusted) Date(name string) (at time.Time, there bool, err error) {
	seconds, there, err := t.date(name)
	if !there || err != nil {
		return time.Time{}, there, err
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9)), true, nil
}

// date reads a NumericDate (RFC 7519 section 2) in seconds.
func (t *Untrusted) date(name string) (seconds float64, there bool, err error) {
	n, there, ok := t.number(name)
	if !there {
		return 0, false, nil
	}
	if ok {
		seconds, ok = strictjson.Finite(n)
	}
	if !ok || seconds < 0 || seconds >= maxDate {
		return 0, true, malformed(name + " is not a date within the years 1970 to 9999")
	}
	return seconds, true, nil
}
