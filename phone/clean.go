package phone

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxInput is the longest text that is looked at, in bytes: enough for a number
// in any script with a comma-separated neighbour, little enough to keep a whole
// file pasted into one cell cheap.
const maxInput = 256

// fold replaces what a number may be written with by its ASCII counterpart and
// drops what cannot be seen. Superscripts and the like stay as they are: a
// footnote mark must not become a digit.
func fold(s string) string {
	if isPlain(s) {
		return s
	}
	return strings.Map(foldRune, s)
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf || s[i] < ' ' {
			return false
		}
	}
	return true
}

// foldRune returns -1 for what is dropped.
func foldRune(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case r == '\r', r == '\v', r == '\u2028', r == '\u2029', r == '\u0085':
		return '\n'
	case r < utf8.RuneSelf:
		return r
	case '\uff01' <= r && r <= '\uff5e': // full-width forms of ASCII
		return r - '\uff01' + '!'
	case r == '\ufe62':
		return '+'
	case r == '\u2212', r == '\u2043', unicode.Is(unicode.Pd, r):
		return '-'
	case strings.ContainsRune("\u2018\u2019\u02bc\u00b4", r):
		return '\''
	case strings.ContainsRune("\u201c\u201d\u201e", r):
		return '"'
	case strings.ContainsRune("\u2022\u25cf\u2217\u2731\u25a0\u2588", r): // bullets and blocks
		return '*'
	case unicode.Is(unicode.Zs, r):
		return ' '
	case unicode.Is(unicode.Cf, r), r == '\u034f':
		return -1
	}
	return foldDigit(r)
}

// foldDigit turns a decimal digit of any script into ASCII. The ranges of
// category Nd each begin with a zero and hold whole runs of ten (The Unicode
// Standard, section 4.6).
func foldDigit(r rune) rune {
	for _, span := range unicode.Nd.R16 {
		if lo := rune(span.Lo); lo <= r && r <= rune(span.Hi) {
			return '0' + (r-lo)%10
		}
	}
	for _, span := range unicode.Nd.R32 {
		if lo := rune(span.Lo); lo <= r && r <= rune(span.Hi) {
			return '0' + (r-lo)%10
		}
	}
	return r
}

// unwrap takes off what spreadsheets and links put around a number: quotes, a
// leading apostrophe, the = of a formula, a URI's scheme.
func unwrap(s string) string {
	for {
		was := s
		s = strings.Trim(s, " \n'\"")
		s = strings.TrimPrefix(s, "=")
		if len(s) >= 4 && strings.EqualFold(s[:4], "tel:") {
			s = context(s[4:])
		}
		if s == was {
			return s
		}
	}
}

// context resolves the phone-context parameter of a tel URI, which holds what
// stands before a local number (RFC 3966, section 5.1.5). A context that is a
// domain name says nothing about the number.
func context(uri string) string {
	head, params, _ := strings.Cut(uri, ";")
	prefix := ""
	rest := ""
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(param, "=")
		switch {
		case strings.EqualFold(name, "phone-context"):
			if strings.HasPrefix(value, "+") && !strings.HasPrefix(head, "+") {
				prefix = value
			}
		case param != "":
			rest += ";" + param
		}
	}
	return prefix + head + rest
}

// trimFloat takes off the tail that a floating-point cell gives a whole number,
// as in "31612345678.0". Seven digits before it tell it from a group of digits.
func trimFloat(s string) string {
	i := strings.LastIndexAny(s, ".,")
	if i < 0 || i == len(s)-1 || strings.Trim(s[i+1:], "0") != "" {
		return s
	}
	head := strings.TrimPrefix(s[:i], "+")
	if len(head) < minWhole || !allDigits(head) {
		return s
	}
	return s[:i]
}

func allDigits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !isDigit(r) }) < 0
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func isLetter(r rune) bool { return unicode.IsLetter(r) }
