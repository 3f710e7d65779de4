package wire_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

func TestFrameVectors(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		want        wire.Frame
	}{
		{"empty", "00 00 00 08 02 00 00 00", wire.Frame{}},
		{
			"close", "00 00 00 0c 02 00 00 00  00 53 18 45",
			wire.Frame{Body: &wire.Close{}, Payload: []byte{}},
		},
		{
			"end on a channel", "00 00 00 0c 02 00 01 02  00 53 17 45",
			wire.Frame{Channel: 0x102, Body: &wire.End{}, Payload: []byte{}},
		},
		{
			"sasl-outcome", "00 00 00 10 02 01 00 00  00 53 44 c0 03 01 50 00",
			wire.Frame{Type: wire.FrameSASL, Body: &wire.SASLOutcome{}, Payload: []byte{}},
		},
		{
			"transfer with payload", "00 00 00 11 02 00 00 01  00 53 14 c0 02 01 43  de ad",
			wire.Frame{Channel: 1, Body: &wire.Transfer{}, Payload: []byte{0xde, 0xad}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.bytes)
			if diff := cmp.Diff(c.want, readFrame(t, b)); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAppendFrameVectors(t *testing.T) {
	b := wire.AppendEmptyFrame([]byte{0xff})
	b, err := wire.AppendFrame(b, 0x102, &wire.End{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = wire.AppendFrame(b, 0, &wire.SASLOutcome{}, nil); err != nil {
		t.Fatal(err)
	}
	if b, err = wire.AppendFrame(b, 1, &wire.Transfer{}, []byte{0xde, 0xad}); err != nil {
		t.Fatal(err)
	}
	want := unhex(t, `ff
		00 00 00 08 02 00 00 00
		00 00 00 0f 02 00 01 02  00 53 17 c0 02 01 40
		00 00 00 11 02 01 00 00  00 53 44 c0 04 02 50 00 40
		00 00 00 1b 02 00 00 01  00 53 14 c0 0c 0b 43 40 40 40 42 40 40 40 40 40 40  de ad`)
	if !bytes.Equal(b, want) {
		t.Errorf("got\n% x, want\n% x", b, want)
	}
}

func TestExtendedHeaderIsSkipped(t *testing.T) {
	f := readFrame(t, unhex(t, "00 00 00 10 03 00 00 05  ff ff ff ff  00 53 17 45"))
	if f.Channel != 5 || f.Body == nil {
		t.Errorf("got %+v", f)
	}
	if f := readFrame(t, unhex(t, "00 00 00 0c 03 00 00 05  ff ff ff ff")); f.Body != nil {
		t.Errorf("got %+v, want no body", f)
	}
}

func TestReadFrameRefuses(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		condition   wire.Symbol
		offset      int
	}{
		{"size below the header", "00 00 00 07 02 00 00 00", wire.CondFramingError, 0},
		{"size over the limit", "00 00 02 01 02 00 00 00", wire.CondFramingError, 0},
		{"size of an HTTP request", "47 45 54 20 2f 20 48 54", wire.CondFramingError, 0},
		{"data offset below the header", "00 00 00 08 01 00 00 00", wire.CondFramingError, 4},
		{"data offset beyond the end", "00 00 00 08 03 00 00 00", wire.CondFramingError, 4},
		{"frame type", "00 00 00 08 02 02 00 00", wire.CondFramingError, 5},
		{"SASL frame without a body", "00 00 00 08 02 01 00 00", wire.CondDecodeError, 8},
		{"SASL in an AMQP frame", "00 00 00 10 02 00 00 00  00 53 44 c0 03 01 50 00", wire.CondFramingError, 8},
		{"AMQP in a SASL frame", "00 00 00 0c 02 01 00 00  00 53 18 45", wire.CondFramingError, 8},
		{"payload after a close", "00 00 00 0d 02 00 00 00  00 53 18 45 00", wire.CondFramingError, 12},
		{"body cut by the frame", "00 00 00 0b 02 00 00 00  00 53 18 45", wire.CondDecodeError, 11},
		{"offset with extended header", "00 00 00 10 03 00 00 00  00 00 00 00  00 53 1f 45", wire.CondDecodeError, 12},
		{"missing field", "00 00 00 0c 02 00 00 00  00 53 10 45", wire.CondInvalidField, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := wire.NewReader(bytes.NewReader(unhex(t, c.bytes)), 512).ReadFrame()
			var de *wire.DecodeError
			if !errors.As(err, &de) {
				t.Fatalf("got error %v, want a DecodeError", err)
			}
			if de.Condition != c.condition || de.Offset != c.offset {
				t.Errorf("got %+v, want condition %s, offset %d", de, c.condition, c.offset)
			}
		})
	}
}

func TestReadFrameEnds(t *testing.T) {
	whole := mustAppendFrame(t, 0, &wire.Transfer{}, make([]byte, 40_000))
	for _, n := range []int{1, 3, 4, 7, 8, 20, 30_000, len(whole) - 1} {
		if _, err := wire.NewReader(bytes.NewReader(whole[:n]), 1<<20).ReadFrame(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: got %v, want io.ErrUnexpectedEOF", n, err)
		}
	}
	r := wire.NewReader(bytes.NewReader(whole), 1<<20)
	if _, err := r.ReadFrame(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadFrame(); !errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("at the end: got %v, want io.EOF", err)
	}
	failing := wire.NewReader(iotest.ErrReader(io.ErrClosedPipe), 512)
	if _, err := failing.ReadFrame(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v, want the error of the connection", err)
	}
}

// TestReadFrameSizes reads frames around the sizes at which the reader changes
// its ways, mixed, in one go and byte by byte.
func TestReadFrameSizes(t *testing.T) {
	const limit = 200_000
	var (
		stream []byte
		sizes  = []int{0, 1, 500, 16_350, 16_384 - 15, 16_384 - 14, 20_000, 5, 32_768, 70_000, 131_072, limit - 64, 0, 40_000}
	)
	payload := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, sizes[i]) }
	for i := range sizes {
		stream = append(stream, mustAppendFrame(t, uint16(i), &wire.Transfer{DeliveryTag: []byte{byte(i)}}, payload(i))...)
	}
	for name, src := range map[string]io.Reader{
		"whole":        bytes.NewReader(stream),
		"halves":       iotest.HalfReader(bytes.NewReader(stream)),
		"byte by byte": iotest.OneByteReader(bytes.NewReader(stream)),
		"EOF at once":  iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		r := wire.NewReader(src, 512)
		r.SetMaxFrameSize(limit)
		for i := range sizes {
			f, err := r.ReadFrame()
			if err != nil {
				t.Fatalf("%s, frame %d: %v", name, i, err)
			}
			if int(f.Channel) != i || !bytes.Equal(f.Payload, payload(i)) || f.Body.(*wire.Transfer).DeliveryTag[0] != byte(i) {
				t.Fatalf("%s: frame %d came out otherwise", name, i)
			}
		}
		if _, err := r.ReadFrame(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: at the end: %v", name, err)
		}
	}
}

func TestBuffered(t *testing.T) {
	b := wire.AppendProtocolHeader(nil, wire.ProtocolAMQP)
	b = wire.AppendEmptyFrame(b)
	b = wire.AppendEmptyFrame(b)
	r := wire.NewReader(bytes.NewReader(b), 512)
	if _, err := r.ReadProtocolHeader(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{16, 8, 0} {
		if got := r.Buffered(); got != want {
			t.Errorf("got %d buffered, want %d", got, want)
		}
		if want > 0 {
			if _, err := r.ReadFrame(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestProtocolHeader(t *testing.T) {
	for _, id := range []wire.ProtocolID{wire.ProtocolAMQP, wire.ProtocolTLS, wire.ProtocolSASL, 9} {
		b := wire.AppendProtocolHeader(nil, id)
		if want := []byte{'A', 'M', 'Q', 'P', byte(id), 1, 0, 0}; !bytes.Equal(b, want) {
			t.Errorf("got % x, want % x", b, want)
		}
		got, err := wire.NewReader(bytes.NewReader(b), 512).ReadProtocolHeader()
		if err != nil || got != id {
			t.Errorf("got %d, %v, want %d", got, err, id)
		}
	}
	for name, in := range map[string]string{
		"http": "GET / HT", "amqp 0-9-1": "AMQP\x00\x00\x09\x01", "revision": "AMQP\x00\x01\x00\x01", "lower case": "amqp\x00\x01\x00\x00",
	} {
		_, err := wire.NewReader(strings.NewReader(in), 512).ReadProtocolHeader()
		var de *wire.DecodeError
		if !errors.As(err, &de) || de.Condition != wire.CondFramingError {
			t.Errorf("%s: got %v, want a framing error", name, err)
		}
	}
	if _, err := wire.NewReader(strings.NewReader("AMQP"), 512).ReadProtocolHeader(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a header: %v", err)
	}
	if _, err := wire.NewReader(strings.NewReader(""), 512).ReadProtocolHeader(); !errors.Is(err, io.EOF) {
		t.Errorf("nothing: %v", err)
	}
}

func TestAppendTransferSplits(t *testing.T) {
	first := &wire.Transfer{
		Handle: 3, DeliveryID: wire.Some(uint32(1000)), DeliveryTag: []byte("0123456789abcdef"), MessageFormat: wire.Some(uint32(0)),
	}
	for size := 400; size <= 1600; size++ {
		payload := make([]byte, size)
		for i := range payload {
			payload[i] = byte(i)
		}
		var (
			out, got []byte
			tr       = first
			frames   int
		)
		for rest := payload; frames == 0 || len(rest) > 0; frames++ {
			var (
				n   int
				err error
			)
			if out, n, err = wire.AppendTransfer(out, 1, tr, rest, wire.MinMaxFrameSize); err != nil {
				t.Fatal(err)
			}
			rest, tr = rest[n:], tr.Continuation()
		}
		r := wire.NewReader(bytes.NewReader(out), wire.MinMaxFrameSize)
		for i := range frames {
			f, err := r.ReadFrame()
			if err != nil {
				t.Fatalf("size %d, frame %d: %v", size, i, err)
			}
			tr := f.Body.(*wire.Transfer)
			if tr.More != (i < frames-1) || tr.DeliveryID.Set != (i == 0) {
				t.Fatalf("size %d, frame %d of %d: %+v", size, i, frames, tr)
			}
			got = append(got, f.Payload...)
		}
		if !bytes.Equal(got, payload) {
			t.Fatalf("size %d: payload came out otherwise", size)
		}
	}
}

func TestAppendTransferRefuses(t *testing.T) {
	var ee *wire.EncodeError
	b, _, err := wire.AppendTransfer([]byte("x"), 0, &wire.Transfer{DeliveryTag: make([]byte, 32)}, make([]byte, 100), 50)
	if !errors.As(err, &ee) || string(b) != "x" {
		t.Errorf("frame too small: got %q, %v", b, err)
	}
	b, _, err = wire.AppendTransfer([]byte("x"), 0, &wire.Transfer{State: wire.Described{}}, nil, 512)
	if !errors.As(err, &ee) || string(b) != "x" {
		t.Errorf("bad state: got %q, %v", b, err)
	}
}

// TestClaimedSizeTakesNoMemory sends the header of a huge frame and nothing
// after it.
func TestClaimedSizeTakesNoMemory(t *testing.T) {
	head := []byte{0x3f, 0xff, 0xff, 0xff, 2, 0, 0, 0}
	got := allocatedBy(func() {
		r := wire.NewReader(bytes.NewReader(head), 1<<30)
		if _, err := r.ReadFrame(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v, want io.ErrUnexpectedEOF", err)
		}
	})
	if limit := uint64(80 << 10); got > limit {
		t.Errorf("took %d bytes, want at most %d", got, limit)
	}
}
