package phone

import "strings"

// Number is a number in the form that Microsoft Graph takes and returns:
// "+31 612345678", "+1 2065555555x123".
type Number string

// String returns the number itself.
func (n Number) String() string { return string(n) }

// Equal reports whether a and b are the same number whatever their formatting:
// spaces, dashes, brackets, 00 in place of +, the label of an extension. The
// extension counts. A text that is no number, or only part of one, equals
// nothing.
func Equal(a, b string) bool {
	x, refusal := scan(a)
	if refusal != nil {
		return false
	}
	y, refusal := scan(b)
	return refusal == nil && x.key() == y.key()
}

func (t text) key() text {
	if rest, ok := strings.CutPrefix(t.digits, "00"); ok && !t.plus {
		t.plus, t.digits = true, rest
	}
	return t
}

// IsMasked reports whether some digits of a number are hidden, as in
// "+31 ******78". That is how Microsoft Graph shows numbers to a person with the
// role Authentication Administrator (phoneAuthenticationMethod, "Get").
func IsMasked(s string) bool {
	_, refusal := scan(s)
	return refusal != nil && refusal.Reason == ReasonMasked
}
