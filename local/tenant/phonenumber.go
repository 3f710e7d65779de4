package tenant

import "strings"

// Bounds of a number: E.164 allows 15 digits in all; the lower bound and the
// length of an extension are not published.
const (
	minNationalDigits  = 4
	maxDigits          = 15
	maxExtensionDigits = 20
)

// spacedNumber checks a number against the one form that is documented,
// "+{country code} {number}x{extension}", and returns it in that form. The
// space after the country code may be missing in the request; the service puts
// it in. It knows no numbering plans: "+1 5555551234", the documentation's own
// example, passes although nobody has that number.
func spacedNumber(raw string) (string, bool) {
	rest, ok := strings.CutPrefix(raw, "+")
	if !ok {
		return "", false
	}
	rest, extension, hasExtension := strings.Cut(rest, "x")
	if hasExtension && (!allDigits(extension) || len(extension) > maxExtensionDigits) {
		return "", false
	}
	code, national, spaced := strings.Cut(rest, " ")
	if !spaced {
		n := countryCodeLength(rest)
		code, national = rest[:n], rest[n:]
	}
	if !allDigits(code) || !allDigits(national) || countryCodeLength(code) != len(code) {
		return "", false
	}
	if len(national) < minNationalDigits || len(code)+len(national) > maxDigits {
		return "", false
	}
	number := "+" + code + " " + national
	if hasExtension {
		number += "x" + extension
	}
	return number, true
}

// countryCodeLength returns how many leading digits are the country code, zero
// when no country code begins so. Codes are prefix-free: 1 and 7 stand alone,
// the listed ones have two digits, and what else begins with 2 to 9 has three
// (ITU-T E.164, list of assigned country codes).
func countryCodeLength(digits string) int {
	if digits == "" || digits[0] < '1' || digits[0] > '9' {
		return 0
	}
	if digits[0] == '1' || digits[0] == '7' {
		return 1
	}
	if len(digits) >= 2 && strings.Contains(twoDigitCodes, digits[:2]+" ") {
		return 2
	}
	if len(digits) >= 3 {
		return 3
	}
	return 0
}

const twoDigitCodes = "20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 " +
	"60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98 "

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
