package phone

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	// minWhole is the fewest digits that can be a whole number: that of a local
	// number in North America.
	minWhole = 7
	// maxDigits leaves room for an international prefix and a trunk zero beside
	// the 15 digits that a number can have (ITU-T E.164, section 6).
	maxDigits = 20
	// maxExtension is the longest extension, in digits. Microsoft gives none;
	// seven is what libphonenumber takes without a label.
	maxExtension = 7
)

// text is what is left of a raw text once everything but digits is understood.
type text struct {
	plus      bool
	digits    string
	extension string
}

func (t text) international() string { return "+" + t.digits }

var (
	scientific = regexp.MustCompile(`^[+-]?\d+(?:[.,]\d*)?[eE][+-]?\d+$`)
	extension  = regexp.MustCompile(`(?i)^(.*\d[\s)]*?)(?:[,;]?\s*(?:extension|extn|ext|x|#)\s*[.:=]?)\s*(\d+)$`)
	either     = regexp.MustCompile(`(?i)\s(?:or|and|of|en|oder|und|ou|et|o|y|e)\s|[/;,|&\n]`)
)

// scan reads raw text up to the point where a numbering plan is needed.
func scan(raw string) (text, *Refusal) {
	if len(raw) > maxInput {
		return text{}, refuse(ReasonInvalid, hintTooLong)
	}
	if !utf8.ValidString(raw) {
		return text{}, refuse(ReasonInvalid, hintEncoding)
	}
	s := trimFloat(unwrap(fold(raw)))
	switch {
	case strings.ContainsAny(s, "eE") && scientific.MatchString(s):
		return text{}, refuse(ReasonScientific, hintScientific)
	case masked(s):
		return text{}, refuse(ReasonMasked, hintMasked)
	}
	s, ext, refusal := splitExtension(s)
	if refusal != nil {
		return text{}, refusal
	}
	if several(s) {
		return text{}, refuse(ReasonSeveral, hintSeveral)
	}
	t, refusal := digitsOf(s)
	t.extension = ext
	return t, refusal
}

// masked reports whether digits are hidden: behind any *, or more than one x or
// # where no other letter says that this is text.
func masked(s string) bool {
	if strings.Contains(s, "*") || strings.Count(s, "#") > 1 {
		return true
	}
	hidden := strings.Count(s, "x") + strings.Count(s, "X")
	if hidden < 2 {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return isLetter(r) && r != 'x' && r != 'X' }) < 0
}

func splitExtension(s string) (number, ext string, _ *Refusal) {
	if !strings.ContainsAny(s, "xX#") {
		return s, "", nil
	}
	parts := extension.FindStringSubmatch(s)
	switch {
	case parts == nil:
		return s, "", nil
	case len(parts[2]) > maxExtension:
		return "", "", refuse(ReasonExtension, hintLongExtension)
	}
	return parts[1], parts[2], nil
}

// several reports whether s holds more than one number: two pluses, two long
// runs of digits, or two parts that could each be a number between separators.
// A slash after a German area code separates no numbers: the area code is too
// short to be one.
func several(s string) bool {
	if strings.Count(s, "+") > 1 {
		return true
	}
	if countDigits(s) < 2*minWhole {
		return false
	}
	numbers := 0
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return !isDigit(r) }) {
		if len(part) >= minWhole {
			numbers++
		}
	}
	if numbers > 1 {
		return true
	}
	numbers = 0
	for _, part := range either.Split(s, -1) {
		if countDigits(part) >= minWhole {
			numbers++
		}
	}
	return numbers > 1
}

func countDigits(s string) int {
	n := 0
	for i := range len(s) {
		if isDigit(rune(s[i])) {
			n++
		}
	}
	return n
}

// digitsOf keeps a leading plus and the digits, and refuses whatever else is no
// separator.
func digitsOf(s string) (text, *Refusal) {
	var t text
	var b strings.Builder
	for _, r := range s {
		switch {
		case isDigit(r):
			b.WriteRune(r)
		case r == '+' && b.Len() == 0:
			t.plus = true
		case r == '+':
			return text{}, refuse(ReasonInvalid, hintPlus)
		case isLetter(r):
			return text{}, refuse(ReasonInvalid, hintLetters)
		case !strings.ContainsRune(" \n-.()/", r):
			return text{}, refuse(ReasonInvalid, hintCharacters)
		}
	}
	t.digits = b.String()
	if t.plus {
		t.digits = strings.TrimPrefix(t.digits, "00")
	}
	switch {
	case t.digits == "":
		return text{}, refuse(ReasonInvalid, hintEmpty)
	case len(t.digits) > maxDigits:
		return text{}, refuse(ReasonInvalid, hintTooLong)
	}
	return t, nil
}
