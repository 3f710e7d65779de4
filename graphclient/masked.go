package graphclient

import (
	"strings"
	"unicode"
)

// MaskNumber hides all of a phone number, in the form of Graph, but the country
// code and the last two digits: +1 ********07. An extension goes too. What is
// masked already stays as it is.
func MaskNumber(number string) string {
	number, _, _ = strings.Cut(number, "x")
	code, rest, spaced := strings.Cut(number, " ")
	if !spaced {
		code, rest = "", number
	}
	hidden := []rune(rest)
	for i := range max(0, len(hidden)-2) {
		if unicode.IsDigit(hidden[i]) {
			hidden[i] = '*'
		}
	}
	return strings.TrimSpace(code + " " + string(hidden))
}
