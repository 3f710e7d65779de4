package wire_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// endless repeats one encoded frame for ever.
type endless struct {
	frame []byte
	at    int
}

func (e *endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		c := copy(p[n:], e.frame[e.at:])
		e.at = (e.at + c) % len(e.frame)
		n += c
	}
	return n, nil
}

func BenchmarkReadTransfer(b *testing.B) {
	frame := mustAppendFrame(b, 1, &wire.Transfer{
		Handle: 1, DeliveryID: wire.Some(uint32(70000)), DeliveryTag: []byte("0123456789abcdef"),
		MessageFormat: wire.Some(uint32(0)), Batchable: true,
	}, bytes.Repeat([]byte{'x'}, 500))
	r := wire.NewReader(&endless{frame: frame}, 65536)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		f, err := r.ReadFrame()
		if err != nil || len(f.Payload) != 500 {
			b.Fatal(err, len(f.Payload))
		}
	}
}

func BenchmarkReadDisposition(b *testing.B) {
	frame := mustAppendFrame(b, 1, &wire.Disposition{
		Role: wire.RoleReceiver, First: 70000, Last: wire.Some(uint32(70000)), State: wire.Accepted{},
	}, nil)
	r := wire.NewReader(&endless{frame: frame}, 65536)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.ReadFrame(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendDisposition(b *testing.B) {
	p := &wire.Disposition{First: 70000, Last: wire.Some(uint32(70000)), Settled: true, State: wire.Accepted{}}
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.AppendFrame(buf, 1, p, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendTransfer(b *testing.B) {
	p := &wire.Transfer{
		Handle: 1, DeliveryID: wire.Some(uint32(70000)), DeliveryTag: []byte("0123456789abcdef"),
		MessageFormat: wire.Some(uint32(0)),
	}
	payload := bytes.Repeat([]byte{'x'}, 500)
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := wire.AppendTransfer(buf, 1, p, payload, 65536); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSplit(b *testing.B) {
	msg := fullMessage(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.Split(msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseProperties(b *testing.B) {
	m, err := wire.Split(fullMessage(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.ParseProperties(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRewrite(b *testing.B) {
	m, err := wire.Split(fullMessage(b))
	if err != nil {
		b.Fatal(err)
	}
	r := wire.Rewrite{
		Header: &wire.Header{DeliveryCount: 1},
		MessageAnnotations: wire.Map{
			{Key: wire.Symbol("x-opt-sequence-number"), Value: int64(123456)},
			{Key: wire.Symbol("x-opt-enqueued-time"), Value: wire.Timestamp(1760000000000)},
			{Key: wire.Symbol("x-opt-locked-until"), Value: wire.Timestamp(1760000060000)},
		},
	}
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.AppendRewritten(buf, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBatchItems(b *testing.B) {
	var payload []byte
	item := fullMessage(b)
	for range 100 {
		payload = wire.AppendData(payload, item)
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for item, err := range wire.BatchItems(payload) {
			if err != nil {
				b.Fatal(err)
			}
			if _, err := wire.Split(item); err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 100 {
			b.Fatal(n)
		}
	}
}

var _ io.Reader = (*endless)(nil)
