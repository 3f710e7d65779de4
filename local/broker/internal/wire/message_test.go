package wire_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

func mustSplit(tb testing.TB, b []byte) wire.Message {
	tb.Helper()
	m, err := wire.Split(b)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// TestSplitVector takes a message by hand, with encodings that no encoder of
// ours would choose: wide lists, wide and symbolic descriptors, a false at the
// end.
func TestSplitVector(t *testing.T) {
	parts := map[string]string{
		"header":                 "00 53 70 d0 00000009 00000004 41 50 09 40 42",
		"delivery-annotations":   "00 80 0000000000000071 c1 01 00",
		"message-annotations":    "00 53 72 d1 00000009 00000002 a3 01 6b 54 05",
		"properties":             "00 53 73 c0 0b 04 a1 02 6d 31 40 a1 00 a1 01 73",
		"application-properties": "00 53 74 c1 09 02 a1 01 61 71 00000001",
		"data 1":                 "00 53 75 a0 02 01 02",
		"data 2":                 "00 a3 10 616d71703a646174613a62696e617279 b0 00000001 03",
		"footer":                 "00 53 78 c1 01 00",
	}
	part := func(name string) []byte { return unhex(t, parts[name]) }
	body := append(part("data 1"), part("data 2")...)
	payload := bytes.Join([][]byte{
		part("header"), part("delivery-annotations"), part("message-annotations"), part("properties"),
		part("application-properties"), body, part("footer"),
	}, nil)
	got := mustSplit(t, payload)
	want := wire.Message{
		Header: part("header"), DeliveryAnnotations: part("delivery-annotations"), MessageAnnotations: part("message-annotations"),
		Properties: part("properties"), ApplicationProperties: part("application-properties"),
		Body: body, BodyKind: wire.BodyData, BodySections: 2, Footer: part("footer"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("split (-want +got):\n%s", diff)
	}
	if n := got.Len(); n != len(payload) {
		t.Errorf("Len = %d, want %d", n, len(payload))
	}
	if out := got.AppendTo([]byte("x")); !bytes.Equal(out[1:], payload) {
		t.Error("AppendTo changed the message")
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
	checkParsed(t, got)
}

func checkParsed(t *testing.T, m wire.Message) {
	t.Helper()
	h, err := m.ParseHeader()
	if diff := cmp.Diff(wire.Header{Durable: wire.Some(true), Priority: wire.Some(uint8(9)), FirstAcquirer: wire.Some(false)}, h); err != nil || diff != "" {
		t.Errorf("header: %v\n%s", err, diff)
	}
	p, err := m.ParseProperties()
	want := wire.Properties{MessageID: "m1", To: wire.Some(""), Subject: wire.Some("s")}
	if diff := cmp.Diff(want, p); err != nil || diff != "" {
		t.Errorf("properties: %v\n%s", err, diff)
	}
	for name, c := range map[string]struct {
		parse func() (wire.Map, error)
		want  wire.Map
	}{
		"delivery-annotations":   {m.ParseDeliveryAnnotations, wire.Map{}},
		"message-annotations":    {m.ParseMessageAnnotations, wire.Map{{Key: wire.Symbol("k"), Value: int32(5)}}},
		"application-properties": {m.ParseApplicationProperties, wire.Map{{Key: "a", Value: int32(1)}}},
		"footer":                 {m.ParseFooter, wire.Map{}},
	} {
		got, err := c.parse()
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	var data [][]byte
	for b := range m.Data() {
		data = append(data, b)
	}
	if diff := cmp.Diff([][]byte{{1, 2}, {3}}, data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	for range m.Data() {
		break // the iterator stands a caller that stops
	}
}

func TestSplitBodies(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		kind        wire.BodyKind
		sections    int
	}{
		{"nothing", "", wire.BodyNone, 0},
		{"no body", "00 53 70 45", wire.BodyNone, 0},
		{"value", "00 53 77 a1 01 61", wire.BodyValue, 1},
		{"null value", "00 53 77 40", wire.BodyValue, 1},
		{"described value", "00 53 77 00 53 01 41", wire.BodyValue, 1},
		{"sequences", "00 53 76 45 00 53 76 c0 02 01 41", wire.BodySequence, 2},
		{"data and value", "00 53 75 a0 00 00 53 77 a1 01 61", wire.BodyMixed, 2},
		{"all kinds", "00 53 75 a0 00 00 53 75 a0 00 00 53 76 45 00 53 77 40", wire.BodyMixed, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustSplit(t, unhex(t, c.bytes))
			if m.BodyKind != c.kind || m.BodySections != c.sections {
				t.Errorf("got %v of %d, want %v of %d", m.BodyKind, m.BodySections, c.kind, c.sections)
			}
			if err := m.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBodyAccess(t *testing.T) {
	value := mustSplit(t, unhex(t, "00 53 77 00 53 01 41"))
	v, err := value.Value()
	if diff := cmp.Diff(wire.Described{Descriptor: uint64(1), Value: true}, v); err != nil || diff != "" {
		t.Errorf("value: %v\n%s", err, diff)
	}
	sequence := mustSplit(t, unhex(t, "00 53 76 45 00 53 76 c0 02 01 41"))
	ls, err := sequence.Sequences()
	if diff := cmp.Diff([]wire.List{{}, {true}}, ls); err != nil || diff != "" {
		t.Errorf("sequences: %v\n%s", err, diff)
	}
	// Each accessor leaves the bodies of the other kinds alone.
	if v, err := sequence.Value(); v != nil || err != nil {
		t.Errorf("value of a sequence: %v, %v", v, err)
	}
	if ls, err := value.Sequences(); ls != nil || err != nil {
		t.Errorf("sequences of a value: %v, %v", ls, err)
	}
	for range value.Data() {
		t.Error("a value has data")
	}
}

// Each accessor finds its sections in a body of several kinds.
func TestMixedBodyAccess(t *testing.T) {
	m := mustSplit(t, unhex(t, "00 53 75 a0 01 78 00 53 75 a0 00 00 53 76 45 00 53 77 a1 01 61"))
	if diff := cmp.Diff([][]byte{[]byte("x"), {}}, slices.Collect(m.Data())); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
	ls, err := m.Sequences()
	if diff := cmp.Diff([]wire.List{{}}, ls); err != nil || diff != "" {
		t.Errorf("sequences: %v\n%s", err, diff)
	}
	if v, err := m.Value(); v != "a" || err != nil {
		t.Errorf("value: %v, %v", v, err)
	}
	for _, err := range wire.BatchItems(m.Body) {
		if err == nil {
			t.Error("a batch of more than data was taken")
		}
	}
}

func TestAbsentSections(t *testing.T) {
	m := mustSplit(t, nil)
	if h, err := m.ParseHeader(); err != nil || h != (wire.Header{}) {
		t.Errorf("header: %+v, %v", h, err)
	}
	if p, err := m.ParseProperties(); err != nil || !cmp.Equal(p, wire.Properties{}) {
		t.Errorf("properties: %+v, %v", p, err)
	}
	if a, err := m.ParseMessageAnnotations(); err != nil || a != nil {
		t.Errorf("annotations: %+v, %v", a, err)
	}
}

// rhea writes the footer before the body. It is put in its place.
func TestAFooterBeforeTheBody(t *testing.T) {
	const properties, data, footer = "00 53 73 45", "00 53 75 a0 00", "00 53 78 c1 01 00"
	m, err := wire.Split(unhex(t, properties+footer+data+data))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.AppendTo(nil), unhex(t, properties+data+data+footer); !bytes.Equal(got, want) {
		t.Errorf("got % x, want % x", got, want)
	}
}

func TestSplitRefuses(t *testing.T) {
	const (
		header, annotations, properties = "00 53 70 45", "00 53 72 c1 01 00", "00 53 73 45"
		data, sequence, value, footer   = "00 53 75 a0 00", "00 53 76 45", "00 53 77 40", "00 53 78 c1 01 00"
	)
	for _, c := range []struct {
		name, bytes string
		offset      int
	}{
		{"no section", "41", 0},
		{"unknown section", "00 53 79 45", 0},
		{"a performative", "00 53 14 45", 0},
		{"unknown symbol", "00 a3 01 78 45", 0},
		{"header twice", header + header, 4},
		{"header after properties", properties + header, 4},
		{"annotations after properties", properties + annotations, 4},
		{"properties twice", properties + properties, 4},
		{"properties after the body", data + properties, 5},
		{"value twice", value + value, 4},
		{"value twice after data", data + value + value, 9},
		{"value and data", value + data, 4},
		{"sequence and data", sequence + data, 4},
		{"footer inside the body", data + footer + data, 11},
		{"footer twice", footer + footer, 6},
		{"footer before and after the body", footer + data + footer, 11},
		{"header after the body after a footer", footer + data + header, 11},
		{"header of type map", "00 53 70 c1 01 00", 3},
		{"annotations of type list", "00 53 72 45", 3},
		{"data of type string", "00 53 75 a1 00", 3},
		{"sequence of type array", "00 53 76 e0 02 00 50", 3},
		{"described header", "00 53 70 00 53 70 45", 3},
		{"cut data", "00 53 75 a0 05 01", 5},
		{"cut map", "00 53 72 c1 05 00", 5},
		{"trailing byte", data + "00", 6},
		{"no value", "00 53 77", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := wire.Split(unhex(t, c.bytes))
			var de *wire.DecodeError
			if !errors.As(err, &de) {
				t.Fatalf("got error %v, want a DecodeError", err)
			}
			if de.Offset != c.offset || de.Condition != wire.CondDecodeError {
				t.Errorf("got %+v, want offset %d", de, c.offset)
			}
		})
	}
}

// TestBrokenInside takes messages that Split passes because it does not look
// inside the sections; the parser and Validate find the fault.
func TestBrokenInside(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		parse       func(*wire.Message) error
		valid       bool // for Validate, which leaves field types to Parse
	}{
		{"header count", "00 53 70 c0 01 02", parseHeader, false},
		{"header field type", "00 53 70 c0 03 01 a1 00", parseHeader, true},
		{"message-id type", "00 53 73 c0 02 01 41", parseProperties, true},
		{"properties with too many fields", "00 53 73 c0 0f 0e 40 40 40 40 40 40 40 40 40 40 40 40 40 40", parseProperties, true},
		{"annotations of odd count", "00 53 72 c1 02 01 41", parseAnnotations, false},
		{"annotations not to their end", "00 53 72 c1 02 00 41", parseAnnotations, false},
		{"annotation with a broken value", "00 53 72 c1 06 02 a3 01 61 56 07", parseAnnotations, false},
		{"value", "00 53 77 c0 02 01 4f", parseValue, false},
		{"sequence", "00 53 76 c0 02 01 4f", parseSequences, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mustSplit(t, unhex(t, c.bytes))
			var de *wire.DecodeError
			if err := c.parse(&m); !errors.As(err, &de) {
				t.Errorf("parsed with error %v, want a DecodeError", err)
			}
			if err := m.Validate(); (err == nil) != c.valid {
				t.Errorf("Validate says %v", err)
			}
		})
	}
}

func parseHeader(m *wire.Message) error      { _, err := m.ParseHeader(); return err }
func parseProperties(m *wire.Message) error  { _, err := m.ParseProperties(); return err }
func parseAnnotations(m *wire.Message) error { _, err := m.ParseMessageAnnotations(); return err }
func parseValue(m *wire.Message) error       { _, err := m.Value(); return err }
func parseSequences(m *wire.Message) error   { _, err := m.Sequences(); return err }

func TestValidateKeys(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		valid       bool
	}{
		{"symbol in annotations", "00 53 72 c1 05 02 a3 01 61 40", true},
		{"string in annotations", "00 53 72 c1 05 02 a1 01 61 40", true},
		{"ulong in annotations", "00 53 72 c1 03 02 44 40", true},
		{"list in annotations", "00 53 72 c1 03 02 45 40", false},
		{"null in delivery annotations", "00 53 71 c1 03 02 40 40", false},
		{"binary in a footer", "00 53 78 c1 05 02 a0 01 61 40", false},
		{"string in application properties", "00 53 74 c1 05 02 a1 01 61 40", true},
		{"ulong in application properties", "00 53 74 c1 03 02 44 40", false},
		{"described in application properties", "00 53 74 c1 07 02 00 44 a1 01 61 40", false},
		{"any key in a value", "00 53 77 c1 03 02 45 40", true},
	} {
		m := mustSplit(t, unhex(t, c.bytes))
		if err := m.Validate(); (err == nil) != c.valid {
			t.Errorf("%s: Validate says %v", c.name, err)
		}
	}
}

func TestSectionsRoundTrip(t *testing.T) {
	full := wire.Properties{
		MessageID: wire.UUID{9}, UserID: []byte{1}, To: wire.Some("to"), Subject: wire.Some("subject"), ReplyTo: wire.Some("reply"),
		CorrelationID: uint64(7), ContentType: wire.Some(wire.Symbol("text/plain")), ContentEncoding: wire.Some(wire.Symbol("")),
		AbsoluteExpiryTime: wire.Some(wire.Timestamp(1)), CreationTime: wire.Some(wire.Timestamp(-1)), GroupID: wire.Some(""),
		GroupSequence: wire.Some(uint32(1)), ReplyToGroupID: wire.Some(strings.Repeat("g", 300)),
	}
	for _, p := range []wire.Properties{{}, full, {MessageID: []byte{}}, {CorrelationID: "c"}, {ReplyToGroupID: wire.Some("")}} {
		b, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		m := mustSplit(t, b)
		got, err := m.ParseProperties()
		if diff := cmp.Diff(p, got); err != nil || diff != "" {
			t.Errorf("properties: %v (-want +got):\n%s", err, diff)
		}
	}
	for _, h := range []wire.Header{
		{},
		{Durable: wire.Some(true), Priority: wire.Some(uint8(0)), TTL: wire.Some(uint32(0)), FirstAcquirer: wire.Some(true), DeliveryCount: 300},
	} {
		b, err := h.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		m := mustSplit(t, b)
		if got, err := m.ParseHeader(); err != nil || got != h {
			t.Errorf("header: got %+v, %v, want %+v", got, err, h)
		}
	}
	h := wire.Header{}
	b, err := h.AppendBinary(nil)
	if want := unhex(t, "00 53 70 c0 06 05 40 40 40 40 43"); err != nil || !bytes.Equal(b, want) {
		t.Errorf("a zero header is % x, %v, want % x with the delivery count", b, err, want)
	}
}

func TestSectionAppendersRefuse(t *testing.T) {
	bad := wire.Map{{Key: "k", Value: 1}}
	before := []byte("before")
	for name, appendBad := range map[string]func() ([]byte, error){
		"annotations": func() ([]byte, error) { return wire.AppendMessageAnnotations(before, bad) },
		"sequence":    func() ([]byte, error) { return wire.AppendSequence(before, wire.List{1}) },
		"value":       func() ([]byte, error) { return wire.AppendAMQPValue(before, 1) },
	} {
		b, err := appendBad()
		var ee *wire.EncodeError
		if !errors.As(err, &ee) || !bytes.Equal(b, before) {
			t.Errorf("%s: got %q, %v", name, b, err)
		}
	}
}
