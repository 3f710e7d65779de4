package filter

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// kind is the type of a value while an expression is evaluated. Small integers are
// widened as C# widens them before any operator.
type kind uint8

const (
	// kindUnknown is what a property that does not exist evaluates to.
	kindUnknown kind = iota
	kindNull
	kindBoolean
	kindInt32
	kindUint32
	kindInt64
	kindUint64
	kindSingle
	kindDouble
	kindString
	kindDateTime
	kindTimeSpan
	kindGuid
	// kindOther can be copied and tested for existence, and nothing else.
	kindOther
)

var kindNames = [...]string{"Unknown", "Null", "Boolean", "Int32", "UInt32", "Int64", "UInt64",
	"Single", "Double", "String", "DateTime", "TimeSpan", "Guid", "Object"}

// String returns the name that .NET has for the type.
func (k kind) String() string { return kindNames[k] }

func (k kind) numeric() bool { return k >= kindInt32 && k <= kindDouble }

// absent tells whether an operator has nothing to work on.
func (k kind) absent() bool { return k <= kindNull }

// value is one intermediate result. The zero value is unknown.
type value struct {
	kind kind
	// bits holds a boolean, a number, ticks of 100 ns (since the Unix epoch for a
	// DateTime), or the first half of a Guid whose second half is low.
	bits, low uint64
	text      string
	// raw is the value as the message had it, so that a copy keeps its AMQP type.
	raw any
}

func textValue(s string) value    { return value{kind: kindString, text: s} }
func intValue(n int64) value      { return value{kind: kindInt64, bits: uint64(n)} }
func doubleValue(f float64) value { return value{kind: kindDouble, bits: math.Float64bits(f)} }
func (v value) integer() int64    { return int64(v.bits) }
func (v value) double() float64   { return math.Float64frombits(v.bits) }
func booleanValue(b bool) value   { return value{kind: kindBoolean, bits: bit(b)} }
func timeValue(ticks int64) value { return value{kind: kindDateTime, bits: uint64(ticks)} }
func spanValue(ticks int64) value { return value{kind: kindTimeSpan, bits: uint64(ticks)} }
func guidValue(id [16]byte) value {
	return value{kind: kindGuid, bits: binary.BigEndian.Uint64(id[:8]), low: binary.BigEndian.Uint64(id[8:])}
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

const (
	ticksPerMillisecond = 10_000
	// epochTicks are the ticks of .NET between the year 1 and the Unix epoch.
	epochTicks = 621_355_968_000_000_000
)

// load takes a value of a message or a parameter in.
func load(v any) value {
	loaded := loadNumber(v)
	if loaded.kind == kindUnknown {
		loaded = loadOther(v)
	}
	loaded.raw = v
	return loaded
}

func loadNumber(v any) value {
	switch v := v.(type) {
	case int64:
		return intValue(v)
	case int32:
		return value{kind: kindInt32, bits: uint64(int64(v))}
	case int16:
		return value{kind: kindInt32, bits: uint64(int64(v))}
	case int8:
		return value{kind: kindInt32, bits: uint64(int64(v))}
	case uint8:
		return value{kind: kindInt32, bits: uint64(v)}
	case uint16:
		return value{kind: kindInt32, bits: uint64(v)}
	case wire.Char:
		return value{kind: kindInt32, bits: uint64(int64(v))}
	case uint32:
		return value{kind: kindUint32, bits: uint64(v)}
	case uint64:
		return value{kind: kindUint64, bits: v}
	case int:
		return intValue(int64(v))
	case float64:
		return doubleValue(v)
	case float32:
		return value{kind: kindSingle, bits: math.Float64bits(float64(v))}
	}
	return value{}
}

func loadOther(v any) value {
	switch v := v.(type) {
	case nil:
		return value{kind: kindNull}
	case string:
		return textValue(v)
	case wire.Symbol:
		return textValue(string(v))
	case bool:
		return booleanValue(v)
	case wire.UUID:
		return guidValue(v)
	case wire.Timestamp:
		return timeValue(saturated(int64(v)))
	case time.Time:
		return timeValue(saturated(v.UnixMilli()) + int64(v.Nanosecond())%1_000_000/100)
	case time.Duration:
		return spanValue(int64(v) / 100)
	case wire.Described:
		return loadDescribed(v)
	}
	return value{kind: kindOther}
}

// loadDescribed knows the described types by which the .NET client sends what AMQP
// has no type for.
func loadDescribed(v wire.Described) value {
	descriptor, _ := v.Descriptor.(wire.Symbol)
	switch descriptor {
	case "com.microsoft:timespan":
		if ticks, ok := v.Value.(int64); ok {
			return spanValue(ticks)
		}
	case "com.microsoft:datetime-offset":
		if ticks, ok := v.Value.(int64); ok {
			return timeValue(ticks - epochTicks)
		}
	case "com.microsoft:uri":
		if text, ok := v.Value.(string); ok {
			return textValue(text)
		}
	}
	return value{kind: kindOther}
}

// saturated turns milliseconds into ticks, at most as many as there can be.
func saturated(milliseconds int64) int64 {
	const most = math.MaxInt64/ticksPerMillisecond - 1
	return max(-most, min(most, milliseconds)) * ticksPerMillisecond
}

// native returns the value as the Go type that stands for its AMQP type.
func (v value) native() any {
	switch v.raw.(type) {
	case nil, int, time.Time, time.Duration: // no AMQP type
	default:
		return v.raw
	}
	switch v.kind {
	case kindBoolean:
		return v.bits != 0
	case kindInt32:
		return int32(v.integer())
	case kindUint32:
		return uint32(v.bits)
	case kindInt64:
		return v.integer()
	case kindUint64:
		return v.bits
	case kindSingle:
		return float32(v.double())
	case kindDouble:
		return v.double()
	case kindString:
		return v.text
	case kindDateTime:
		return wire.Timestamp(floorDivide(v.integer(), ticksPerMillisecond))
	case kindTimeSpan:
		return wire.Described{Descriptor: wire.Symbol("com.microsoft:timespan"), Value: v.integer()}
	case kindGuid:
		return wire.UUID(v.guid())
	}
	return nil
}

func floorDivide(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func (v value) guid() (id [16]byte) {
	binary.BigEndian.PutUint64(id[:8], v.bits)
	binary.BigEndian.PutUint64(id[8:], v.low)
	return id
}

// string returns the text of a value as C# writes it, false for types that have none
// here.
func (v value) string() (string, bool) {
	switch v.kind {
	case kindString:
		return v.text, true
	case kindBoolean:
		if v.bits != 0 {
			return "True", true
		}
		return "False", true
	case kindInt32, kindInt64:
		return strconv.FormatInt(v.integer(), 10), true
	case kindUint32, kindUint64:
		return strconv.FormatUint(v.bits, 10), true
	case kindSingle:
		return strconv.FormatFloat(v.double(), 'G', -1, 32), true
	case kindDouble:
		return strconv.FormatFloat(v.double(), 'G', -1, 64), true
	case kindGuid:
		return guidText(v.guid()), true
	}
	return "", false
}

func guidText(id [16]byte) string {
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 36)
	for i, b := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text = append(text, '-')
		}
		text = append(text, digits[b>>4], digits[b&15])
	}
	return string(text)
}
