package main

import (
	"errors"
	"strconv"
	"strings"
)

// size is a number of bytes: plain, or with KiB, MiB or GiB.
type size int64

func (s *size) Type() string { return "size" }

func (s *size) String() string {
	for _, unit := range units {
		if n := int64(*s); n > 0 && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(*s), 10)
}

var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

var errSize = errors.New(`want a number of bytes such as 67108864 or "64MiB", at most 64GiB; 0 is none`)

// Set implements pflag.Value.
func (s *size) Set(text string) error {
	factor := int64(1)
	for _, unit := range units {
		if digits, ok := strings.CutSuffix(text, unit.name); ok {
			text, factor = digits, unit.bytes
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < 0 || n > 64<<30/factor {
		return errSize
	}
	*s = size(n * factor)
	return nil
}

// orNone is the size for a library that takes 0 for its default.
func (s size) orNone() int64 {
	if s == 0 {
		return -1
	}
	return int64(s)
}
