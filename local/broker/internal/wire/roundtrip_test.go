package wire_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// generator makes random values, always the same ones for a seed.
type generator struct {
	*rand.Rand
}

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 2))} }

func (g generator) coin() bool { return g.IntN(2) == 0 }

// number returns a number that is small half of the time, when encodings differ.
func (g generator) number() uint64 {
	return g.Uint64() >> g.IntN(64)
}

func (g generator) text() string {
	if g.IntN(20) == 0 {
		return strings.Repeat("é", 100+g.IntN(200))
	}
	return strings.Repeat("x", g.IntN(4))
}

func (g generator) bytes() []byte {
	b := make([]byte, g.IntN(5))
	if g.IntN(20) == 0 {
		b = make([]byte, 200+g.IntN(200))
	}
	for i := range b {
		b[i] = byte(g.Uint32())
	}
	return b
}

// scalars make one value each, of each type that is no compound.
var scalars = []func(generator) any{
	func(g generator) any { return g.coin() },
	func(g generator) any { return uint8(g.Uint32()) },
	func(g generator) any { return uint16(g.Uint32()) },
	func(g generator) any { return uint32(g.number()) },
	func(g generator) any { return g.number() },
	func(g generator) any { return int8(g.Uint32()) },
	func(g generator) any { return int16(g.Uint32()) },
	func(g generator) any { return int32(-g.number()) },
	func(g generator) any { return int32(g.number()) },
	func(g generator) any { return -int64(g.number()) },
	func(g generator) any { return int64(g.number()) },
	func(g generator) any { return g.Float32() },
	func(g generator) any { return g.NormFloat64() },
	func(g generator) any { return wire.Char(g.Uint32()) },
	func(g generator) any { return wire.Timestamp(g.Int64()) },
	func(g generator) any { return wire.UUID{byte(g.Uint32()), 15: byte(g.Uint32())} },
	func(g generator) any { return wire.Decimal32{byte(g.Uint32())} },
	func(g generator) any { return wire.Decimal64{7: byte(g.Uint32())} },
	func(g generator) any { return wire.Decimal128{15: byte(g.Uint32())} },
	func(g generator) any { return g.bytes() },
	func(g generator) any { return g.text() },
	func(g generator) any { return wire.Symbol(g.text()) },
	func(generator) any { return nil },
}

// value makes a value that nests at most depth levels.
func (g generator) value(depth int) any {
	kind := g.IntN(len(scalars) + 4)
	if depth == 0 {
		kind = g.IntN(len(scalars))
	}
	switch kind - len(scalars) {
	case 0:
		l := make(wire.List, g.IntN(4))
		for i := range l {
			l[i] = g.value(depth - 1)
		}
		return l
	case 1:
		return g.mapping(depth - 1)
	case 2:
		return g.array(depth - 1)
	case 3:
		return wire.Described{Descriptor: g.descriptor(), Value: g.value(depth - 1)}
	}
	return scalars[kind](g)
}

func (g generator) descriptor() any {
	if g.coin() {
		return wire.Symbol("x:" + g.text())
	}
	return g.number()
}

func (g generator) mapping(depth int) wire.Map {
	m := make(wire.Map, g.IntN(4))
	for i := range m {
		m[i] = wire.Pair{Key: g.value(depth), Value: g.value(depth)}
	}
	return m
}

// array makes an array of any type: its elements come from one maker.
func (g generator) array(depth int) wire.Array {
	types := []wire.Type{
		wire.TypeBoolean, wire.TypeUbyte, wire.TypeUshort, wire.TypeUint, wire.TypeUlong, wire.TypeByte, wire.TypeShort,
		wire.TypeInt, wire.TypeInt, wire.TypeLong, wire.TypeLong, wire.TypeFloat, wire.TypeDouble, wire.TypeChar,
		wire.TypeTimestamp, wire.TypeUUID, wire.TypeDecimal32, wire.TypeDecimal64, wire.TypeDecimal128, wire.TypeBinary,
		wire.TypeString, wire.TypeSymbol, wire.TypeNull,
	}
	kind := g.IntN(len(types) + 3)
	a := wire.Array{Elements: make([]any, g.IntN(5))}
	element := func() any { return nil }
	switch {
	case kind < len(types):
		a.Type = types[kind]
		element = func() any { return scalars[kind](g) }
	case kind == len(types) && depth > 0:
		a.Type = wire.TypeList
		element = func() any { return wire.List{g.value(depth - 1)} }
	case kind == len(types)+1 && depth > 0:
		a.Type = wire.TypeMap
		element = func() any { return g.mapping(depth - 1) }
	case depth > 0:
		a.Type = wire.TypeArray
		element = func() any { return g.array(depth - 1) }
	default:
		a.Type = wire.TypeNull
	}
	for i := range a.Elements {
		a.Elements[i] = element()
	}
	if g.IntN(4) == 0 {
		a.Descriptor = g.descriptor()
	}
	return a
}

func TestValuesRoundTrip(t *testing.T) {
	for seed := range uint64(3000) {
		v := newGenerator(seed).value(4)
		b := mustAppendValue(t, v)
		got, n, err := wire.DecodeValue(append(b, 0xff))
		if err != nil || n != len(b) {
			t.Fatalf("seed %d: %#v: took %d of %d bytes, %v", seed, v, n, len(b), err)
		}
		if diff := cmp.Diff(v, got, exactly); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

// maybe returns null half of the time.
func maybe[T any](g generator, v T) wire.Optional[T] {
	if g.coin() {
		return wire.Optional[T]{}
	}
	return wire.Some(v)
}

func (g generator) symbols() []wire.Symbol {
	var vs []wire.Symbol
	for range g.IntN(3) {
		vs = append(vs, wire.Symbol(g.text()))
	}
	return vs
}

func (g generator) optionalMap() wire.Map {
	if g.coin() {
		return nil
	}
	return g.mapping(2)
}

func (g generator) error() *wire.Error {
	if g.coin() {
		return nil
	}
	return &wire.Error{Condition: wire.Symbol(g.text()), Description: g.text(), Info: g.optionalMap()}
}

func (g generator) state() wire.DeliveryState {
	return []wire.DeliveryState{
		nil, wire.Accepted{}, wire.Released{},
		&wire.Rejected{Error: g.error()},
		&wire.Modified{DeliveryFailed: g.coin(), UndeliverableHere: g.coin(), MessageAnnotations: g.optionalMap()},
		&wire.Received{SectionNumber: uint32(g.number()), SectionOffset: g.number()},
		wire.Described{Descriptor: uint64(0x34), Value: g.value(2)},
	}[g.IntN(7)]
}

func (g generator) source() *wire.Source {
	if g.IntN(4) == 0 {
		return nil
	}
	return &wire.Source{
		Address: g.text(), Durable: g.Uint32N(3), ExpiryPolicy: wire.Symbol(g.text()), Timeout: uint32(g.number()), Dynamic: g.coin(),
		DynamicNodeProperties: g.optionalMap(), DistributionMode: wire.Symbol(g.text()), Filter: g.optionalMap(),
		DefaultOutcome: g.state(), Outcomes: g.symbols(), Capabilities: g.symbols(),
	}
}

func (g generator) attach() *wire.Attach {
	p := &wire.Attach{
		Name: g.text(), Handle: uint32(g.number()), Role: wire.Role(g.coin()),
		SndSettleMode: maybe(g, wire.SenderSettleMode(g.IntN(3))), RcvSettleMode: maybe(g, wire.ReceiverSettleMode(g.IntN(2))),
		Source: g.source(), Unsettled: g.optionalMap(), IncompleteUnsettled: g.coin(),
		InitialDeliveryCount: maybe(g, uint32(g.number())), MaxMessageSize: maybe(g, g.number()),
		OfferedCapabilities: g.symbols(), DesiredCapabilities: g.symbols(), Properties: g.optionalMap(),
	}
	switch g.IntN(3) {
	case 0:
		p.Target = &wire.Target{
			Address: g.text(), Durable: g.Uint32N(3), ExpiryPolicy: wire.Symbol(g.text()), Timeout: uint32(g.number()),
			Dynamic: g.coin(), DynamicNodeProperties: g.optionalMap(), Capabilities: g.symbols(),
		}
	case 1:
		p.Coordinator = &wire.Coordinator{Capabilities: g.symbols()}
	}
	return p
}

// performatives makes one of each.
func (g generator) performatives() []wire.Performative {
	return []wire.Performative{
		&wire.Open{
			ContainerID: g.text(), Hostname: g.text(), MaxFrameSize: maybe(g, uint32(g.number())), ChannelMax: maybe(g, uint16(g.number())),
			IdleTimeout: maybe(g, uint32(g.number())), OutgoingLocales: g.symbols(), IncomingLocales: g.symbols(),
			OfferedCapabilities: g.symbols(), DesiredCapabilities: g.symbols(), Properties: g.optionalMap(),
		},
		&wire.Begin{
			RemoteChannel: maybe(g, uint16(g.number())), NextOutgoingID: uint32(g.number()), IncomingWindow: uint32(g.number()),
			OutgoingWindow: uint32(g.number()), HandleMax: maybe(g, uint32(g.number())),
			OfferedCapabilities: g.symbols(), DesiredCapabilities: g.symbols(), Properties: g.optionalMap(),
		},
		g.attach(),
		&wire.Flow{
			NextIncomingID: maybe(g, uint32(g.number())), IncomingWindow: uint32(g.number()), NextOutgoingID: uint32(g.number()),
			OutgoingWindow: uint32(g.number()), Handle: maybe(g, uint32(g.number())), DeliveryCount: maybe(g, uint32(g.number())),
			LinkCredit: maybe(g, uint32(g.number())), Available: maybe(g, uint32(g.number())), Drain: g.coin(), Echo: g.coin(),
			Properties: g.optionalMap(),
		},
		&wire.Transfer{
			Handle: uint32(g.number()), DeliveryID: maybe(g, uint32(g.number())), DeliveryTag: make([]byte, g.IntN(33)),
			MessageFormat: maybe(g, uint32(g.number())), Settled: g.coin(), More: g.coin(),
			RcvSettleMode: maybe(g, wire.ReceiverSettleMode(g.IntN(2))), State: g.state(), Resume: g.coin(), Aborted: g.coin(),
			Batchable: g.coin(),
		},
		&wire.Disposition{
			Role: wire.Role(g.coin()), First: uint32(g.number()), Last: maybe(g, uint32(g.number())), Settled: g.coin(), State: g.state(),
			Batchable: g.coin(),
		},
		&wire.Detach{Handle: uint32(g.number()), Closed: g.coin(), Error: g.error()},
		&wire.End{Error: g.error()},
		&wire.Close{Error: g.error()},
		&wire.SASLMechanisms{Mechanisms: g.symbols()},
		&wire.SASLInit{Mechanism: wire.Symbol(g.text()), InitialResponse: g.bytes(), Hostname: g.text()},
		&wire.SASLChallenge{Challenge: g.bytes()},
		&wire.SASLResponse{Response: g.bytes()},
		&wire.SASLOutcome{Code: wire.SASLCode(g.IntN(5)), AdditionalData: g.bytes()},
	}
}

func TestPerformativesRoundTrip(t *testing.T) {
	for seed := range uint64(500) {
		g := newGenerator(seed)
		var stream []byte
		all := g.performatives()
		for i, p := range all {
			stream = append(stream, mustAppendFrame(t, uint16(i), p, nil)...)
		}
		r := wire.NewReader(bytes.NewReader(stream), 1<<20)
		for _, p := range all {
			f, err := r.ReadFrame()
			if err != nil {
				t.Fatalf("seed %d: %T: %v", seed, p, err)
			}
			if diff := cmp.Diff(p, f.Body, exactly); diff != "" {
				t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
			}
		}
	}
}

// TestFieldTypesAreChecked puts a value of another type into every field of
// every composite in turn: no field may take it for its own.
func TestFieldTypesAreChecked(t *testing.T) {
	for _, c := range []struct {
		name       string
		descriptor byte
		lead       string // the mandatory fields, or those before the first that takes anything
		fields     int
		free       map[int]bool // fields that any described value suits
	}{
		{"open", 0x10, "a1 00", 10, nil},
		{"begin", 0x11, "40 43 43 43", 8, nil},
		{"attach", 0x12, "a1 00 43 41", 14, nil},
		{"flow", 0x13, "40 43 43 43", 11, nil},
		{"transfer", 0x14, "43", 11, map[int]bool{7: true}},
		{"disposition", 0x15, "41 43", 6, map[int]bool{4: true}},
		{"detach", 0x16, "43", 3, nil},
		{"end", 0x17, "", 1, nil},
		{"close", 0x18, "", 1, nil},
		{"sasl-mechanisms", 0x40, "", 1, nil},
		{"sasl-init", 0x41, "a3 00", 3, nil},
		{"sasl-challenge", 0x42, "a0 00", 1, nil},
		{"sasl-response", 0x43, "a0 00", 1, nil},
		{"sasl-outcome", 0x44, "50 00", 2, nil},
	} {
		wrong := unhex(t, "00 53 7f 72 00 00 00 00") // a described float suits no field
		for i := range c.fields {
			if c.free[i] {
				continue
			}
			content := bytes.Join([][]byte{leadingFields(unhex(t, c.lead), i), wrong}, nil)
			p := append([]byte{0x00, 0x53, c.descriptor, 0xc0, byte(len(content) + 1), byte(i + 1)}, content...)
			_, _, err := wire.DecodePerformative(p)
			var de *wire.DecodeError
			if !errors.As(err, &de) || de.Field == "" {
				t.Errorf("%s, field %d: got error %v, want a DecodeError with a field", c.name, i, err)
			}
		}
	}
}

// leadingFields returns n fields: those of lead, then nulls.
func leadingFields(lead []byte, n int) []byte {
	var out []byte
	for range n {
		if len(lead) == 0 {
			out = append(out, 0x40)
			continue
		}
		_, size, _ := wire.DecodeValue(lead)
		out, lead = append(out, lead[:size]...), lead[size:]
	}
	return out
}

func TestOptional(t *testing.T) {
	if got := (wire.Optional[uint32]{Value: 5}).Or(7); got != 7 {
		t.Errorf("null gives %d, want the default", got)
	}
	if got := wire.Some(uint32(0)).Or(7); got != 0 {
		t.Errorf("Some(0) gives %d", got)
	}
}
