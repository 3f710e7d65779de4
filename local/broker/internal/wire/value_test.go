package wire_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// exactly compares values by their bits, so that a NaN equals itself and 0 does
// not equal -0.
var exactly = cmp.Options{
	cmp.Comparer(func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }),
	cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }),
}

// valueVectors pair a value with its smallest encoding, worked out by hand from
// part 1, section 1.6 of the specification.
var valueVectors = []struct {
	name  string
	value any
	bytes string
}{
	{"null", nil, "40"},
	{"true", true, "41"},
	{"false", false, "42"},
	{"ubyte", uint8(0xff), "50 ff"},
	{"ushort", uint16(0x1234), "60 12 34"},
	{"uint0", uint32(0), "43"},
	{"smalluint", uint32(255), "52 ff"},
	{"uint", uint32(256), "70 00 00 01 00"},
	{"ulong0", uint64(0), "44"},
	{"smallulong", uint64(0x24), "53 24"},
	{"ulong", uint64(0x137_0000_000C), "80 00 00 01 37 00 00 00 0c"},
	{"byte", int8(-2), "51 fe"},
	{"short", int16(-2), "61 ff fe"},
	{"smallint", int32(-128), "54 80"},
	{"int", int32(-129), "71 ff ff ff 7f"},
	{"int above", int32(128), "71 00 00 00 80"},
	{"smalllong", int64(127), "55 7f"},
	{"long", int64(128), "81 00 00 00 00 00 00 00 80"},
	{"long below", int64(-129), "81 ff ff ff ff ff ff ff 7f"},
	{"float", float32(1.5), "72 3f c0 00 00"},
	{"double", 1.5, "82 3f f8 00 00 00 00 00 00"},
	{"decimal32", wire.Decimal32{1, 2, 3, 4}, "74 01 02 03 04"},
	{"decimal64", wire.Decimal64{1, 2, 3, 4, 5, 6, 7, 8}, "84 01 02 03 04 05 06 07 08"},
	{"decimal128", wire.Decimal128{15: 9}, "94 00000000 00000000 00000000 00000009"},
	{"char", wire.Char('é'), "73 00 00 00 e9"},
	{"timestamp", wire.Timestamp(1311704463521), "83 00 00 01 31 67 ad b8 a1"},
	{"timestamp before 1970", wire.Timestamp(-1), "83 ff ff ff ff ff ff ff ff"},
	{"uuid", wire.UUID{0x0f, 15: 0x01}, "98 0f000000 00000000 00000000 00000001"},
	{"binary", []byte{1, 2}, "a0 02 01 02"},
	{"empty binary", []byte{}, "a0 00"},
	{"string", "né", "a1 03 6e c3 a9"},
	{"symbol", wire.Symbol("amqp"), "a3 04 61 6d 71 70"},
	{"list0", wire.List{}, "45"},
	{"list8", wire.List{nil, "a", wire.List{uint32(0)}}, "c0 09 03 40 a1 01 61 c0 02 01 43"},
	{"empty map", wire.Map{}, "c1 01 00"},
	{"map8", wire.Map{{Key: wire.Symbol("b"), Value: int32(1)}, {Key: "a", Value: nil}}, "c1 0a 04 a3 01 62 54 01 a1 01 61 40"},
	{"map with odd keys", wire.Map{{Key: wire.List{}, Value: true}, {Key: nil, Value: false}}, "c1 05 04 45 41 40 42"},
	{"described", wire.Described{Descriptor: uint64(0x137_0000_000C), Value: "s1"}, "00 80 00 00 01 37 00 00 00 0c a1 02 73 31"},
	{"described by symbol", wire.Described{Descriptor: wire.Symbol("x:y"), Value: nil}, "00 a3 03 78 3a 79 40"},
	{"array of small longs", wire.ArrayOf[int64](1, -128), "e0 04 02 55 01 80"},
	{"array of longs", wire.ArrayOf[int64](1, 128), "e0 12 02 81 0000000000000001 0000000000000080"},
	{"array of timestamps", wire.ArrayOf(wire.Timestamp(2)), "e0 0a 01 83 00 00 00 00 00 00 00 02"},
	{"array of uuids", wire.ArrayOf(wire.UUID{1}), "e0 12 01 98 01000000 00000000 00000000 00000000"},
	{"array of strings", wire.ArrayOf("a", ""), "e0 05 02 a1 01 61 00"},
	{"array of booleans", wire.ArrayOf(true, false), "e0 04 02 56 01 00"},
	{"array of uints 0", wire.ArrayOf[uint32](0, 0), "e0 04 02 52 00 00"},
	{"empty array", wire.ArrayOf[wire.Symbol](), "e0 02 00 a3"},
	{"array of nulls", wire.Array{Type: wire.TypeNull, Elements: []any{nil, nil}}, "e0 02 02 40"},
	{"array of lists", wire.ArrayOf(wire.List{true}), "e0 0b 01 d0 00 00 00 05 00 00 00 01 41"},
	{"array of maps", wire.ArrayOf(wire.Map{{Key: "k", Value: nil}}), "e0 0e 01 d1 00 00 00 08 00 00 00 02 a1 01 6b 40"},
	{
		"array of arrays", wire.Array{Type: wire.TypeArray, Elements: []any{wire.ArrayOf[uint8](7)}},
		"e0 0c 01 f0 00 00 00 06 00 00 00 01 50 07",
	},
	{
		"described array", wire.Array{Type: wire.TypeString, Descriptor: wire.Symbol("d"), Elements: []any{"x"}},
		"e0 08 01 00 a3 01 64 a1 01 78",
	},
}

func TestValueVectors(t *testing.T) {
	for _, v := range valueVectors {
		t.Run(v.name, func(t *testing.T) {
			want := unhex(t, v.bytes)
			if got := mustAppendValue(t, v.value); !bytes.Equal(got, want) {
				t.Errorf("encoded to % x, want % x", got, want)
			}
			got, n, err := wire.DecodeValue(want)
			if err != nil {
				t.Fatal(err)
			}
			if n != len(want) {
				t.Errorf("took %d bytes of %d", n, len(want))
			}
			if diff := cmp.Diff(v.value, got, exactly); diff != "" {
				t.Errorf("decoded otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeWiderEncodings(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		want        any
	}{
		{"boolean 1", "56 01", true},
		{"boolean 0", "56 00", false},
		{"uint of 0", "70 00 00 00 00", uint32(0)},
		{"smalluint of 0", "52 00", uint32(0)},
		{"ulong of 1", "80 00 00 00 00 00 00 00 01", uint64(1)},
		{"int of 1", "71 00 00 00 01", int32(1)},
		{"long of -1", "81 ff ff ff ff ff ff ff ff", int64(-1)},
		{"binary32", "b0 00 00 00 01 09", []byte{9}},
		{"string32", "b1 00 00 00 01 61", "a"},
		{"symbol32", "b3 00 00 00 01 61", wire.Symbol("a")},
		{"empty list8", "c0 01 00", wire.List{}},
		{"list32", "d0 00 00 00 05 00 00 00 01 41", wire.List{true}},
		{"map32", "d1 00 00 00 06 00 00 00 02 41 40", wire.Map{{Key: true}}},
		{"array32", "f0 00 00 00 06 00 00 00 01 50 05", wire.ArrayOf[uint8](5)},
		{"array of trues", "e0 02 03 41", wire.ArrayOf(true, true, true)},
		{"array of uint0", "e0 02 02 43", wire.ArrayOf[uint32](0, 0)},
		{"array of list0", "e0 02 01 45", wire.ArrayOf(wire.List{})},
		{"array of narrow lists", "e0 05 01 c0 02 01 41", wire.ArrayOf(wire.List{true})},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := wire.DecodeValue(unhex(t, c.bytes))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, exactly); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		offset      int
		expected    string // part of the error's Expected
	}{
		{"nothing", "", 0, "a format code"},
		{"unknown code", "4f", 0, "a format code"},
		{"short uint", "70 00 00", 1, "4 bytes"},
		{"short string", "a1 05 61", 2, "5 bytes"},
		{"string of no UTF-8", "a1 02 c3 28", 1, "UTF-8"},
		{"symbol of no UTF-8", "a3 01 ff", 1, "UTF-8"},
		{"boolean of 2", "56 02", 1, "0x00 or 0x01"},
		{"list longer than its size", "c0 02 02 41 41", 2, "a count of at most 1"},
		{"list shorter than its size", "c0 03 01 41 41", 4, "the end of the compound"},
		{"list with size beyond the end", "c0 09 01 41", 1, "at most 2 bytes"},
		{"list whose element reaches over its end", "c0 03 01 a1 05 61 61 61 61 61", 5, "5 bytes"},
		{"list without a count", "c0 00", 2, "1 bytes"},
		{"map of odd count", "c1 02 01 41", 1, "an even count"},
		{"map with a count beyond its bytes", "d1 00 00 00 04 ff ff ff fe", 5, "a size or count below 2 GiB"},
		{"array without a constructor", "e0 01 00", 3, "a format code"},
		{"array of described null", "e0 04 00 00 40 41", 5, "a descriptor"},
		{"array of unknown type", "e0 02 01 4f", 3, "the constructor of a primitive type"},
		{"array of twice described", "e0 07 00 00 53 01 00 53 01 41", 6, "the constructor of a primitive type"},
		{"array with a count beyond its bytes", "e0 04 03 50 01 02", 1, "a count of at most 2"},
		{"array of too many nulls", "f0 00 00 00 05 00 00 04 01 40", 1, "a count of at most 1024"},
		{"null descriptor", "00 40 41", 1, "a descriptor"},
		{"description without a value", "00 53 24", 3, "a format code"},
		{"binary of 4 GiB", "b0 ff ff ff ff 00", 1, "below 2 GiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := wire.DecodeValue(unhex(t, c.bytes))
			var de *wire.DecodeError
			if !errors.As(err, &de) {
				t.Fatalf("got error %v, want a DecodeError", err)
			}
			if de.Offset != c.offset || !strings.Contains(de.Expected, c.expected) || de.Condition != wire.CondDecodeError {
				t.Errorf("got %+v, want offset %d, expected %q", de, c.offset, c.expected)
			}
		})
	}
}

func TestDecodeNestingLimit(t *testing.T) {
	nest := func(levels int) any {
		v := any(wire.List{true})
		for range levels - 1 {
			v = wire.List{v}
		}
		return v
	}
	b := mustAppendValue(t, nest(32))
	if _, _, err := wire.DecodeValue(b); err != nil {
		t.Errorf("32 levels: %v", err)
	}
	if _, err := wire.AppendValue(nil, nest(33)); err == nil {
		t.Error("encoded 33 levels")
	}
	deep := append([]byte{0xc0, byte(len(b) + 1), 1}, b...)
	if _, _, err := wire.DecodeValue(deep); err == nil {
		t.Error("decoded 33 levels")
	}
	for name, b := range map[string][]byte{
		"descriptors of descriptors": bytes.Repeat([]byte{0x00}, 1<<20),
		"described values":           bytes.Repeat([]byte{0x00, 0x43}, 1<<19),
		"arrays in lists":            bytes.Repeat([]byte{0xd0, 0, 0x10, 0, 0, 0, 0, 0, 1}, 1<<10),
	} {
		if _, _, err := wire.DecodeValue(b); err == nil {
			t.Errorf("%s: decoded", name)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, v := range map[string]any{
		"int":                     1,
		"uint":                    uint(1),
		"go map":                  map[string]any{},
		"go slice":                []any{},
		"unknown in a list":       wire.List{struct{}{}},
		"unknown in a map":        wire.Map{{Key: "k", Value: 1}},
		"unknown as key":          wire.Map{{Key: 1}},
		"unknown in described":    wire.Described{Descriptor: uint64(1), Value: 1},
		"null descriptor":         wire.Described{Value: "x"},
		"mixed array":             wire.Array{Type: wire.TypeString, Elements: []any{"a", wire.Symbol("b")}},
		"array of no type":        wire.Array{},
		"array of described":      wire.Array{Type: wire.TypeString, Elements: []any{wire.Described{Descriptor: uint64(1), Value: "x"}}},
		"array in array, unknown": wire.Array{Type: wire.TypeList, Elements: []any{wire.List{1}}},
		"array of many nulls":     wire.Array{Type: wire.TypeNull, Elements: make([]any, 1025)},
	} {
		t.Run(name, func(t *testing.T) {
			before := []byte("before")
			b, err := wire.AppendValue(before, v)
			var ee *wire.EncodeError
			if !errors.As(err, &ee) {
				t.Errorf("got error %v, want an EncodeError", err)
			}
			if !bytes.Equal(b, before) {
				t.Errorf("buffer became % x", b)
			}
		})
	}
}

// TestWidening walks sizes across the point where one byte no longer holds them.
func TestWidening(t *testing.T) {
	for n := 240; n < 300; n++ {
		text := strings.Repeat("x", n)
		many := make(wire.List, n)
		pairs := make(wire.Map, n)
		for i := range many {
			many[i] = true
			pairs[i] = wire.Pair{Key: int32(i)}
		}
		for _, v := range []any{
			text, wire.Symbol(text), []byte(text), wire.List{text}, many, pairs,
			wire.Map{{Key: text[:200], Value: text}}, wire.ArrayOf(text, "y"), wire.ArrayOf(wire.Symbol(text)),
			wire.ArrayOf([]byte(text)), wire.Array{Type: wire.TypeBoolean, Elements: many}, wire.ArrayOf(many),
			wire.List{wire.List{wire.List{text}}},
		} {
			got, _, err := wire.DecodeValue(mustAppendValue(t, v))
			if err != nil {
				t.Fatalf("%T of %d: %v", v, n, err)
			}
			if diff := cmp.Diff(v, got); diff != "" {
				t.Fatalf("%T of %d (-want +got):\n%s", v, n, diff)
			}
		}
	}
}

func TestMapGet(t *testing.T) {
	m := wire.Map{{Key: uint64(1), Value: "number"}, {Key: wire.Symbol("a"), Value: 1}, {Key: "b", Value: nil}, {Key: "a", Value: 2}}
	if v, ok := m.Get("a"); v != 1 || !ok {
		t.Errorf("Get(a) = %v, %v, want the first, 1", v, ok)
	}
	if v, ok := m.Get("b"); v != nil || !ok {
		t.Errorf("Get(b) = %v, %v, want nil, true", v, ok)
	}
	if _, ok := m.Get("c"); ok {
		t.Error("Get(c) found something")
	}
}

func TestTypeNames(t *testing.T) {
	for typ, want := range map[wire.Type]string{
		wire.TypeNull: "null", wire.TypeUbyte: "ubyte", wire.TypeDecimal128: "decimal128",
		wire.TypeArray: "array", wire.Type(0x4f): "Type(0x4f)",
	} {
		if got := typ.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
