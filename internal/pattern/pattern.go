// Package pattern compiles regular expressions (RE2) whose size is known before
// they are compiled, so that no text costs more than its author can be told.
// It must not know what is matched.
package pattern

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxText is the longest pattern, in bytes.
	MaxText = 1 << 10
	// MaxSize is the largest program of a pattern, in instructions as [Size]
	// counts them; (?:[a-z]{1,100}){1,8} has about 1,600.
	MaxSize = 2_000
	// What the parser does for a class of Unicode, without and with (?i), in
	// instructions that take as long.
	classCost, foldedClassCost = 16, 160
	// With (?i) the parser visits the characters of a range one by one: so many
	// in the time of an instruction.
	runesPerCost = 586
)

// Size is how many instructions text compiles to, at most: counted on its parse
// tree, without compiling it. An error is a [*syntax.Error], or says which
// bound the pattern exceeds; neither repeats more of the pattern than
// [syntax.Error] does.
func Size(text string) (int, error) {
	if len(text) > MaxText {
		return 0, fmt.Errorf("%d bytes; a pattern has at most %d", len(text), MaxText)
	}
	size := parserCost(text)
	if size > MaxSize {
		return 0, errTooLarge
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, err
	}
	size += count(tree) + 4 // begin, end, match and fail
	if size > MaxSize {
		return 0, errTooLarge
	}
	return size, nil
}

var errTooLarge = fmt.Errorf("its repetitions and character classes make it too large; a pattern has at most %d instructions", MaxSize)

// parserCost is what parsing costs beyond the usual. It reads the text only, so
// that it may count what is no class after all.
func parserCost(text string) int {
	folded := folds(text)
	cost := 0
	for i := range len(text) - 1 {
		switch next := text[i+1]; {
		case text[i] == '\\' && (next == 'p' || next == 'P') && folded:
			cost += foldedClassCost
		case text[i] == '\\' && (next == 'p' || next == 'P'):
			cost += classCost
		case text[i] == '-' && folded:
			cost += lastOf(text[i+1:]) / runesPerCost
		}
	}
	return cost
}

// lastOf is the character that text begins with, as the last one of a range: as
// itself or as its number, \x{10FFFF}, \xFF or \377; 0 where it is in ASCII or
// no character.
func lastOf(text string) int {
	if text[0] != '\\' {
		r, _ := utf8.DecodeRuneInString(text)
		return int(r)
	}
	number := ofNumber.FindStringSubmatch(text)
	switch {
	case number == nil:
		return 0
	case number[1] != "":
		r, _ := strconv.ParseUint(number[1], 16, 32) // at most 8 digits
		return int(min(r, unicode.MaxRune))
	}
	return unicode.MaxLatin1
}

var ofNumber = regexp.MustCompile(`\A\\(?:x\{0*([0-9A-Fa-f]{1,8})\}|[x0-7])`)

// folds reports whether a group of flags in text has the letter i, as in (?i)
// and (?s-i:.
func folds(text string) bool {
	for {
		_, rest, found := strings.Cut(text, "(?")
		if !found {
			return false
		}
		flags := rest[:len(rest)-len(strings.TrimLeft(rest, "imsU-"))]
		if strings.Contains(flags, "i") {
			return true
		}
		text = rest
	}
}

// Compile compiles text as [regexp.Compile] does, within the bounds of [Size].
func Compile(text string) (*regexp.Regexp, error) {
	if _, err := Size(text); err != nil {
		return nil, err
	}
	return regexp.Compile(text)
}

// CompileWhole compiles text so that it has to match a whole string, within the
// bounds of [SizeWhole].
func CompileWhole(text string) (*regexp.Regexp, error) {
	if _, err := SizeWhole(text); err != nil {
		return nil, err
	}
	return regexp.Compile(whole(text))
}

// SizeWhole is Size of a text that has to match a whole string. It is parsed
// alone, so that a)(b does not become valid by the brackets around it.
func SizeWhole(text string) (int, error) {
	size, err := Size(text)
	if err == nil && strings.Contains(text, `\Q`) { // which may quote the closing bracket
		_, err = syntax.Parse(whole(text), syntax.Perl)
	}
	return size, err
}

func whole(text string) string { return `\A(?:` + text + `)\z` }

// count is the number of instructions of a tree, at most, or something above
// MaxSize. A character class counts for more the more ranges it has: they are
// copied, folded and searched one by one.
func count(re *syntax.Regexp) int {
	size := 1
	switch re.Op {
	case syntax.OpLiteral:
		size = len(re.Rune)
	case syntax.OpCharClass:
		size = 1 + len(re.Rune)/16
	case syntax.OpAlternate:
		size = len(re.Sub)
	case syntax.OpCapture:
		size = 2
	case syntax.OpRepeat:
		return repeated(re.Min, re.Max, count(re.Sub[0]))
	}
	for _, sub := range re.Sub {
		if size += count(sub); size > MaxSize {
			return MaxSize + 1
		}
	}
	return size
}

// repeated is the size of x{low,high}: low times x, then either a loop or one
// more optional x for each time up to high.
func repeated(low, high, size int) int {
	total := low*size + 1
	if high < 0 {
		total += size + 1
	} else {
		total += (high - low) * (size + 1)
	}
	return min(total, MaxSize+1)
}
