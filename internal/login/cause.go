package login

import (
	"context"
	"errors"
	"strings"
)

// noAnswer reports whether an error of a [Provider] means that the issuer may
// answer a moment later.
func noAnswer(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// causeOf is what a log may say of an error. The texts that must not be logged
// are taken out, should an error hold one of them.
func causeOf(what string, err error, withheld ...string) string {
	text := what + ": " + err.Error()
	for _, s := range withheld {
		if s != "" {
			text = strings.ReplaceAll(text, s, "…")
		}
	}
	return text
}
