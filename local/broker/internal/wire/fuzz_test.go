package wire_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// mustBeDecodeError fails unless err is of the type that every decoder promises.
func mustBeDecodeError(t *testing.T, err error, size int) {
	t.Helper()
	var de *wire.DecodeError
	if !errors.As(err, &de) {
		t.Fatalf("got error %v, want a DecodeError", err)
	}
	if de.Offset < 0 || de.Offset > size || de.Expected == "" || de.Condition == "" {
		t.Fatalf("got %+v for %d bytes", de, size)
	}
}

// FuzzValue checks that what decodes is encoded to what decodes to the same,
// and that Validate finds the same faults as decoding.
func FuzzValue(f *testing.F) {
	for _, v := range valueVectors {
		f.Add(unhex(f, v.bytes))
	}
	f.Add(bytes.Repeat([]byte{0xd0, 0, 0x10, 0, 0, 0, 0, 0, 1}, 100))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, n, err := wire.DecodeValue(b)
		checkValidateAgrees(t, b, n, err)
		if err != nil {
			mustBeDecodeError(t, err, len(b))
			return
		}
		if n <= 0 || n > len(b) {
			t.Fatalf("took %d bytes of %d", n, len(b))
		}
		out := mustAppendValue(t, v)
		again, m, err := wire.DecodeValue(out)
		if err != nil || m != len(out) {
			t.Fatalf("% x was encoded to % x, of which %d bytes decode: %v", b[:n], out, m, err)
		}
		if diff := cmp.Diff(v, again, exactly); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// checkValidateAgrees puts a value into a message and compares.
func checkValidateAgrees(t *testing.T, b []byte, n int, decodeErr error) {
	t.Helper()
	if decodeErr == nil {
		b = b[:n]
	}
	m, err := wire.Split(append([]byte{0x00, 0x53, 0x77}, b...))
	if err != nil {
		if decodeErr == nil {
			t.Fatalf("% x decodes, but cannot be split off: %v", b, err)
		}
		return
	}
	if err := m.Validate(); (err == nil) != (decodeErr == nil) && m.BodySections == 1 && m.Footer == nil {
		t.Fatalf("% x: decoding says %v, Validate says %v", b, decodeErr, err)
	}
}

// FuzzFrame reads a stream of frames and writes each again.
func FuzzFrame(f *testing.F) {
	for _, v := range performativeVectors {
		f.Add(mustAppendFrame(f, 1, v.p, nil))
	}
	f.Add(wire.AppendEmptyFrame(wire.AppendEmptyFrame(nil)))
	f.Add(mustAppendFrame(f, 7, &wire.Transfer{DeliveryTag: []byte{1}}, fullMessage(f)))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(bytes.NewReader(b), 4096)
		for {
			frame, err := r.ReadFrame()
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				return
			}
			if err != nil {
				mustBeDecodeError(t, err, len(b))
				return
			}
			if frame.Body != nil {
				checkFrameAgain(t, frame)
			}
		}
	})
}

func checkFrameAgain(t *testing.T, frame wire.Frame) {
	t.Helper()
	out := mustAppendFrame(t, frame.Channel, frame.Body, frame.Payload)
	again := readFrame(t, out)
	if diff := cmp.Diff(frame, again, exactly); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

// FuzzMessage checks that a message that splits is put together again to the
// byte, and that a rewritten one splits.
func FuzzMessage(f *testing.F) {
	f.Add(fullMessage(f))
	f.Add(unhex(f, "00 53 76 45 00 53 76 c0 02 01 41"))
	f.Add(unhex(f, "00 53 77 00 53 01 41"))
	f.Add(unhex(f, "00 53 70 d0 00000009 00000004 41 50 09 40 42 00 80 0000000000000071 c1 01 00 00 a3 10 616d71703a646174613a62696e617279 b0 00000001 03"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := wire.Split(b)
		if err != nil {
			mustBeDecodeError(t, err, len(b))
			return
		}
		// Only a footer may have stood in another place.
		out := m.AppendTo(nil)
		if again := mustSplit(t, out); m.Len() != len(b) || !cmp.Equal(again, m) || m.Footer == nil && !bytes.Equal(out, b) {
			t.Fatalf("% x was put together again to % x", b, out)
		}
		valid := m.Validate()
		if valid != nil {
			mustBeDecodeError(t, valid, len(b))
		}
		checkParsers(t, &m, valid == nil)
		checkRewrite(t, &m, valid == nil)
	})
}

// checkParsers parses everything; what Validate passed must parse, the typed
// composites apart.
func checkParsers(t *testing.T, m *wire.Message, valid bool) {
	t.Helper()
	if h, err := m.ParseHeader(); err == nil {
		b, _ := h.AppendBinary(nil)
		again := mustSplit(t, b)
		if got, err := again.ParseHeader(); err != nil || got != h {
			t.Fatalf("header %+v came back as %+v, %v", h, got, err)
		}
	}
	if p, err := m.ParseProperties(); err == nil {
		b, err := p.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		again := mustSplit(t, b)
		got, err := again.ParseProperties()
		if diff := cmp.Diff(p, got); err != nil || diff != "" {
			t.Fatalf("properties: %v\n%s", err, diff)
		}
	}
	for _, parse := range []func() (wire.Map, error){
		m.ParseDeliveryAnnotations, m.ParseMessageAnnotations, m.ParseApplicationProperties, m.ParseFooter,
	} {
		if _, err := parse(); err != nil && valid {
			t.Fatalf("valid, but: %v", err)
		}
	}
	if _, err := m.Value(); err != nil && valid {
		t.Fatalf("valid, but: %v", err)
	}
	if _, err := m.Sequences(); err != nil && valid {
		t.Fatalf("valid, but: %v", err)
	}
	n := 0
	for range m.Data() {
		n++
	}
	if m.BodyKind == wire.BodyData && n != m.BodySections {
		t.Fatalf("%d data sections, want %d", n, m.BodySections)
	}
}

func checkRewrite(t *testing.T, m *wire.Message, valid bool) {
	t.Helper()
	annotations := wire.Map{sym("x-opt-sequence-number", int64(7))}
	out, err := m.AppendRewritten(nil, wire.Rewrite{
		Header: &wire.Header{DeliveryCount: 1}, DropDeliveryAnnotations: []string{"x"}, MessageAnnotations: annotations,
		ApplicationProperties: wire.Map{{Key: "a", Value: "b"}}, DropMessageAnnotations: []string{"x"}, EnsureProperties: true,
	})
	if err != nil {
		if valid {
			t.Fatalf("valid, but: %v", err)
		}
		return
	}
	got := mustSplit(t, out)
	if !bytes.Equal(got.Body, m.Body) || !bytes.Equal(got.Footer, m.Footer) {
		t.Fatal("rewriting changed the body or the footer")
	}
	if m.Properties != nil && !bytes.Equal(got.Properties, m.Properties) {
		t.Fatal("rewriting changed the properties")
	}
	if !valid {
		return
	}
	if err := got.Validate(); err != nil {
		t.Fatal(err)
	}
	a, err := got.ParseMessageAnnotations()
	if v, _ := a.Get("x-opt-sequence-number"); err != nil || v != int64(7) {
		t.Fatalf("annotations are %v, %v", a, err)
	}
}

// FuzzBatch checks that the items of a batch make the same batch again.
func FuzzBatch(f *testing.F) {
	f.Add(wire.AppendData(wire.AppendData(nil, unhex(f, "00 53 77 40")), fullMessage(f)))
	f.Add(fullMessage(f))
	f.Add(unhex(f, "00 53 75 b0 00000000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var payload []byte
		items := 0
		for item, err := range wire.BatchItems(b) {
			if err != nil {
				mustBeDecodeError(t, err, len(b))
				return
			}
			if len(item) > len(b) {
				t.Fatalf("an item of %d bytes in %d", len(item), len(b))
			}
			items++
			payload = wire.AppendData(payload, item)
		}
		again := 0
		for item, err := range wire.BatchItems(payload) {
			if err != nil || !bytes.Contains(b, item) {
				t.Fatalf("item % x, %v", item, err)
			}
			again++
		}
		if items == 0 || items != again {
			t.Fatalf("%d items became %d", items, again)
		}
	})
}
