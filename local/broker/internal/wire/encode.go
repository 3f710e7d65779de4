package wire

import (
	"encoding/binary"
	"math"
)

// The Append functions add one value to b, constructor included, in the
// smallest encoding that part 1, section 1.6 has for it, and return the longer
// slice.

// AppendNull appends null.
func AppendNull(b []byte) []byte { return append(b, codeNull) }

// AppendBool appends a boolean.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, codeTrue)
	}
	return append(b, codeFalse)
}

// AppendUbyte appends a ubyte.
func AppendUbyte(b []byte, v uint8) []byte { return append(b, codeUbyte, v) }

// AppendUshort appends a ushort.
func AppendUshort(b []byte, v uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, codeUshort), v)
}

// AppendUint appends a uint as uint0, smalluint or uint.
func AppendUint(b []byte, v uint32) []byte {
	switch {
	case v == 0:
		return append(b, codeUint0)
	case v <= math.MaxUint8:
		return append(b, codeSmallUint, byte(v))
	}
	return binary.BigEndian.AppendUint32(append(b, codeUint), v)
}

// AppendUlong appends a ulong as ulong0, smallulong or ulong.
func AppendUlong(b []byte, v uint64) []byte {
	switch {
	case v == 0:
		return append(b, codeUlong0)
	case v <= math.MaxUint8:
		return append(b, codeSmallUlong, byte(v))
	}
	return binary.BigEndian.AppendUint64(append(b, codeUlong), v)
}

// AppendByte appends a byte, the signed one.
func AppendByte(b []byte, v int8) []byte { return append(b, codeByte, byte(v)) }

// AppendShort appends a short.
func AppendShort(b []byte, v int16) []byte {
	return binary.BigEndian.AppendUint16(append(b, codeShort), uint16(v))
}

// AppendInt appends an int as smallint or int.
func AppendInt(b []byte, v int32) []byte {
	if v == int32(int8(v)) {
		return append(b, codeSmallInt, byte(v))
	}
	return binary.BigEndian.AppendUint32(append(b, codeInt), uint32(v))
}

// AppendLong appends a long as smalllong or long.
func AppendLong(b []byte, v int64) []byte {
	if v == int64(int8(v)) {
		return append(b, codeSmallLong, byte(v))
	}
	return binary.BigEndian.AppendUint64(append(b, codeLong), uint64(v))
}

// AppendFloat appends a float.
func AppendFloat(b []byte, v float32) []byte {
	return binary.BigEndian.AppendUint32(append(b, codeFloat), math.Float32bits(v))
}

// AppendDouble appends a double.
func AppendDouble(b []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, codeDouble), math.Float64bits(v))
}

// AppendChar appends a char.
func AppendChar(b []byte, v Char) []byte {
	return binary.BigEndian.AppendUint32(append(b, codeChar), uint32(v))
}

// AppendTimestamp appends a timestamp.
func AppendTimestamp(b []byte, v Timestamp) []byte {
	return binary.BigEndian.AppendUint64(append(b, codeTimestamp), uint64(v))
}

// AppendUUID appends a uuid.
func AppendUUID(b []byte, v UUID) []byte {
	return append(append(b, codeUUID), v[:]...)
}

// AppendBinary appends a binary of up to 4 GiB.
func AppendBinary(b, v []byte) []byte {
	return append(appendLength(b, codeBinary8, len(v)), v...)
}

// AppendString appends a string of up to 4 GiB, which must be UTF-8.
func AppendString(b []byte, v string) []byte {
	return append(appendLength(b, codeString8, len(v)), v...)
}

// AppendSymbol appends a symbol.
func AppendSymbol(b []byte, v Symbol) []byte {
	return append(appendLength(b, codeSymbol8, len(v)), v...)
}

// appendLength appends the constructor and the length of a variable-width
// value, narrow being its format code of category 0xA.
func appendLength(b []byte, narrow byte, n int) []byte {
	if n <= math.MaxUint8 {
		return append(b, narrow, byte(n))
	}
	return binary.BigEndian.AppendUint32(append(b, narrow|0x10), uint32(n))
}

// appendSymbols appends a field of multiplicity many: null when there is none,
// else an array, even of one. A lone symbol would be allowed for one, but
// clients exist that expect the array.
func appendSymbols(b []byte, vs []Symbol) []byte {
	if len(vs) == 0 {
		return AppendNull(b)
	}
	longest := 0
	for _, v := range vs {
		longest = max(longest, len(v))
	}
	b, start := openCompound(b, codeArray8)
	if longest <= math.MaxUint8 {
		b = append(b, codeSymbol8)
		for _, v := range vs {
			b = append(append(b, byte(len(v))), v...)
		}
		return closeCompound(b, start, len(vs))
	}
	b = append(b, codeSymbol32)
	for _, v := range vs {
		b = append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
	}
	return closeCompound(b, start, len(vs))
}

// openCompound appends the constructor narrow of a list, map or array with room
// for a one-byte size and count, and returns where that stands.
func openCompound(b []byte, narrow byte) ([]byte, int) {
	start := len(b)
	return append(b, narrow, 0, 0), start
}

// closeCompound fills in size and count of the compound that was opened at
// start and reaches to the end of b, and widens them to four bytes where one
// does not do.
func closeCompound(b []byte, start, count int) []byte {
	body := len(b) - start - 3
	if body+1 <= math.MaxUint8 && count <= math.MaxUint8 {
		b[start+1], b[start+2] = byte(body+1), byte(count)
		return b
	}
	b = append(b, 0, 0, 0, 0, 0, 0)
	copy(b[start+9:], b[start+3:start+3+body])
	b[start] |= 0x10
	binary.BigEndian.PutUint32(b[start+1:], uint32(body+4))
	binary.BigEndian.PutUint32(b[start+5:], uint32(count))
	return b
}
