package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

func sym(k string, v any) wire.Pair { return wire.Pair{Key: wire.Symbol(k), Value: v} }

func TestRewriteNothing(t *testing.T) {
	payload := fullMessage(t)
	m := mustSplit(t, payload)
	out, err := m.AppendRewritten([]byte("x"), wire.Rewrite{})
	if err != nil || !bytes.Equal(out[1:], payload) {
		t.Errorf("the zero Rewrite changed the message: %v", err)
	}
}

// TestRewriteVector merges into sections whose untouched entries are encoded as
// we never would: they must stay to the byte.
func TestRewriteVector(t *testing.T) {
	const (
		kept    = "b3 00000001 6b  71 00000005 " // symbol32 k: int of four bytes
		number  = "44  56 01 "                   // a ulong key: boolean of one byte
		bodyEnd = "00 53 75 b0 00000001 07  00 53 78 c1 01 00"
	)
	m := mustSplit(t, unhex(t, `
		00 53 70 c0 02 01 41
		00 53 71 c1 05 02 a3 01 64 40
		00 53 72 c1 1d 08 a3 03 6f6c64 54 01 `+kept+`a1 03 6f6c64 54 02 `+number+`
		00 53 73 c0 04 01 a1 01 69
		00 53 74 c1 09 04 a1 01 61 41 a1 01 62 42 `+bodyEnd))
	out, err := m.AppendRewritten(nil, wire.Rewrite{
		Header: &wire.Header{Durable: wire.Some(true), DeliveryCount: 2}, DropDeliveryAnnotations: []string{"d"},
		MessageAnnotations:    wire.Map{sym("old", int32(3)), sym("new", nil)},
		ApplicationProperties: wire.Map{{Key: "b", Value: int32(-1)}},
		EnsureProperties:      true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := unhex(t, `
		00 53 70 c0 07 05 41 40 40 40 52 02
		00 53 72 c1 1c 08 `+kept+number+`a3 03 6f6c64 54 03 a3 03 6e6577 40
		00 53 73 c0 04 01 a1 01 69
		00 53 74 c1 0a 04 a1 01 61 41 a1 01 62 54 ff `+bodyEnd)
	if !bytes.Equal(out, want) {
		t.Errorf("got\n% x, want\n% x", out, want)
	}
}

func TestRewriteAddsSections(t *testing.T) {
	m := mustSplit(t, unhex(t, "00 53 77 40"))
	out, err := m.AppendRewritten(nil, wire.Rewrite{
		Header:                &wire.Header{},
		DeliveryAnnotations:   wire.Map{sym("d", true)},
		MessageAnnotations:    wire.Map{sym("m", true)},
		ApplicationProperties: wire.Map{{Key: "a", Value: true}},
		EnsureProperties:      true,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := unhex(t, `
		00 53 70 c0 06 05 40 40 40 40 43
		00 53 71 c1 05 02 a3 01 64 41
		00 53 72 c1 05 02 a3 01 6d 41
		00 53 73 c0 0e 0d 40 40 40 40 40 40 40 40 40 40 40 40 40
		00 53 74 c1 05 02 a1 01 61 41
		00 53 77 40`)
	if !bytes.Equal(out, want) {
		t.Errorf("got\n% x, want\n% x", out, want)
	}
}

func TestRewriteDrops(t *testing.T) {
	m := mustSplit(t, unhex(t, "00 53 72 c1 0c 04 a3 02 6e6f 40 a3 03 796573 40"))
	for _, c := range []struct {
		name string
		drop []string
		with wire.Map
		want string
	}{
		{"one", []string{"no", "other"}, nil, "00 53 72 c1 07 02 a3 03 796573 40"},
		{"all", []string{"no", "yes"}, nil, ""},
		{"all, and adds", []string{"no", "yes"}, wire.Map{sym("a", nil)}, "00 53 72 c1 05 02 a3 01 61 40"},
		{"none", []string{"other"}, nil, "00 53 72 c1 0c 04 a3 02 6e6f 40 a3 03 796573 40"},
		{"what it adds stays", []string{"a"}, wire.Map{sym("a", nil), sym("no", true), sym("yes", true)}, "00 53 72 c1 10 06 a3 01 61 40 a3 02 6e6f 41 a3 03 796573 41"},
	} {
		out, err := m.AppendRewritten(nil, wire.Rewrite{DropMessageAnnotations: c.drop, MessageAnnotations: c.with})
		if want := unhex(t, c.want); err != nil || !bytes.Equal(out, want) {
			t.Errorf("%s: got % x, %v, want % x", c.name, out, err, want)
		}
	}
	none := mustSplit(t, nil)
	if out, err := none.AppendRewritten(nil, wire.Rewrite{DropMessageAnnotations: []string{"a"}}); err != nil || len(out) != 0 {
		t.Errorf("dropped from nothing: got % x, %v", out, err)
	}
}

func TestRewriteProperties(t *testing.T) {
	m := mustSplit(t, fullMessage(t))
	out, err := m.AppendRewritten(nil, wire.Rewrite{Properties: &wire.Properties{MessageID: "new"}})
	if err != nil {
		t.Fatal(err)
	}
	got := mustSplit(t, out)
	if p, err := got.ParseProperties(); err != nil || !cmp.Equal(p, wire.Properties{MessageID: "new"}) {
		t.Errorf("got %+v, %v", p, err)
	}
	got.Properties = m.Properties
	if diff := cmp.Diff(m, got); diff != "" {
		t.Errorf("other sections changed:\n%s", diff)
	}
}

// TestRewriteGrows merges until size and count need four bytes.
func TestRewriteGrows(t *testing.T) {
	var m wire.Message
	for i := range 300 {
		out, err := m.AppendRewritten(nil, wire.Rewrite{MessageAnnotations: wire.Map{sym(fmt.Sprint("key-", i), int32(i))}})
		if err != nil {
			t.Fatal(err)
		}
		m = mustSplit(t, out)
	}
	a, err := m.ParseMessageAnnotations()
	if err != nil || len(a) != 300 {
		t.Fatalf("got %d annotations, %v", len(a), err)
	}
	for i := range a {
		if want := sym(fmt.Sprint("key-", i), int32(i)); a[i] != want {
			t.Fatalf("annotation %d is %v, want %v", i, a[i], want)
		}
	}
}

func TestRewriteRefuses(t *testing.T) {
	var (
		bad  = wire.Map{{Key: "k", Value: 1}}
		good = wire.Map{sym("k", true)}
		de   *wire.DecodeError
		ee   *wire.EncodeError
	)
	full := mustSplit(t, fullMessage(t))
	odd := mustSplit(t, unhex(t, "00 53 72 c1 02 01 41"))
	long := mustSplit(t, unhex(t, "00 53 72 c1 04 02 41 41 41"))
	short := mustSplit(t, unhex(t, "00 53 72 c1 02 02 41"))
	for name, c := range map[string]struct {
		m    wire.Message
		r    wire.Rewrite
		want any
	}{
		"value in new section":      {wire.Message{}, wire.Rewrite{MessageAnnotations: bad}, &ee},
		"value in merged section":   {full, wire.Rewrite{ApplicationProperties: bad}, &ee},
		"properties":                {full, wire.Rewrite{Properties: &wire.Properties{MessageID: 1}}, &ee},
		"delivery annotations":      {full, wire.Rewrite{DeliveryAnnotations: bad, MessageAnnotations: good}, &ee},
		"merge into an odd count":   {odd, wire.Rewrite{MessageAnnotations: good}, &de},
		"merge into too long a map": {long, wire.Rewrite{MessageAnnotations: good}, &de},
		"merge into a cut map":      {short, wire.Rewrite{MessageAnnotations: good}, &de},
	} {
		b, err := c.m.AppendRewritten([]byte("before"), c.r)
		if !errors.As(err, c.want) || string(b) != "before" {
			t.Errorf("%s: got %q, %v", name, b, err)
		}
	}
}

func TestBatchItems(t *testing.T) {
	first, second := fullMessage(t), unhex(t, "00 53 77 40")
	m := mustSplit(t, first)
	m.Body, m.Footer = nil, nil
	payload := wire.AppendData(wire.AppendData(m.AppendTo(nil), first), second)
	var items [][]byte
	for item, err := range wire.BatchItems(payload) {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	if diff := cmp.Diff([][]byte{first, second}, items); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range wire.BatchItems(payload) {
		break // the iterator stands a caller that stops
	}
	for name, in := range map[string]string{
		"broken": "00 53 75 a0 05", "no body": "00 53 70 45", "nothing": "", "value": "00 53 77 40", "sequence": "00 53 76 45",
	} {
		n := 0
		for item, err := range wire.BatchItems(unhex(t, in)) {
			n++
			var de *wire.DecodeError
			if item != nil || !errors.As(err, &de) {
				t.Errorf("%s: got % x, %v", name, item, err)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d yields, want the error alone", name, n)
		}
	}
}
