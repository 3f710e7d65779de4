package wire_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// unhex turns "00 53 24 45" into bytes. Text after # on a line is left out.
func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	var digits strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "#")
		for word := range strings.FieldsSeq(line) {
			digits.WriteString(word)
		}
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func mustAppendFrame(tb testing.TB, channel uint16, p wire.Performative, payload []byte) []byte {
	tb.Helper()
	b, err := wire.AppendFrame(nil, channel, p, payload)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func mustAppendValue(tb testing.TB, v any) []byte {
	tb.Helper()
	b, err := wire.AppendValue(nil, v)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// readFrame reads exactly one frame from b.
func readFrame(tb testing.TB, b []byte) wire.Frame {
	tb.Helper()
	r := wire.NewReader(bytes.NewReader(b), 1<<20)
	f, err := r.ReadFrame()
	if err != nil {
		tb.Fatal(err)
	}
	if n := r.Buffered(); n != 0 {
		tb.Fatalf("%d bytes left after the frame", n)
	}
	return f
}

// sections appends one section after the other.
type sections struct {
	tb testing.TB
	b  []byte
}

func (s *sections) add(b []byte, err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatal(err)
	}
	s.b = b
}

// fullMessage has every section, as a Service Bus client would fill it.
func fullMessage(tb testing.TB) []byte {
	s := sections{tb: tb}
	h := wire.Header{Durable: wire.Some(true), TTL: wire.Some(uint32(60000)), Priority: wire.Some(uint8(7))}
	s.add(h.AppendBinary(s.b))
	s.add(wire.AppendDeliveryAnnotations(s.b, wire.Map{{Key: wire.Symbol("x-opt-lock-token"), Value: wire.UUID{1, 2}}}))
	s.add(wire.AppendMessageAnnotations(s.b, wire.Map{
		{Key: wire.Symbol("x-opt-partition-key"), Value: "p1"},
		{Key: wire.Symbol("x-opt-sequence-number"), Value: int64(7)},
	}))
	p := wire.Properties{
		MessageID: "0f6b1f6e-8d3f-4a55-9f86-58a2b8f1c001", ContentType: wire.Some(wire.Symbol("application/json")),
		GroupID: wire.Some(""), CreationTime: wire.Some(wire.Timestamp(1760000000000)), Subject: wire.Some("a subject"),
	}
	s.add(p.AppendBinary(s.b))
	s.add(wire.AppendApplicationProperties(s.b, wire.Map{
		{Key: "traceparent", Value: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		{Key: "row", Value: int32(1234)},
	}))
	s.b = wire.AppendData(s.b, bytes.Repeat([]byte{'x'}, 500))
	s.add(wire.AppendFooter(s.b, wire.Map{{Key: wire.Symbol("crc"), Value: uint32(9)}}))
	return s.b
}
