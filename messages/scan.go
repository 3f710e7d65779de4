package messages

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The lexical half of the reader: RFC 8259 and nothing besides. It is stricter
// than encoding/json where that mends what it reads: bad UTF-8 and halves of
// surrogate pairs are faults here.

// space skips insignificant white space and returns the byte after it, zero at
// the end of the body.
func (r *reader) space() byte {
	for r.pos < len(r.body) {
		switch c := r.body[r.pos]; c {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// accept takes the byte c if it is next.
func (r *reader) accept(c byte) bool {
	if r.space() != c {
		return false
	}
	r.pos++
	return true
}

// str takes a string and returns its bytes without quotes and escapes. The
// slice may be part of the body: it is not to be changed.
func (r *reader) str() []byte {
	if !r.accept('"') {
		r.syntax("a string is expected")
		return nil
	}
	start := r.pos
	for r.pos < len(r.body) {
		switch c := r.body[r.pos]; {
		case c == '"':
			r.pos++
			return r.body[start : r.pos-1]
		case c == '\\':
			return r.unescaped(append([]byte(nil), r.body[start:r.pos]...))
		default:
			if !r.character() {
				return nil
			}
		}
	}
	r.syntax("a string does not end")
	return nil
}

// unescaped goes on with a string from its first escape, appending to text.
func (r *reader) unescaped(text []byte) []byte {
	for r.pos < len(r.body) {
		start := r.pos
		switch c := r.body[r.pos]; {
		case c == '"':
			r.pos++
			return text
		case c == '\\':
			char, ok := r.escape()
			if !ok {
				return nil
			}
			text = utf8.AppendRune(text, char)
		default:
			if !r.character() {
				return nil
			}
			text = append(text, r.body[start:r.pos]...)
		}
	}
	r.syntax("a string does not end")
	return nil
}

// character takes one unescaped character of a string.
func (r *reader) character() bool {
	c := r.body[r.pos]
	if c < ' ' {
		r.syntax("a control character in a string must be escaped")
		return false
	}
	if c < utf8.RuneSelf {
		r.pos++
		return true
	}
	char, size := utf8.DecodeRune(r.body[r.pos:])
	if char == utf8.RuneError && size <= 1 {
		r.syntax("the text is not UTF-8")
		return false
	}
	r.pos += size
	return true
}

// escape takes one escape sequence, or two that make a surrogate pair.
func (r *reader) escape() (rune, bool) {
	if r.pos+1 >= len(r.body) {
		r.syntax("a string does not end")
		return 0, false
	}
	c := r.body[r.pos+1]
	if c == 'u' {
		return r.unicode()
	}
	i := bytes.IndexByte([]byte(`"\/bfnrt`), c)
	if i < 0 {
		r.syntax("an escape is unknown")
		return 0, false
	}
	r.pos += 2
	return rune("\"\\/\b\f\n\r\t"[i]), true
}

func (r *reader) unicode() (rune, bool) {
	char, ok := hex4(r.body[r.pos:])
	if !ok {
		r.syntax(`a \u escape needs four hexadecimal digits`)
		return 0, false
	}
	if !utf16.IsSurrogate(char) {
		r.pos += 6
		return char, true
	}
	low, _ := hex4(r.body[r.pos+6:])
	if char = utf16.DecodeRune(char, low); char == utf8.RuneError {
		r.syntax("half of a surrogate pair stands alone")
		return 0, false
	}
	r.pos += 12
	return char, true
}

// hex4 reads a \uXXXX at the beginning of b.
func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var char rune
	for _, c := range b[2:6] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		char = char<<4 | rune(c)
	}
	return char, true
}

// literal takes one of the words true, false and null if it is next.
func (r *reader) literal(word string) bool {
	r.space()
	if !bytes.HasPrefix(r.body[r.pos:], []byte(word)) {
		return false
	}
	r.pos += len(word)
	return true
}

// number takes a number and returns it as it is written.
func (r *reader) number() []byte {
	r.space()
	start := r.pos
	r.take('-')
	if !r.take('0') && r.digits() == 0 {
		r.syntax("a value is expected")
		return nil
	}
	if r.take('.') && r.digits() == 0 {
		r.syntax("a number needs a digit after its point")
		return nil
	}
	if r.take('e') || r.take('E') {
		_ = r.take('+') || r.take('-')
		if r.digits() == 0 {
			r.syntax("a number needs a digit in its exponent")
			return nil
		}
	}
	return r.body[start:r.pos]
}

// take is accept without white space, for the inside of a token.
func (r *reader) take(c byte) bool {
	if r.pos == len(r.body) || r.body[r.pos] != c {
		return false
	}
	r.pos++
	return true
}

func (r *reader) digits() int {
	start := r.pos
	for r.pos < len(r.body) && '0' <= r.body[r.pos] && r.body[r.pos] <= '9' {
		r.pos++
	}
	return r.pos - start
}

// syntax records that the document is no JSON, with the place.
func (r *reader) syntax(what string) {
	r.fail("is not valid JSON: " + what + ", at byte " + strconv.Itoa(r.pos))
}
