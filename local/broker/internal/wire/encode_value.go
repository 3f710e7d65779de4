package wire

import (
	"encoding/binary"
	"fmt"
	"math"
)

// maxDepth bounds how deep lists, maps, arrays and descriptors nest, both ways.
// Service Bus needs four levels.
const maxDepth = 32

// AppendValue appends v, which is one of the Go types of the value model, in
// its smallest encoding. The error is an *EncodeError; b is then returned as
// it came.
func AppendValue(b []byte, v any) ([]byte, error) {
	out, err := appendValue(b, v, 0)
	if err != nil {
		return b, err
	}
	return out, nil
}

func appendValue(b []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return AppendNull(b), nil
	case bool:
		return AppendBool(b, v), nil
	case uint8:
		return AppendUbyte(b, v), nil
	case uint16:
		return AppendUshort(b, v), nil
	case uint32:
		return AppendUint(b, v), nil
	case uint64:
		return AppendUlong(b, v), nil
	case int8:
		return AppendByte(b, v), nil
	case int16:
		return AppendShort(b, v), nil
	case int32:
		return AppendInt(b, v), nil
	case int64:
		return AppendLong(b, v), nil
	case float32:
		return AppendFloat(b, v), nil
	case float64:
		return AppendDouble(b, v), nil
	case []byte:
		return AppendBinary(b, v), nil
	case string:
		return AppendString(b, v), nil
	case Symbol:
		return AppendSymbol(b, v), nil
	case UUID:
		return AppendUUID(b, v), nil
	case Timestamp:
		return AppendTimestamp(b, v), nil
	case Char:
		return AppendChar(b, v), nil
	case Decimal32:
		return append(append(b, codeDecimal32), v[:]...), nil
	case Decimal64:
		return append(append(b, codeDecimal64), v[:]...), nil
	case Decimal128:
		return append(append(b, codeDecimal128), v[:]...), nil
	}
	return appendNested(b, v, depth+1)
}

func appendNested(b []byte, v any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, &EncodeError{Problem: fmt.Sprintf("nesting deeper than %d", maxDepth)}
	}
	switch v := v.(type) {
	case List:
		if len(v) == 0 {
			return append(b, codeList0), nil
		}
		b, start := openCompound(b, codeList8)
		b, err := appendElements(b, v, depth)
		if err != nil {
			return nil, err
		}
		return closeCompound(b, start, len(v)), nil
	case Map:
		b, start := openCompound(b, codeMap8)
		b, err := appendPairs(b, v, depth)
		if err != nil {
			return nil, err
		}
		return closeCompound(b, start, 2*len(v)), nil
	case Array:
		b, start := openCompound(b, codeArray8)
		b, err := appendArrayBody(b, v, depth)
		if err != nil {
			return nil, err
		}
		return closeCompound(b, start, len(v.Elements)), nil
	case Described:
		b, err := appendDescriptor(b, v.Descriptor, depth)
		if err != nil {
			return nil, err
		}
		return appendValue(b, v.Value, depth)
	}
	return nil, &EncodeError{Problem: fmt.Sprintf("no AMQP type for Go type %T", v)}
}

func appendElements(b []byte, vs []any, depth int) ([]byte, error) {
	var err error
	for _, v := range vs {
		if b, err = appendValue(b, v, depth); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendPairs(b []byte, m Map, depth int) ([]byte, error) {
	var err error
	for i := range m {
		if b, err = appendValue(b, m[i].Key, depth); err != nil {
			return nil, err
		}
		if b, err = appendValue(b, m[i].Value, depth); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendDescriptor(b []byte, descriptor any, depth int) ([]byte, error) {
	if descriptor == nil {
		return nil, &EncodeError{Problem: "null descriptor"}
	}
	return appendValue(append(b, codeDescribed), descriptor, depth)
}

// appendArrayBody appends what follows size and count of an array: its one
// constructor, then the elements without theirs.
func appendArrayBody(b []byte, a Array, depth int) ([]byte, error) {
	for _, v := range a.Elements {
		if typeOf(v) != a.Type {
			return nil, &EncodeError{Problem: fmt.Sprintf("Go type %T in an array of %v", v, a.Type)}
		}
	}
	if a.Type == TypeNull && len(a.Elements) > maxZeroWidth {
		return nil, &EncodeError{Problem: fmt.Sprintf("more than %d nulls in an array", maxZeroWidth)}
	}
	if a.Descriptor != nil {
		var err error
		if b, err = appendDescriptor(b, a.Descriptor, depth); err != nil {
			return nil, err
		}
	}
	code := arrayCode(a)
	if code == 0 {
		return nil, &EncodeError{Problem: "array of an unknown type"}
	}
	b = append(b, code)
	for _, v := range a.Elements {
		var err error
		if b, err = appendBare(b, code, v, depth); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// arrayCode chooses the constructor of an array: the narrow one where every
// element fits it. Compound elements always get the wide one, because to find
// out whether they fit would mean to encode them twice on every level.
func arrayCode(a Array) byte {
	narrow, fits := narrowTest(a.Type)
	if narrow == 0 {
		if _, known := typeNames[a.Type]; !known {
			return 0
		}
		return byte(a.Type)
	}
	for _, v := range a.Elements {
		if !fits(v) {
			return byte(a.Type)
		}
	}
	return narrow
}

// narrowTest returns the one-byte constructor of t that an array may use and
// whether a value of that type fits it, or 0 where t has only one encoding.
// The encodings of no width at all (true, uint0, ...) are left out: they would
// let a few bytes stand for any number of elements.
func narrowTest(t Type) (byte, func(any) bool) {
	switch t {
	case TypeUint:
		return codeSmallUint, func(v any) bool { return v.(uint32) <= math.MaxUint8 }
	case TypeUlong:
		return codeSmallUlong, func(v any) bool { return v.(uint64) <= math.MaxUint8 }
	case TypeInt:
		return codeSmallInt, func(v any) bool { return v.(int32) == int32(int8(v.(int32))) }
	case TypeLong:
		return codeSmallLong, func(v any) bool { return v.(int64) == int64(int8(v.(int64))) }
	case TypeBinary:
		return codeBinary8, func(v any) bool { return len(v.([]byte)) <= math.MaxUint8 }
	case TypeString:
		return codeString8, func(v any) bool { return len(v.(string)) <= math.MaxUint8 }
	case TypeSymbol:
		return codeSymbol8, func(v any) bool { return len(v.(Symbol)) <= math.MaxUint8 }
	}
	return 0, nil
}

// appendBare appends the data of v for the constructor code, which stands only
// once in an array.
func appendBare(b []byte, code byte, v any, depth int) ([]byte, error) {
	switch code {
	case codeBool:
		if v.(bool) {
			return append(b, 1), nil
		}
		return append(b, 0), nil
	case codeUint:
		return binary.BigEndian.AppendUint32(b, v.(uint32)), nil
	case codeUlong:
		return binary.BigEndian.AppendUint64(b, v.(uint64)), nil
	case codeInt:
		return binary.BigEndian.AppendUint32(b, uint32(v.(int32))), nil
	case codeLong:
		return binary.BigEndian.AppendUint64(b, uint64(v.(int64))), nil
	case codeSmallUint:
		return append(b, byte(v.(uint32))), nil
	case codeSmallUlong:
		return append(b, byte(v.(uint64))), nil
	case codeBinary32, codeString32, codeSymbol32:
		return appendWideVariable(b, v), nil
	case codeList32, codeMap32, codeArray32:
		return appendWideCompound(b, v, depth)
	}
	// All other types have one encoding, or their smallest is the one that
	// was chosen for the array: append it and drop its constructor.
	start := len(b)
	b, err := appendValue(b, v, depth)
	if err != nil {
		return nil, err
	}
	return append(b[:start], b[start+1:]...), nil
}

func appendWideVariable(b []byte, v any) []byte {
	switch v := v.(type) {
	case []byte:
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	case string:
		return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	s := v.(Symbol)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

func appendWideCompound(b []byte, v any, depth int) ([]byte, error) {
	if depth+1 > maxDepth {
		return nil, &EncodeError{Problem: fmt.Sprintf("nesting deeper than %d", maxDepth)}
	}
	start := len(b)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	var (
		count int
		err   error
	)
	switch v := v.(type) {
	case List:
		count = len(v)
		b, err = appendElements(b, v, depth+1)
	case Map:
		count = 2 * len(v)
		b, err = appendPairs(b, v, depth+1)
	case Array:
		count = len(v.Elements)
		b, err = appendArrayBody(b, v, depth+1)
	}
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	binary.BigEndian.PutUint32(b[start+4:], uint32(count))
	return b, nil
}
