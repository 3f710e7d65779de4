package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

func symbols(s ...wire.Symbol) []wire.Symbol { return s }

// performativeVectors pair performatives with their encoding, with all fields, after
// part 2, section 2.7 and part 3, sections 3.4 and 3.5.
var performativeVectors = []struct {
	name  string
	p     wire.Performative
	bytes string
}{
	{"open", &wire.Open{ContainerID: "c"}, "00 53 10 c0 0d 0a a1 01 63 40 40 40 40 40 40 40 40 40"},
	{
		"open with limits", &wire.Open{
			ContainerID: "c", Hostname: "h:1", MaxFrameSize: wire.Some(uint32(65536)), ChannelMax: wire.Some(uint16(255)),
			IdleTimeout: wire.Some(uint32(30000)), Properties: wire.Map{{Key: wire.Symbol("p"), Value: "q"}},
		},
		`00 53 10 c0 23 0a
		 a1 01 63  a1 03 68 3a 31  70 00 01 00 00  60 00 ff  70 00 00 75 30
		 40 40 40 40  c1 07 02 a3 01 70 a1 01 71`,
	},
	{"begin", &wire.Begin{NextOutgoingID: 0, IncomingWindow: 5000, OutgoingWindow: 1}, "00 53 11 c0 0e 08 40 43 70 00 00 13 88 52 01 40 40 40 40"},
	{
		"begin as answer", &wire.Begin{RemoteChannel: wire.Some(uint16(3)), NextOutgoingID: 1, HandleMax: wire.Some(uint32(7))},
		"00 53 11 c0 0d 08 60 00 03 52 01 43 43 52 07 40 40 40",
	},
	{
		"attach of a sender", &wire.Attach{
			Name: "l", Handle: 1, SndSettleMode: wire.Some(wire.SenderMixed), RcvSettleMode: wire.Some(wire.ReceiverFirst),
			Source: &wire.Source{}, Target: &wire.Target{Address: "q"}, InitialDeliveryCount: wire.Some(uint32(0)),
			MaxMessageSize: wire.Some(uint64(262144)),
		},
		`00 53 12 c0 3a 0e a1 01 6c 52 01 42 50 02 50 00 00 53 28 c0 0c 0b 40 40 40 40 40 40 40 40 40 40 40 00 53 29 c0 0a 07 a1
		 01 71 40 40 40 40 40 40 40 40 43 80 00 00 00 00 00 04 00 00 40 40 40`,
	},
	{
		"attach refused", &wire.Attach{Name: "l", Role: wire.RoleReceiver},
		"00 53 12 c0 11 0e a1 01 6c 43 41 40 40 40 40 40 40 40 40 40 40 40",
	},
	{
		"attach to a coordinator", &wire.Attach{Name: "t", Coordinator: &wire.Coordinator{Capabilities: symbols("amqp:local-transactions")}},
		`00 53 12 c0 32 0e a1 01 74 43 42 40 40 40 00 53 30 c0 1d 01 e0 1a 01 a3 17 61 6d 71 70 3a 6c 6f 63 61 6c 2d 74 72 61 6e
		 73 61 63 74 69 6f 6e 73 40 40 40 40 40 40 40`,
	},
	{
		"attach with a session filter", &wire.Attach{Name: "r", Role: wire.RoleReceiver, Source: &wire.Source{
			Address: "q", Filter: wire.Map{{Key: wire.Symbol("f"), Value: wire.Described{Descriptor: uint64(0x137_0000_000C), Value: "s"}}},
		}},
		`00 53 12 c0 35 0e a1 01 72 43 41 40 40 00 53 28 c0 20 0b a1 01 71 40 40 40 40 40 40 c1 11 02 a3 01 66 00 80 00 00 01 37
		 00 00 00 0c a1 01 73 40 40 40 40 40 40 40 40 40 40 40`,
	},
	{
		"flow of a session", &wire.Flow{NextIncomingID: wire.Some(uint32(1)), IncomingWindow: 2, NextOutgoingID: 3, OutgoingWindow: 4},
		"00 53 13 c0 10 0b 52 01 52 02 52 03 52 04 40 40 40 40 40 40 40",
	},
	{
		"flow of a link", &wire.Flow{Handle: wire.Some(uint32(0)), DeliveryCount: wire.Some(uint32(9)), LinkCredit: wire.Some(uint32(10)), Drain: true},
		"00 53 13 c0 0e 0b 40 43 43 43 43 52 09 52 0a 40 41 40 40",
	},
	{
		"transfer", &wire.Transfer{
			Handle: 0, DeliveryID: wire.Some(uint32(0)), DeliveryTag: []byte{0xaa}, MessageFormat: wire.Some(uint32(0)),
		},
		"00 53 14 c0 0e 0b 43 43 a0 01 aa 43 42 40 40 40 40 40 40",
	},
	{
		"transfer of a batch", &wire.Transfer{
			DeliveryID: wire.Some(uint32(1)), DeliveryTag: []byte{}, MessageFormat: wire.Some(wire.MessageFormatBatch),
			Settled: true, More: true, Aborted: true, State: wire.Accepted{}, RcvSettleMode: wire.Some(wire.ReceiverSecond),
		},
		"00 53 14 c0 16 0b 43 52 01 a0 00 70 80 01 37 00 41 41 50 01 00 53 24 45 40 41 40",
	},
	{
		"disposition accepted", &wire.Disposition{Role: wire.RoleReceiver, First: 1, Last: wire.Some(uint32(2)), Settled: true, State: wire.Accepted{}},
		"00 53 15 c0 0c 06 41 52 01 52 02 41 00 53 24 45 40",
	},
	{"disposition released", &wire.Disposition{State: wire.Released{}}, "00 53 15 c0 0a 06 42 43 40 40 00 53 26 45 40"},
	{
		"disposition rejected", &wire.Disposition{State: &wire.Rejected{Error: &wire.Error{Condition: "a:b", Description: "d"}}},
		"00 53 15 c0 1b 06 42 43 40 40 00 53 25 c0 10 01 00 53 1d c0 0a 03 a3 03 61 3a 62 a1 01 64 40 40",
	},
	{
		"disposition modified", &wire.Disposition{State: &wire.Modified{UndeliverableHere: true, MessageAnnotations: wire.Map{}}},
		"00 53 15 c0 11 06 42 43 40 40 00 53 27 c0 06 03 40 41 c1 01 00 40",
	},
	{
		"disposition received", &wire.Disposition{State: &wire.Received{SectionNumber: 1, SectionOffset: 2}},
		"00 53 15 c0 10 06 42 43 40 40 00 53 23 c0 05 02 52 01 53 02 40",
	},
	{
		"disposition of a transaction", &wire.Disposition{State: wire.Described{Descriptor: uint64(0x34), Value: wire.List{[]byte{1}}}},
		"00 53 15 c0 0f 06 42 43 40 40 00 53 34 c0 04 01 a0 01 01 40",
	},
	{"detach", &wire.Detach{Handle: 300, Closed: true}, "00 53 16 c0 08 03 70 00 00 01 2c 41 40"},
	{
		"detach with an error", &wire.Detach{Error: &wire.Error{Condition: "a", Info: wire.Map{{Key: wire.Symbol("k"), Value: int32(1)}}}},
		"00 53 16 c0 15 03 43 40 00 53 1d c0 0d 03 a3 01 61 40 c1 06 02 a3 01 6b 54 01",
	},
	{"end", &wire.End{}, "00 53 17 c0 02 01 40"},
	{"end with an error", &wire.End{Error: &wire.Error{Condition: "a"}}, "00 53 17 c0 0c 01 00 53 1d c0 06 03 a3 01 61 40 40"},
	{"close", &wire.Close{}, "00 53 18 c0 02 01 40"},
	{"close with an error", &wire.Close{Error: &wire.Error{Condition: "a"}}, "00 53 18 c0 0c 01 00 53 1d c0 06 03 a3 01 61 40 40"},
	{"sasl-mechanisms", &wire.SASLMechanisms{Mechanisms: symbols("ANONYMOUS")}, "00 53 40 c0 0f 01 e0 0c 01 a3 09 414e4f4e594d4f5553"},
	{
		"sasl-mechanisms, two", &wire.SASLMechanisms{Mechanisms: symbols("PLAIN", "A")},
		"00 53 40 c0 0d 01 e0 0a 02 a3 05 504c41494e 01 41",
	},
	{"sasl-init", &wire.SASLInit{Mechanism: "PLAIN", InitialResponse: []byte{0, 1}, Hostname: "h"}, "00 53 41 c0 0f 03 a3 05 504c41494e a0 02 00 01 a1 01 68"},
	{"sasl-challenge", &wire.SASLChallenge{Challenge: []byte{1}}, "00 53 42 c0 04 01 a0 01 01"},
	{"sasl-response", &wire.SASLResponse{Response: []byte{}}, "00 53 43 c0 03 01 a0 00"},
	{"sasl-outcome ok", &wire.SASLOutcome{}, "00 53 44 c0 04 02 50 00 40"},
	{"sasl-outcome", &wire.SASLOutcome{Code: wire.SASLAuth, AdditionalData: []byte{7}}, "00 53 44 c0 06 02 50 01 a0 01 07"},
}

func TestPerformativeVectors(t *testing.T) {
	for _, v := range performativeVectors {
		t.Run(v.name, func(t *testing.T) {
			want := unhex(t, v.bytes)
			got, err := v.p.AppendBinary([]byte("before"))
			if err != nil {
				t.Fatal(err)
			}
			if got = got[len("before"):]; !bytes.Equal(got, want) {
				t.Errorf("encoded to\n% x, want\n% x", got, want)
			}
			p, n, err := wire.DecodePerformative(append(want, "payload"...))
			if err != nil {
				t.Fatal(err)
			}
			if n != len(want) {
				t.Errorf("took %d bytes of %d", n, len(want))
			}
			if diff := cmp.Diff(v.p, p); diff != "" {
				t.Errorf("decoded otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodePerformativeVariants(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		want        wire.Performative
	}{
		{"symbolic descriptor", "00 a3 0f 616d71703a636c6f73653a6c697374 45", &wire.Close{}},
		{"wide symbolic descriptor", "00 b3 0000000f 616d71703a636c6f73653a6c697374 c0 01 00", &wire.Close{}},
		{"ulong descriptor", "00 80 0000000000000018 45", &wire.Close{}},
		{"no fields at the end", "00 53 13 c0 09 04 52 01 52 02 52 03 52 04",
			&wire.Flow{NextIncomingID: wire.Some(uint32(1)), IncomingWindow: 2, NextOutgoingID: 3, OutgoingWindow: 4}},
		{"transfer of five fields", "00 53 14 c0 08 05 43 43 a0 01 aa 43 42",
			&wire.Transfer{DeliveryID: wire.Some(uint32(0)), DeliveryTag: []byte{0xaa}, MessageFormat: wire.Some(uint32(0))}},
		{"list32", "00 53 16 d0 00000007 00000002 52 01 41", &wire.Detach{Handle: 1, Closed: true}},
		{"nulls at the end", "00 53 16 c0 04 03 43 40 40", &wire.Detach{}},
		{"uint of four bytes", "00 53 16 c0 06 01 70 00000001", &wire.Detach{Handle: 1}},
		{"boolean of one byte", "00 53 16 c0 04 02 43 56 01", &wire.Detach{Closed: true}},
		{"one mechanism without array", "00 53 40 c0 04 01 a3 01 41", &wire.SASLMechanisms{Mechanisms: symbols("A")}},
		{"mechanisms in array32", "00 53 40 c0 10 01 f0 0000000a 00000001 b3 00000001 41", &wire.SASLMechanisms{Mechanisms: symbols("A")}},
		{"no mechanisms", "00 53 40 c0 05 01 e0 02 00 a3", &wire.SASLMechanisms{}},
		{"symbolic state", "00 53 15 c0 1b 05 42 43 40 40 00 a3 12 616d71703a61636365707465643a6c697374 45", &wire.Disposition{State: wire.Accepted{}}},
		{
			"state with an unknown symbol", "00 53 15 c0 0a 05 42 43 40 40 00 a3 01 78 40",
			&wire.Disposition{State: wire.Described{Descriptor: wire.Symbol("x")}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.bytes)
			got, n, err := wire.DecodePerformative(b)
			if err != nil {
				t.Fatal(err)
			}
			if n != len(b) {
				t.Errorf("took %d bytes of %d", n, len(b))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodePerformativeRefuses(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		want        wire.DecodeError
	}{
		{"no descriptor", "45", wire.DecodeError{Condition: wire.CondDecodeError, Offset: 0, Expected: "a described value", Found: "format code 0x45"}},
		{"unknown descriptor", "00 53 1f 45", wire.DecodeError{Condition: wire.CondDecodeError, Expected: "a performative", Found: "descriptor 0x1f"}},
		{
			"unknown symbol", "00 a3 01 78 45",
			wire.DecodeError{Condition: wire.CondDecodeError, Expected: "a performative", Found: "descriptor 0xffffffffffffffff"},
		},
		{"a delivery state", "00 53 24 45", wire.DecodeError{Condition: wire.CondDecodeError, Expected: "a performative", Found: "descriptor 0x24"}},
		{"a map", "00 53 18 c1 01 00", wire.DecodeError{Condition: wire.CondDecodeError, Offset: 3, Field: "close", Expected: "a list", Found: "format code 0xc1"}},
		{
			"mandatory field absent", "00 53 10 45",
			wire.DecodeError{Condition: wire.CondInvalidField, Offset: 4, Field: "open.container-id", Expected: "a value in this mandatory field", Found: "null"},
		},
		{
			"mandatory field null", "00 53 16 c0 02 01 40",
			wire.DecodeError{Condition: wire.CondInvalidField, Offset: 7, Field: "detach.handle", Expected: "a value in this mandatory field", Found: "null"},
		},
		{
			"challenge null", "00 53 42 c0 02 01 40",
			wire.DecodeError{Condition: wire.CondInvalidField, Offset: 7, Field: "sasl-challenge.challenge", Expected: "a value in this mandatory field", Found: "null"},
		},
		{
			"wrong type", "00 53 16 c0 03 01 53 01",
			wire.DecodeError{Condition: wire.CondDecodeError, Offset: 6, Field: "detach.handle", Expected: "a uint", Found: "format code 0x53"},
		},
		{
			"too many fields", "00 53 18 c0 03 02 40 40",
			wire.DecodeError{Condition: wire.CondDecodeError, Offset: 7, Field: "close", Expected: "no further field", Found: "1 more"},
		},
		{
			"list too long for its fields", "00 53 18 c0 03 01 40 40",
			wire.DecodeError{Condition: wire.CondDecodeError, Offset: 7, Field: "close", Expected: "the end of the compound", Found: "1 more bytes"},
		},
		{
			"settle mode out of range", "00 53 12 c0 08 04 a1 01 6c 43 41 50 03",
			wire.DecodeError{Condition: wire.CondInvalidField, Offset: 13, Field: "attach.snd-settle-mode", Expected: "0, 1 or 2", Found: "another value"},
		},
		{
			"target of another type", "00 53 12 c0 0c 07 a1 01 6c 43 41 40 40 40 00 53 24 45",
			wire.DecodeError{Condition: wire.CondInvalidField, Offset: 14, Field: "attach.target", Expected: "a target or a coordinator", Found: "descriptor 0x24"},
		},
		{
			"source of another type", "00 53 12 c0 0b 06 a1 01 6c 43 41 40 40 00 53 29 45",
			wire.DecodeError{Condition: wire.CondDecodeError, Offset: 13, Field: "source", Expected: "descriptor 0x28", Found: "0x29"},
		},
		{
			"state that is not described", "00 53 15 c0 06 05 42 43 40 40 41",
			wire.DecodeError{Condition: wire.CondDecodeError, Offset: 10, Field: "disposition", Expected: "a described value", Found: "format code 0x41"},
		},
		{
			"delivery tag of 33 bytes", "00 53 14 c0 26 03 43 43 a0 21" + string(bytes.Repeat([]byte("00"), 33)),
			wire.DecodeError{Condition: wire.CondInvalidField, Offset: 43, Field: "transfer.delivery-tag", Expected: "at most 32 bytes", Found: "another value"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, err := wire.DecodePerformative(unhex(t, c.bytes))
			var de *wire.DecodeError
			if !errors.As(err, &de) {
				t.Fatalf("got error %v, want a DecodeError", err)
			}
			if diff := cmp.Diff(c.want, *de); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if p := de.Peer(); p.Condition != c.want.Condition || p.Description != de.Error() {
				t.Errorf("peer is told %+v", p)
			}
		})
	}
}

// TestDecodePerformativeCut checks that no prefix of a performative is taken
// for a whole one.
func TestDecodePerformativeCut(t *testing.T) {
	for _, v := range performativeVectors {
		b := unhex(t, v.bytes)
		for n := range b {
			if _, _, err := wire.DecodePerformative(b[:n]); err == nil {
				t.Errorf("%s: decoded the first %d of %d bytes", v.name, n, len(b))
			}
		}
	}
}

func TestEncodePerformativeRefuses(t *testing.T) {
	bad := wire.Map{{Key: "k", Value: 1}}
	for name, p := range map[string]wire.Performative{
		"open":        &wire.Open{Properties: bad},
		"begin":       &wire.Begin{Properties: bad},
		"source":      &wire.Attach{Source: &wire.Source{Filter: bad}},
		"target":      &wire.Attach{Target: &wire.Target{DynamicNodeProperties: bad}},
		"flow":        &wire.Flow{Properties: bad},
		"transfer":    &wire.Transfer{State: &wire.Modified{MessageAnnotations: bad}},
		"disposition": &wire.Disposition{State: wire.Described{Value: 1}},
		"detach":      &wire.Detach{Error: &wire.Error{Info: bad}},
	} {
		b, err := wire.AppendFrame([]byte("before"), 0, p, nil)
		var ee *wire.EncodeError
		if !errors.As(err, &ee) || string(b) != "before" {
			t.Errorf("%s: got %q, %v, want the buffer as it was and an EncodeError", name, b, err)
		}
	}
}

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&wire.Error{Condition: "amqp:not-found"}, "amqp:not-found"},
		{&wire.Error{Condition: "amqp:not-found", Description: "no such queue"}, "amqp:not-found: no such queue"},
		{&wire.DecodeError{Offset: 3, Expected: "a list"}, "decode AMQP: at byte 3: expected a list"},
		{
			&wire.DecodeError{Offset: 3, Field: "open.hostname", Expected: "a string", Found: "format code 0x41"},
			"decode AMQP: at byte 3 in open.hostname: expected a string, found format code 0x41",
		},
		{&wire.EncodeError{Problem: "null descriptor"}, "encode AMQP: null descriptor"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestTransferCopies(t *testing.T) {
	tr := &wire.Transfer{
		Handle: 1, DeliveryID: wire.Some(uint32(2)), DeliveryTag: []byte{3}, MessageFormat: wire.Some(uint32(0)),
		Settled: true, State: wire.Accepted{}, Batchable: true,
	}
	c := tr.Clone()
	tr.DeliveryTag[0] = 9
	if c.DeliveryTag[0] != 3 {
		t.Error("the clone's tag aliases")
	}
	want := &wire.Transfer{Handle: 1, Settled: true, Batchable: true}
	if diff := cmp.Diff(want, tr.Continuation()); diff != "" {
		t.Errorf("continuation (-want +got):\n%s", diff)
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		wire.RoleSender.String(): "sender", wire.RoleReceiver.String(): "receiver",
		wire.BodyNone.String(): "none", wire.BodyData.String(): "data", wire.BodySequence.String(): "amqp-sequence",
		wire.BodyValue.String(): "amqp-value", wire.BodyMixed.String(): "mixed", wire.BodyKind(9).String() + "!": "none!",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
