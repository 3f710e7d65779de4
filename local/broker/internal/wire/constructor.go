package wire

// Format codes of the primitive types (part 1, section 1.6). The high nibble
// tells how the width of the data is found; see the table in the package
// documentation.
const (
	codeDescribed = 0x00

	codeNull   = 0x40
	codeTrue   = 0x41
	codeFalse  = 0x42
	codeUint0  = 0x43
	codeUlong0 = 0x44
	codeList0  = 0x45

	codeUbyte      = 0x50
	codeByte       = 0x51
	codeSmallUint  = 0x52
	codeSmallUlong = 0x53
	codeSmallInt   = 0x54
	codeSmallLong  = 0x55
	codeBool       = 0x56

	codeUshort = 0x60
	codeShort  = 0x61

	codeUint      = 0x70
	codeInt       = 0x71
	codeFloat     = 0x72
	codeChar      = 0x73
	codeDecimal32 = 0x74

	codeUlong     = 0x80
	codeLong      = 0x81
	codeDouble    = 0x82
	codeTimestamp = 0x83
	codeDecimal64 = 0x84

	codeDecimal128 = 0x94
	codeUUID       = 0x98

	codeBinary8  = 0xa0
	codeString8  = 0xa1
	codeSymbol8  = 0xa3
	codeBinary32 = 0xb0
	codeString32 = 0xb1
	codeSymbol32 = 0xb3

	codeList8   = 0xc0
	codeMap8    = 0xc1
	codeList32  = 0xd0
	codeMap32   = 0xd1
	codeArray8  = 0xe0
	codeArray32 = 0xf0
)

// codeTypes maps each format code to its type, and all others to 0.
var codeTypes = [256]Type{
	codeNull: TypeNull, codeTrue: TypeBoolean, codeFalse: TypeBoolean, codeBool: TypeBoolean,
	codeUbyte: TypeUbyte, codeUshort: TypeUshort,
	codeUint0: TypeUint, codeSmallUint: TypeUint, codeUint: TypeUint,
	codeUlong0: TypeUlong, codeSmallUlong: TypeUlong, codeUlong: TypeUlong,
	codeByte: TypeByte, codeShort: TypeShort,
	codeSmallInt: TypeInt, codeInt: TypeInt, codeSmallLong: TypeLong, codeLong: TypeLong,
	codeFloat: TypeFloat, codeDouble: TypeDouble,
	codeDecimal32: TypeDecimal32, codeDecimal64: TypeDecimal64, codeDecimal128: TypeDecimal128,
	codeChar: TypeChar, codeTimestamp: TypeTimestamp, codeUUID: TypeUUID,
	codeBinary8: TypeBinary, codeBinary32: TypeBinary,
	codeString8: TypeString, codeString32: TypeString,
	codeSymbol8: TypeSymbol, codeSymbol32: TypeSymbol,
	codeList0: TypeList, codeList8: TypeList, codeList32: TypeList,
	codeMap8: TypeMap, codeMap32: TypeMap, codeArray8: TypeArray, codeArray32: TypeArray,
}

// fixedWidth returns the number of data bytes that follow code, for the codes
// of the fixed-width categories.
func fixedWidth(code byte) (int, bool) {
	switch code >> 4 {
	case 0x4:
		return 0, true
	case 0x5:
		return 1, true
	case 0x6:
		return 2, true
	case 0x7:
		return 4, true
	case 0x8:
		return 8, true
	case 0x9:
		return 16, true
	}
	return 0, false
}

// wide tells whether the size (and count) of a variable-width, compound or
// array value takes four bytes rather than one.
func wide(code byte) bool { return code>>4&1 == 1 }
