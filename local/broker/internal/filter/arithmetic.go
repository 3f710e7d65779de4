package filter

import "math"

// maxText bounds, in bytes, what + makes of strings: the properties of a message
// together may not be longer either.
const maxText = 64 << 10

// arithmetic evaluates left op right for one of + - * / %.
func arithmetic(op byte, left, right value) (value, error) {
	if left.kind == kindUnknown || right.kind == kindUnknown {
		return value{}, nil
	}
	if left.kind == kindNull || right.kind == kindNull {
		return value{kind: kindNull}, nil
	}
	var result value
	var err error
	ok := true
	switch {
	case left.kind.numeric() && right.kind.numeric():
		result, ok, err = calculate(op, left, right)
	case op == '+' && (left.kind == kindString || right.kind == kindString):
		result, ok, err = concatenate(left, right)
	default:
		result, ok, err = shift(op, left, right)
	}
	if err == nil && !ok {
		err = failed("operator '%c' cannot be applied to operands of type '%v' and '%v'", op, left.kind, right.kind)
	}
	return result, err
}

// calculate works on two numbers as C# does outside of a checked context: integers
// wrap around.
func calculate(op byte, left, right value) (value, bool, error) {
	a, b, ok := promote(left, right)
	if !ok {
		return value{}, false, nil
	}
	if a.kind == kindSingle || a.kind == kindDouble {
		result := doubleValue(calculateReal(op, a.double(), b.double()))
		if a.kind == kindSingle {
			result = asSingle(result)
		}
		return result, true, nil
	}
	if b.bits == 0 && (op == '/' || op == '%') {
		return value{}, true, failed("division by zero")
	}
	result := value{kind: a.kind}
	switch a.kind {
	case kindUint64, kindUint32:
		result.bits = calculateWhole(op, a.bits, b.bits)
	default:
		result.bits = uint64(calculateWhole(op, a.integer(), b.integer()))
	}
	return narrowed(result), true, nil
}

// narrowed wraps a result of 32 bits around.
func narrowed(v value) value {
	switch v.kind {
	case kindInt32:
		v.bits = uint64(int64(int32(v.bits)))
	case kindUint32:
		v.bits = uint64(uint32(v.bits))
	}
	return v
}

func calculateReal(op byte, a, b float64) float64 {
	switch op {
	case '+':
		return a + b
	case '-':
		return a - b
	case '*':
		return a * b
	case '/':
		return a / b
	}
	return math.Mod(a, b)
}

func calculateWhole[T int64 | uint64](op byte, a, b T) T {
	switch op {
	case '+':
		return a + b
	case '-':
		return a - b
	case '*':
		return a * b
	case '/':
		return a / b
	}
	return a % b
}

func concatenate(left, right value) (value, bool, error) {
	a, ok := left.string()
	b, also := right.string()
	if !ok || !also {
		return value{}, false, nil
	}
	if len(a)+len(b) > maxText {
		return value{}, true, failed("a string would be longer than %d bytes", maxText)
	}
	return textValue(a + b), true, nil
}

// shift adds and subtracts points in time and durations.
func shift(op byte, left, right value) (value, bool, error) {
	if op != '+' && op != '-' {
		return value{}, false, nil
	}
	ticks := calculateWhole(op, left.integer(), right.integer())
	switch {
	case left.kind == kindTimeSpan && right.kind == kindTimeSpan,
		left.kind == kindDateTime && right.kind == kindDateTime && op == '-':
		return spanValue(ticks), true, nil
	case left.kind == kindDateTime && right.kind == kindTimeSpan:
		return timeValue(ticks), true, nil
	}
	return value{}, false, nil
}

// negate evaluates the unary minus.
func negate(v value) (value, error) {
	switch v.kind {
	case kindUnknown, kindNull:
		return value{kind: v.kind}, nil
	case kindInt32, kindInt64:
		return narrowed(value{kind: v.kind, bits: -v.bits}), nil
	case kindUint32:
		return intValue(-v.integer()), nil
	case kindSingle, kindDouble:
		return value{kind: v.kind, bits: math.Float64bits(-v.double())}, nil
	case kindTimeSpan:
		return spanValue(-v.integer()), nil
	}
	return value{}, failed("operator '-' cannot be applied to operand of type '%v'", v.kind)
}

// affirm evaluates the unary plus.
func affirm(v value) (value, error) {
	if v.kind.absent() || v.kind.numeric() || v.kind == kindTimeSpan {
		return v, nil
	}
	return value{}, failed("operator '+' cannot be applied to operand of type '%v'", v.kind)
}
