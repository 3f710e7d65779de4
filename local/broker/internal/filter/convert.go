package filter

import (
	"math"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// like returns the value as the type of model, when both are numbers and the number
// fits, or both are text. Otherwise it keeps its own type.
func (v value) like(model any) any {
	if v.kind == kindString {
		if _, symbol := model.(wire.Symbol); symbol {
			return wire.Symbol(v.text)
		}
		if _, text := model.(string); text {
			return v.text
		}
		return v.native()
	}
	if !v.kind.numeric() {
		return v.native()
	}
	switch model.(type) {
	case float64:
		return v.real()
	case float32:
		return float32(v.real())
	case uint64:
		if n, ok := v.unsigned(); ok {
			return n
		}
		return v.native()
	}
	n, whole := v.whole()
	if !whole {
		return v.native()
	}
	if converted := integerLike(n, model); converted != nil {
		return converted
	}
	return v.native()
}

// integerLike returns n as the integer type of model, nil when it does not fit or
// model is none.
func integerLike(n int64, model any) any {
	switch model.(type) {
	case int64:
		return n
	case int32:
		return fitting[int32](n)
	case int16:
		return fitting[int16](n)
	case int8:
		return fitting[int8](n)
	case uint32:
		return fitting[uint32](n)
	case uint16:
		return fitting[uint16](n)
	case uint8:
		return fitting[uint8](n)
	}
	return nil
}

func fitting[T int32 | int16 | int8 | uint32 | uint16 | uint8](n int64) any {
	if converted := T(n); int64(converted) == n {
		return converted
	}
	return nil
}

// whole returns a number as an Int64 if it is one.
func (v value) whole() (int64, bool) {
	switch v.kind {
	case kindSingle, kindDouble:
		f := v.double()
		return int64(f), f == math.Trunc(f) && f >= math.MinInt64 && f < math.MaxInt64
	case kindUint64:
		return v.integer(), v.bits <= math.MaxInt64
	}
	return v.integer(), true
}

// unsigned returns a number as a UInt64 if it is one.
func (v value) unsigned() (uint64, bool) {
	if v.kind == kindUint64 {
		return v.bits, true
	}
	n, whole := v.whole()
	return uint64(n), whole && n >= 0
}
