package strictjson

import (
	"unicode/utf16"
	"unicode/utf8"
)

func (p *parser) str() (string, error) {
	p.pos++ // the quote
	start := p.pos
	for {
		p.plain()
		switch c := p.peek(); {
		case c == '"':
			s := string(p.data[start:p.pos])
			p.pos++
			return s, nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20: // or the end
			return "", p.fail(ErrSyntax)
		default:
			if err := p.rune(); err != nil {
				return "", err
			}
		}
	}
}

// plain steps over what stands for itself in a string: ASCII, mostly all of it.
func (p *parser) plain() {
	rest := p.data[p.pos:]
	for i, c := range rest {
		if c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			p.pos += i
			return
		}
	}
	p.pos += len(rest)
}

func (p *parser) rune() error {
	r, size := utf8.DecodeRune(p.data[p.pos:])
	if r == utf8.RuneError && size == 1 {
		return p.fail(ErrUTF8)
	}
	p.pos += size
	return nil
}

// escaped reads the rest of a string from its first backslash on.
func (p *parser) escaped(start int) (string, error) {
	out := append(make([]byte, 0, p.pos-start+32), p.data[start:p.pos]...)
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; {
		case c == '"':
			p.pos++
			return string(out), nil
		case c == '\\':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
		case c < 0x20:
			return "", p.fail(ErrSyntax)
		default:
			at := p.pos
			if err := p.rune(); err != nil {
				return "", err
			}
			out = append(out, p.data[at:p.pos]...)
		}
	}
	return "", p.fail(ErrSyntax)
}

var shortEscapes = map[byte]rune{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

func (p *parser) escape() (rune, error) {
	p.pos++ // the backslash
	c := p.peek()
	if r, ok := shortEscapes[c]; ok {
		p.pos++
		return r, nil
	}
	r, ok := p.unicodeEscape()
	if !ok {
		return 0, p.fail(ErrSyntax)
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	// A lone surrogate has no UTF-8 form (RFC 7493 section 2.1).
	if p.peek() != '\\' {
		return 0, p.fail(ErrUTF8)
	}
	p.pos++
	low, ok := p.unicodeEscape()
	if !ok {
		return 0, p.fail(ErrUTF8)
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, p.fail(ErrUTF8)
	}
	return r, nil
}

// unicodeEscape reads "u" and four hexadecimal digits at the cursor.
func (p *parser) unicodeEscape() (rune, bool) {
	if p.peek() != 'u' || len(p.data)-p.pos < 5 {
		return 0, false
	}
	var r rune
	for _, c := range p.data[p.pos+1 : p.pos+5] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	p.pos += 5
	return r, true
}
