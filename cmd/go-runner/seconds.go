package main

import (
	"errors"
	"strconv"
	"time"
)

// maxSeconds is ten years.
const maxSeconds = 10 * 365 * 24 * 60 * 60

// seconds is a duration given as a Go duration string or as a number of
// seconds, as APISIX gives it.
type seconds time.Duration

func (s *seconds) String() string { return time.Duration(*s).String() }
func (s *seconds) Type() string   { return "duration" }

func (s *seconds) Set(text string) error {
	d, err := time.ParseDuration(text)
	if n, numErr := strconv.Atoi(text); numErr == nil {
		d, err = time.Duration(min(n, int(maxSeconds)))*time.Second, nil
	}
	if err != nil || d < time.Second || d >= maxSeconds*time.Second {
		return errors.New(`want a duration such as "3600s", or a number of seconds, of at least 1 and under 10 years`)
	}
	*s = seconds(d)
	return nil
}
