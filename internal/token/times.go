package token

import (
	"errors"
	"time"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/strictjson"
)

// The outcomes of [Untrusted.CheckTimes] besides [ErrMalformed].
var (
	ErrExpired     = errors.New("token expired")
	ErrNotYetValid = errors.New("token not yet valid")
	ErrTooOld      = errors.New("token too old")
)

// maxDate is 10000-01-01T00:00:00Z in seconds; dates are within 1970..9999.
const maxDate = 253402300800

// CheckTimes holds exp, nbf and iat (RFC 7519 section 4.1) against now. exp is
// required; nbf and iat are not; all allow for leeway. maxAge, if not 0, is
// the most that may have passed since iat, which is then required.
func (t *Untrusted) CheckTimes(now time.Time, leeway, maxAge time.Duration) error {
	exp, hasExp, err := t.date("exp")
	if err != nil {
		return err
	}
	nbf, hasNbf, err := t.date("nbf")
	if err != nil {
		return err
	}
	iat, hasIat, err := t.date("iat")
	if err != nil {
		return err
	}
	n := float64(now.UnixNano()) / 1e9
	skew := leeway.Seconds()
	switch {
	case !hasExp:
		return malformed("exp is missing")
	case n >= exp+skew:
		return ErrExpired
	case hasNbf && nbf > n+skew, hasIat && iat > n+skew:
		return ErrNotYetValid
	case maxAge == 0:
		return nil
	case !hasIat:
		return malformed("iat is missing")
	case n-iat > maxAge.Seconds()+skew:
		return ErrTooOld
	}
	return nil
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
