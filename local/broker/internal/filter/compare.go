package filter

import (
	"cmp"
	"strings"
)

// truth is a value of three-valued logic. The order makes AND the minimum and OR the
// maximum.
type truth uint8

const (
	no truth = iota
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth { return yes - t }

// comparison is a comparison operator.
type comparison uint8

const (
	equal comparison = iota
	notEqual
	less
	lessOrEqual
	greater
	greaterOrEqual
)

var comparisons = map[string]comparison{
	"=": equal, "<>": notEqual, "!=": notEqual, "<": less, "<=": lessOrEqual, ">": greater, ">=": greaterOrEqual,
}

var comparisonTexts = [...]string{"=", "<>", "<", "<=", ">", ">="}

func (c comparison) String() string { return comparisonTexts[c] }

// order is how one value stands to another.
type order int8

const (
	before order = iota - 1
	same
	after
	// apart is the order of a NaN and anything: not equal, and neither before nor after.
	apart
)

// compare evaluates left op right. Values of types that C# does not compare fail.
func (c comparison) compare(left, right value) (truth, error) {
	if left.kind.absent() || right.kind.absent() {
		return unknown, nil
	}
	o, ordered, comparable := orderOf(left, right)
	if !comparable || (!ordered && c > notEqual) {
		return no, failed("operator '%v' cannot be applied to operands of type '%v' and '%v'", c, left.kind, right.kind)
	}
	switch c {
	case equal:
		return truthOf(o == same), nil
	case notEqual:
		return truthOf(o != same), nil
	case less:
		return truthOf(o == before), nil
	case lessOrEqual:
		return truthOf(o == before || o == same), nil
	case greater:
		return truthOf(o == after), nil
	}
	return truthOf(o == after || o == same), nil
}

// orderOf compares two values. The second result tells whether the type has an order
// or equality only, the third whether the types can be compared at all.
func orderOf(a, b value) (o order, ordered, comparable bool) {
	if a.kind.numeric() && b.kind.numeric() {
		return orderOfNumbers(a, b), true, true
	}
	if a.kind != b.kind {
		return apart, false, false
	}
	switch a.kind {
	case kindString:
		return order(strings.Compare(a.text, b.text)), true, true
	case kindDateTime, kindTimeSpan:
		return order(cmp.Compare(a.integer(), b.integer())), true, true
	case kindBoolean, kindGuid:
		if a.bits == b.bits && a.low == b.low {
			return same, false, true
		}
		return apart, false, true
	}
	return apart, false, false
}

func orderOfNumbers(a, b value) order {
	a, b, ok := promote(a, b)
	switch {
	case !ok && negative(a):
		return before
	case !ok:
		return after
	case a.kind == kindUint64:
		return order(cmp.Compare(a.bits, b.bits))
	case a.kind == kindSingle || a.kind == kindDouble:
		return orderOfReals(a.double(), b.double())
	}
	return order(cmp.Compare(a.integer(), b.integer()))
}

func orderOfReals(a, b float64) order {
	switch {
	case a < b:
		return before
	case a > b:
		return after
	case a == b:
		return same
	}
	return apart
}
