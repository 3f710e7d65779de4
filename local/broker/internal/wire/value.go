package wire

import "fmt"

// The Go types that stand for AMQP values in an any. Every AMQP primitive type
// has exactly one, so that a value which was decoded is encoded again as the
// type it came as:
//
//	null        nil              timestamp   Timestamp
//	boolean     bool             uuid        UUID
//	ubyte       uint8            binary      []byte
//	ushort      uint16           string      string
//	uint        uint32           symbol      Symbol
//	ulong       uint64           list        List
//	byte        int8             map         Map
//	short       int16            array       Array
//	int         int32            described   Described
//	long        int64            decimal32   Decimal32
//	float       float32          decimal64   Decimal64
//	double      float64          decimal128  Decimal128
//	char        Char
//
// The Go types int and uint are not among them: they have no fixed width.
type (
	// Symbol is a value from a constrained domain, such as a key of an
	// annotation or an error condition (part 1, section 1.6.21).
	Symbol string
	// UUID holds the sixteen bytes in the order of RFC 9562.
	UUID [16]byte
	// Timestamp is a point in time in milliseconds since the Unix epoch.
	Timestamp int64
	// Char is one Unicode character.
	Char rune
	// Decimal32 holds the raw bytes of an IEEE 754-2008 decimal32.
	Decimal32 [4]byte
	// Decimal64 holds the raw bytes of an IEEE 754-2008 decimal64.
	Decimal64 [8]byte
	// Decimal128 holds the raw bytes of an IEEE 754-2008 decimal128.
	Decimal128 [16]byte
	// List is a sequence of values of any types.
	List []any
)

// Described is a value with a descriptor that gives it a meaning beyond its
// primitive type (part 1, section 1.2). The descriptor is a uint64 or a Symbol
// in all that is standardised; the null descriptor is refused.
type Described struct {
	Descriptor any
	Value      any
}

// Pair is one entry of a Map.
type Pair struct {
	Key, Value any
}

// Map is an AMQP map in the order in which it was written. Keys may be of any
// type, and the order is kept so that a map travels on as it came. Equal keys
// are not looked for: Get answers with the first.
type Map []Pair

// Get returns the value under key. A Symbol and a string with the same text
// are the same key here, because clients disagree about which of them names
// an annotation.
func (m Map) Get(key string) (any, bool) {
	for i := range m {
		switch k := m[i].Key.(type) {
		case Symbol:
			if string(k) == key {
				return m[i].Value, true
			}
		case string:
			if k == key {
				return m[i].Value, true
			}
		}
	}
	return nil, false
}

// With returns a copy of the map in which the key, a string or a symbol of that
// text, has the value.
func (m Map) With(key Symbol, value any) Map {
	copied := make(Map, 0, len(m)+1)
	for _, p := range m {
		if p.Key != key && p.Key != string(key) {
			copied = append(copied, p)
		}
	}
	return append(copied, Pair{Key: key, Value: value})
}

// Array is a sequence of values of one type. Elements hold the Go type that
// belongs to Type, each. The width in which elements travel (long or
// smalllong, say) is not kept: the encoder takes the smallest that holds all.
type Array struct {
	// Type is the type of every element.
	Type Type
	// Descriptor describes every element when it is not nil.
	Descriptor any
	// Elements are the values without their descriptor.
	Elements []any
}

// ArrayOf makes the array of vs.
func ArrayOf[T primitive](vs ...T) Array {
	var zero T
	a := Array{Type: typeOf(zero), Elements: make([]any, len(vs))}
	for i, v := range vs {
		a.Elements[i] = v
	}
	return a
}

type primitive interface {
	bool | uint8 | uint16 | uint32 | uint64 | int8 | int16 | int32 | int64 | float32 | float64 |
		Char | Timestamp | UUID | []byte | string | Symbol | Decimal32 | Decimal64 | Decimal128 |
		List | Map
}

// Type names an AMQP primitive type. Its value is the widest format code of
// the type (part 1, section 1.6).
type Type uint8

// The primitive types.
const (
	TypeNull       Type = codeNull
	TypeBoolean    Type = codeBool
	TypeUbyte      Type = codeUbyte
	TypeUshort     Type = codeUshort
	TypeUint       Type = codeUint
	TypeUlong      Type = codeUlong
	TypeByte       Type = codeByte
	TypeShort      Type = codeShort
	TypeInt        Type = codeInt
	TypeLong       Type = codeLong
	TypeFloat      Type = codeFloat
	TypeDouble     Type = codeDouble
	TypeDecimal32  Type = codeDecimal32
	TypeDecimal64  Type = codeDecimal64
	TypeDecimal128 Type = codeDecimal128
	TypeChar       Type = codeChar
	TypeTimestamp  Type = codeTimestamp
	TypeUUID       Type = codeUUID
	TypeBinary     Type = codeBinary32
	TypeString     Type = codeString32
	TypeSymbol     Type = codeSymbol32
	TypeList       Type = codeList32
	TypeMap        Type = codeMap32
	TypeArray      Type = codeArray32
)

var typeNames = map[Type]string{
	TypeNull: "null", TypeBoolean: "boolean", TypeUbyte: "ubyte", TypeUshort: "ushort", TypeUint: "uint",
	TypeUlong: "ulong", TypeByte: "byte", TypeShort: "short", TypeInt: "int", TypeLong: "long",
	TypeFloat: "float", TypeDouble: "double", TypeDecimal32: "decimal32", TypeDecimal64: "decimal64",
	TypeDecimal128: "decimal128", TypeChar: "char", TypeTimestamp: "timestamp", TypeUUID: "uuid",
	TypeBinary: "binary", TypeString: "string", TypeSymbol: "symbol", TypeList: "list", TypeMap: "map",
	TypeArray: "array",
}

// String returns the name that part 1, section 1.6 gives to the type.
func (t Type) String() string {
	if n, ok := typeNames[t]; ok {
		return n
	}
	return fmt.Sprintf("Type(0x%02x)", uint8(t))
}

// typeOf returns the type of v, and 0 for a Described and for Go types that
// stand for no AMQP type.
func typeOf(v any) Type {
	switch v.(type) {
	case nil:
		return TypeNull
	case bool:
		return TypeBoolean
	case uint8:
		return TypeUbyte
	case uint16:
		return TypeUshort
	case uint32:
		return TypeUint
	case uint64:
		return TypeUlong
	case int8:
		return TypeByte
	case int16:
		return TypeShort
	case int32:
		return TypeInt
	case int64:
		return TypeLong
	case float32:
		return TypeFloat
	case float64:
		return TypeDouble
	case []byte:
		return TypeBinary
	case string:
		return TypeString
	}
	return namedTypeOf(v)
}

func namedTypeOf(v any) Type {
	switch v.(type) {
	case Symbol:
		return TypeSymbol
	case UUID:
		return TypeUUID
	case Timestamp:
		return TypeTimestamp
	case Char:
		return TypeChar
	case Decimal32:
		return TypeDecimal32
	case Decimal64:
		return TypeDecimal64
	case Decimal128:
		return TypeDecimal128
	case List:
		return TypeList
	case Map:
		return TypeMap
	case Array:
		return TypeArray
	}
	return 0
}
