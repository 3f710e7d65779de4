package filter

import "math"

// promote gives two numbers the one type in which C# works on them (binary numeric
// promotion). It reports false for a negative signed number beside a UInt64 that no
// Int64 holds, which have none.
func promote(a, b value) (value, value, bool) {
	switch {
	case a.kind == kindDouble || b.kind == kindDouble:
		return asDouble(a), asDouble(b), true
	case a.kind == kindSingle || b.kind == kindSingle:
		return asSingle(a), asSingle(b), true
	case a.kind == kindUint64 || b.kind == kindUint64:
		return promoteUnsigned(a, b)
	case a.kind == b.kind:
		return a, b, true
	}
	// What is left is one Int64, or an Int32 beside a UInt32: Int64 holds both.
	return asInt64(a), asInt64(b), true
}

// promoteUnsigned handles pairs with a UInt64. C# refuses a signed operand unless it is
// a constant that is not negative; here the value decides, so that a property
// that came as ulong can be compared with a constant.
func promoteUnsigned(a, b value) (value, value, bool) {
	switch {
	case !negative(a) && !negative(b):
		a.kind, b.kind = kindUint64, kindUint64
		return a, b, true
	case a.kind == kindUint64 && a.bits > math.MaxInt64, b.kind == kindUint64 && b.bits > math.MaxInt64:
		return a, b, false
	}
	return asInt64(a), asInt64(b), true
}

// negative tells whether an integer is below zero.
func negative(v value) bool {
	return (v.kind == kindInt32 || v.kind == kindInt64) && v.integer() < 0
}

func asInt64(v value) value { return value{kind: kindInt64, bits: v.bits} }

func asDouble(v value) value { return doubleValue(v.real()) }

func asSingle(v value) value {
	return value{kind: kindSingle, bits: math.Float64bits(float64(float32(v.real())))}
}

// real returns any number as a double.
func (v value) real() float64 {
	switch v.kind {
	case kindSingle, kindDouble:
		return v.double()
	case kindUint64:
		return float64(v.bits)
	}
	return float64(v.integer())
}
