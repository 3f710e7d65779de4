package filter

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// evaluated returns the value of an expression as an action would store it.
func evaluated(t *testing.T, expression string, properties wire.Map) any {
	t.Helper()
	a, err := ParseAction("SET result = "+expression, nil)
	if err != nil {
		t.Fatalf("%s\n%v", expression, err)
	}
	changes, err := a.Apply(&Message{Application: NewProperties(properties)})
	if err != nil {
		t.Fatalf("%s\n%v", expression, err)
	}
	return changes.Application[len(changes.Application)-1].Value
}

// TestNumbersArePromotedAsInCSharp has a result of each type that operands of two
// types give.
func TestNumbersArePromotedAsInCSharp(t *testing.T) {
	pairs := wire.Map{
		{Key: "sbyte", Value: int8(7)}, {Key: "byte", Value: uint8(7)}, {Key: "short", Value: int16(7)}, {Key: "ushort", Value: uint16(7)},
		{Key: "char", Value: wire.Char(7)}, {Key: "int", Value: int32(7)}, {Key: "uint", Value: uint32(7)}, {Key: "long", Value: int64(7)},
		{Key: "ulong", Value: uint64(7)}, {Key: "float", Value: float32(7)}, {Key: "double", Value: float64(7)},
		{Key: "intMin", Value: int32(math.MinInt32)}, {Key: "uintMax", Value: uint32(math.MaxUint32)}, {Key: "ulongMax", Value: uint64(math.MaxUint64)},
	}
	for expression, want := range map[string]any{
		"sbyte + sbyte": int32(14), "byte * byte": int32(49), "short - ushort": int32(0), "char + byte": int32(14), "int / sbyte": int32(1),
		"uint + uint": uint32(14), "uint + byte": int64(14), "uint - int": int64(0), "int % uint": int64(0),
		"long + int": int64(14), "uint + long": int64(14), "long + 1": int64(8), "int + 1": int64(8),
		"ulong + ulong": uint64(14), "ulong - 1": uint64(6), "ulong * byte": uint64(49), "ulong / 2": uint64(3), "ulong % 4": uint64(3), "ulong + -1": int64(6),
		"float + int": float32(14), "float * ulong": float32(49), "float / 2": float32(3.5), "float % 4": float32(3), "float - 0.5": 6.5,
		"double + float": float64(14), "double / 2": 3.5, "1 / 2": int64(0), "1 / 2.0": 0.5,
		"-sbyte": int32(-7), "-uint": int64(-7), "-long": int64(-7), "-float": float32(-7), "-double": float64(-7), "+double": float64(7),
		"-intMin": int32(math.MinInt32), "intMin - sbyte": int32(math.MaxInt32 - 6), "uintMax + uint": uint32(6), "uint - uintMax": uint32(8), "ulongMax + 1": uint64(0),
		"uint / uint": uint32(1), "uint * uint": uint32(49), "uint % uint": uint32(0),
		"'' + float": "7", "'' + ulongMax": "18446744073709551615", "'' + -1.5e-7": "-1.5E-07", "'' + uint": "7", "'x' + (1 / 2.0)": "x0.5",
	} {
		if got := evaluated(t, expression, pairs); !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %T %v, want %T %v", expression, got, got, want, want)
		}
	}
}

// TestNumbersAreComparedByValue compares each of the values in ascending order with
// each other.
func TestNumbersAreComparedByValue(t *testing.T) {
	ascending := []any{math.Inf(-1), int64(math.MinInt64), int32(math.MinInt32), int16(-300), int8(-1), float32(-0.5), 0.0, uint8(1), 1.5,
		uint16(300), wire.Char(400), uint32(math.MaxUint32), int64(math.MaxInt64), uint64(math.MaxUint64), math.Inf(1)}
	for i, a := range ascending {
		for j, b := range ascending {
			want := map[bool]order{true: before, false: after}[i < j]
			if i == j {
				want = same
			}
			if got := orderOfNumbers(load(a), load(b)); got != want {
				t.Errorf("%T %v to %T %v is %d, want %d", a, a, b, b, got, want)
			}
		}
	}
	for _, a := range ascending {
		if got := orderOfNumbers(load(a), load(math.NaN())); got != apart {
			t.Errorf("%v to NaN is %d", a, got)
		}
	}
}

func TestSetKeepsEachIntegerType(t *testing.T) {
	for _, model := range []any{int8(1), int16(1), int32(1), int64(1), uint8(1), uint16(1), uint32(1), uint64(1), float32(1), float64(1)} {
		a, err := ParseAction("SET n = n + 1", nil)
		if err != nil {
			t.Fatal(err)
		}
		changes, err := a.Apply(&Message{Application: NewProperties(wire.Map{{Key: "n", Value: model}})})
		if err != nil {
			t.Fatal(err)
		}
		want := reflect.ValueOf(2).Convert(reflect.TypeOf(model)).Interface()
		if got := changes.Application[0].Value; got != want {
			t.Errorf("%T became %T %v", model, got, got)
		}
	}
}

func TestTimesBeforeTheEpoch(t *testing.T) {
	pairs := wire.Map{{Key: "t", Value: wire.Timestamp(-5)}, {Key: "d", Value: wire.Described{Descriptor: wire.Symbol("com.microsoft:timespan"), Value: int64(1)}}}
	// A tick later is still in the millisecond that begins 5 ms before the epoch.
	if got := evaluated(t, "t + d", pairs); got != wire.Timestamp(-5) {
		t.Errorf("got %v", got)
	}
	if got := evaluated(t, "t - d", pairs); got != wire.Timestamp(-6) {
		t.Errorf("got %v", got)
	}
}

func TestTimesOfAnySizeAreOrdered(t *testing.T) {
	for _, pair := range [][2]any{
		{wire.Timestamp(math.MinInt64), wire.Timestamp(0)},
		{wire.Timestamp(0), wire.Timestamp(math.MaxInt64)},
		{time.UnixMilli(5), time.UnixMilli(5).Add(100 * time.Nanosecond)},
		{time.UnixMilli(-5), wire.Timestamp(-4)},
	} {
		if o, _, ok := orderOf(load(pair[0]), load(pair[1])); o != before || !ok {
			t.Errorf("%v to %v is %d", pair[0], pair[1], o)
		}
	}
}

// TestIdentifiersAreText: AMQP lets a message id be a number or a UUID; Service Bus
// has text.
func TestIdentifiersAreText(t *testing.T) {
	for _, test := range []struct {
		id   any
		text string
	}{
		{"m", "m"}, {uint64(5), "5"}, {wire.UUID{15: 255}, "00000000-0000-0000-0000-0000000000ff"},
	} {
		m := &Message{System: func(name string) (any, bool) { return test.id, name == "MessageId" }}
		f, err := ParseSQL("sys.MessageId = '"+test.text+"' AND sys.MessageId LIKE '%'", nil)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := f.Matches(m); !ok || err != nil {
			t.Errorf("%v: Matches = %v, %v", test.id, ok, err)
		}
		if ok, err := (Correlation{MessageID: &test.text}).Filter().Matches(m); !ok || err != nil {
			t.Errorf("%v: correlation Matches = %v, %v", test.id, ok, err)
		}
	}
	m := &Message{System: func(name string) (any, bool) { return []byte{1}, name == "MessageId" }}
	f, err := ParseSQL("sys.MessageId = 'x'", nil)
	if err != nil {
		t.Fatal(err)
	}
	var evaluation *EvaluationError
	if ok, err := f.Matches(m); ok || !errors.As(err, &evaluation) {
		t.Errorf("binary id: Matches = %v, %v", ok, err)
	}
}
