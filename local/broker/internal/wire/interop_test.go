package wire_test

import (
	"math"
	"strings"
	"testing"
	"time"

	amqp "github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// These tests hold the codec against the one that the official Go client uses:
// what that encodes we decode to the same, and the other way round.

func ptr[T any](v T) *T { return &v }

// pairs of a value as go-amqp takes and returns it in an any, and as we do.
var interopValues = []struct {
	name   string
	theirs any
	ours   any
}{
	{"null", nil, nil},
	{"bool", true, true},
	{"uint8", uint8(255), uint8(255)},
	{"uint16", uint16(65535), uint16(65535)},
	{"uint32 zero", uint32(0), uint32(0)},
	{"uint32 small", uint32(200), uint32(200)},
	{"uint32", uint32(math.MaxUint32), uint32(math.MaxUint32)},
	{"uint64 zero", uint64(0), uint64(0)},
	{"uint64 small", uint64(255), uint64(255)},
	{"uint64", uint64(math.MaxUint64), uint64(math.MaxUint64)},
	{"int8", int8(-128), int8(-128)},
	{"int16", int16(-32768), int16(-32768)},
	{"int32 small", int32(-128), int32(-128)},
	{"int32", int32(math.MinInt32), int32(math.MinInt32)},
	{"int64 small", int64(127), int64(127)},
	{"int64", int64(math.MinInt64), int64(math.MinInt64)},
	{"float32", float32(1.25), float32(1.25)},
	{"float64", -1.25, -1.25},
	{"string", "né", "né"},
	{"long string", strings.Repeat("x", 300), strings.Repeat("x", 300)},
	{"binary", []byte{1, 2}, []byte{1, 2}},
	{"uuid", amqp.UUID{1, 15: 2}, wire.UUID{1, 15: 2}},
	{"timestamp", time.UnixMilli(1760000000123).UTC(), wire.Timestamp(1760000000123)},
	{"list", []any{int32(1), "a", []any{true}}, wire.List{int32(1), "a", wire.List{true}}},
	{"map of strings", map[string]any{"k": int64(5)}, wire.Map{{Key: "k", Value: int64(5)}}},
	{"array of longs", []int64{1, 300}, wire.ArrayOf[int64](1, 300)},
	{"array of small longs", []int64{1, -3}, wire.ArrayOf[int64](1, -3)},
	{"array of ints", []int32{1, 300}, wire.ArrayOf[int32](1, 300)},
	{"array of strings", []string{"a", ""}, wire.ArrayOf("a", "")},
	{"array of uuids", []amqp.UUID{{1}, {2}}, wire.ArrayOf(wire.UUID{1}, wire.UUID{2})},
	{"array of timestamps", []time.Time{time.UnixMilli(5).UTC()}, wire.ArrayOf(wire.Timestamp(5))},
	{"array of bools", []bool{true, false}, wire.ArrayOf(true, false)},
	{"array of ulongs", []uint64{1, 1 << 40}, wire.ArrayOf[uint64](1, 1<<40)},
	{"array of doubles", []float64{1, -2.5}, wire.ArrayOf(1, -2.5)},
	{"array of binaries", [][]byte{{1}, {2, 3}}, wire.ArrayOf([]byte{1}, []byte{2, 3})},
}

func TestInteropValuesFromClient(t *testing.T) {
	for _, v := range interopValues {
		if v.theirs == nil {
			continue // a nil Value means no body there
		}
		t.Run(v.name, func(t *testing.T) {
			b, err := (&amqp.Message{Value: v.theirs}).MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			m := mustSplit(t, b)
			got, err := m.Value()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.ours, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err := m.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestInteropValuesToClient(t *testing.T) {
	for _, v := range interopValues {
		t.Run(v.name, func(t *testing.T) {
			b, err := wire.AppendAMQPValue(nil, wire.List{v.ours})
			if err != nil {
				t.Fatal(err)
			}
			var m amqp.Message
			if err := m.UnmarshalBinary(b); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]any{v.theirs}, m.Value); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// clientMessage and ourMessage are the same message in the two models.
func clientMessage() *amqp.Message {
	return &amqp.Message{
		Header:              &amqp.MessageHeader{Durable: true, Priority: 7, TTL: time.Minute, FirstAcquirer: true, DeliveryCount: 3},
		DeliveryAnnotations: amqp.Annotations{"x-opt-lock-token": amqp.UUID{1}},
		Annotations:         amqp.Annotations{"x-opt-locked-until": time.UnixMilli(1760000000000).UTC()},
		Properties: &amqp.MessageProperties{
			MessageID: "m", UserID: []byte{1}, To: ptr("to"), Subject: ptr("s"), ReplyTo: ptr("r"), CorrelationID: uint64(9),
			ContentType: ptr("text/plain"), ContentEncoding: ptr("gzip"), AbsoluteExpiryTime: ptr(time.UnixMilli(1).UTC()),
			CreationTime: ptr(time.UnixMilli(2).UTC()), GroupID: ptr(""), GroupSequence: ptr(uint32(0)), ReplyToGroupID: ptr("g"),
		},
		ApplicationProperties: map[string]any{"row": int32(1000)},
		Data:                  [][]byte{[]byte("one"), {}, []byte(strings.Repeat("x", 1000))},
		Footer:                amqp.Annotations{"f": uint8(1)},
	}
}

var ourHeader = wire.Header{
	Durable: wire.Some(true), Priority: wire.Some(uint8(7)), TTL: wire.Some(uint32(60000)), FirstAcquirer: wire.Some(true), DeliveryCount: 3,
}

var ourProperties = wire.Properties{
	MessageID: "m", UserID: []byte{1}, To: wire.Some("to"), Subject: wire.Some("s"), ReplyTo: wire.Some("r"), CorrelationID: uint64(9),
	ContentType: wire.Some(wire.Symbol("text/plain")), ContentEncoding: wire.Some(wire.Symbol("gzip")),
	AbsoluteExpiryTime: wire.Some(wire.Timestamp(1)), CreationTime: wire.Some(wire.Timestamp(2)),
	GroupID: wire.Some(""), GroupSequence: wire.Some(uint32(0)), ReplyToGroupID: wire.Some("g"),
}

func TestInteropMessageFromClient(t *testing.T) {
	b, err := clientMessage().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	m := mustSplit(t, b)
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
	if h, err := m.ParseHeader(); err != nil || h != ourHeader {
		t.Errorf("header: %+v, %v", h, err)
	}
	p, err := m.ParseProperties()
	if diff := cmp.Diff(ourProperties, p); err != nil || diff != "" {
		t.Errorf("properties: %v\n%s", err, diff)
	}
	a, err := m.ParseMessageAnnotations()
	if v, _ := a.Get("x-opt-locked-until"); err != nil || v != wire.Timestamp(1760000000000) {
		t.Errorf("annotations: %v, %v", a, err)
	}
	if m.BodyKind != wire.BodyData || m.BodySections != 3 {
		t.Errorf("body: %v of %d", m.BodyKind, m.BodySections)
	}
	var out amqp.Message
	if err := out.UnmarshalBinary(m.AppendTo(nil)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(clientMessage(), &out, cmp.AllowUnexported(amqp.Message{})); diff != "" {
		t.Errorf("handed on (-want +got):\n%s", diff)
	}
}

func TestInteropMessageToClient(t *testing.T) {
	s := sections{tb: t}
	s.add(ourHeader.AppendBinary(s.b))
	s.add(wire.AppendDeliveryAnnotations(s.b, wire.Map{sym("x-opt-lock-token", wire.UUID{1})}))
	s.add(wire.AppendMessageAnnotations(s.b, wire.Map{sym("x-opt-locked-until", wire.Timestamp(1760000000000))}))
	s.add(ourProperties.AppendBinary(s.b))
	s.add(wire.AppendApplicationProperties(s.b, wire.Map{{Key: "row", Value: int32(1000)}}))
	for _, d := range clientMessage().Data {
		s.b = wire.AppendData(s.b, d)
	}
	s.add(wire.AppendFooter(s.b, wire.Map{sym("f", uint8(1))}))
	var got amqp.Message
	if err := got.UnmarshalBinary(s.b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(clientMessage(), &got, cmp.AllowUnexported(amqp.Message{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestInteropRewritten takes a message of the client on the way that it goes
// through a broker.
func TestInteropRewritten(t *testing.T) {
	b, err := clientMessage().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	m := mustSplit(t, b)
	h := ourHeader
	h.DeliveryCount++
	out, err := m.AppendRewritten(nil, wire.Rewrite{
		Header: &h, DropDeliveryAnnotations: []string{"x-opt-lock-token"},
		MessageAnnotations:    wire.Map{sym("x-opt-sequence-number", int64(1)), sym("x-opt-locked-until", wire.Timestamp(7))},
		ApplicationProperties: wire.Map{{Key: "DeadLetterReason", Value: "InvalidPhoneNumber"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := clientMessage()
	want.Header.DeliveryCount++
	want.DeliveryAnnotations = nil
	want.Annotations["x-opt-sequence-number"] = int64(1)
	want.Annotations["x-opt-locked-until"] = time.UnixMilli(7).UTC()
	want.ApplicationProperties["DeadLetterReason"] = "InvalidPhoneNumber"
	var got amqp.Message
	if err := got.UnmarshalBinary(out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &got, cmp.AllowUnexported(amqp.Message{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestInteropSequence(t *testing.T) {
	want := [][]any{{int32(1), "a"}, {true}}
	b, err := (&amqp.Message{Sequence: want}).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	m := mustSplit(t, b)
	ls, err := m.Sequences()
	if diff := cmp.Diff([]wire.List{{int32(1), "a"}, {true}}, ls); err != nil || diff != "" {
		t.Errorf("from the client: %v\n%s", err, diff)
	}
	s := sections{tb: t}
	for _, l := range ls {
		s.add(wire.AppendSequence(s.b, l))
	}
	var got amqp.Message
	if err := got.UnmarshalBinary(s.b); err != nil || !cmp.Equal(want, got.Sequence) {
		t.Errorf("to the client: %v, %v", got.Sequence, err)
	}
}
