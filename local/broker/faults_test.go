package broker_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

func TestForeignProtocols(t *testing.T) {
	s := start(t, oneQueue)
	for name, first := range map[string]string{
		"garbage":      "GET / HTTP/1.1\r\n\r\n",
		"AMQP 0-9-1":   "AMQP\x00\x00\x09\x01",
		"TLS in AMQP":  "AMQP\x02\x01\x00\x00",
		"version 1.1":  "AMQP\x00\x01\x01\x00",
		"unknown id":   "AMQP\x07\x01\x00\x00",
		"SASL garbage": "AMQP\x03\x01\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff",
	} {
		t.Run(name, func(t *testing.T) {
			p := dialPeer(t, s)
			p.raw([]byte(first))
			answer, err := io.ReadAll(p.conn)
			// What was not read makes the transport reset the connection.
			if err != nil && !strings.Contains(err.Error(), "reset") {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(answer, []byte("AMQP")) || len(answer)%8 != 0 && name != "SASL garbage" {
				t.Errorf("answer = %q, want a protocol header", answer)
			}
		})
	}
}

func TestBrokenFrames(t *testing.T) {
	s := start(t, oneQueue)
	tests := []struct {
		name, frame string // in hex
		want        wire.Symbol
	}{
		{"size below 8", "00000007 02000000", wire.CondFramingError},
		{"size beyond the limit", "7fffffff 02000000", wire.CondFramingError},
		{"data offset below 2", "00000008 01000000", wire.CondFramingError},
		{"data offset beyond the frame", "00000008 09000000", wire.CondFramingError},
		{"unknown frame type", "00000008 02070000", wire.CondFramingError},
		{"garbage body", "0000000c 02000000 ffffffff", wire.CondDecodeError},
		{"unknown performative", "0000000c 02000000 0053ff45", wire.CondDecodeError},
		{"begin without fields", "0000000c 02000000 00531145", wire.CondInvalidField},
		{"SASL frame", "00000010 02010000 005344c003015000", wire.CondNotAllowed},
		{"second open", "00000011 02000000 005310c00401a10161", wire.CondNotAllowed},
		{"frame for no session", "00000010 02000009 005316c003015200", wire.CondNotAllowed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := openPeer(t, s)
			p.begin()
			frame, err := hex.DecodeString(strings.ReplaceAll(tt.frame, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			p.raw(frame)
			c := expect[*wire.Close](p)
			if c.Error == nil || c.Error.Condition != tt.want {
				t.Errorf("close = %v, want %s", c.Error, tt.want)
			}
			p.send(0, &wire.Close{})
			p.ended()
		})
	}
}

// A client may end a session that it gave up before its begin was sent.
func TestAnEndWithoutABeginIsPassedOver(t *testing.T) {
	p := openPeer(t, start(t, oneQueue))
	p.send(9, &wire.End{})
	p.begin()
}

func TestChannelsAreChecked(t *testing.T) {
	s := start(t, oneQueue)
	for _, tt := range []struct {
		name    string
		channel uint16
		want    wire.Symbol
	}{
		{"in use", 0, wire.CondNotAllowed},
		{"beyond channel-max", 5000, wire.CondFramingError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := openPeer(t, s)
			p.begin()
			p.send(tt.channel, &wire.Begin{})
			if c := expect[*wire.Close](p); c.Error == nil || c.Error.Condition != tt.want {
				t.Errorf("close = %v, want %s", c.Error, tt.want)
			}
		})
	}
}

func TestOpenIsChecked(t *testing.T) {
	s := start(t, oneQueue)
	for name, open := range map[string]wire.Performative{
		"no open":           &wire.Begin{},
		"tiny frames":       &wire.Open{ContainerID: "p", MaxFrameSize: wire.Some[uint32](511)},
		"tiny idle timeout": &wire.Open{ContainerID: "p", IdleTimeout: wire.Some[uint32](99)},
	} {
		t.Run(name, func(t *testing.T) {
			p := dialPeer(t, s)
			p.header(wire.ProtocolAMQP)
			p.send(0, open)
			expect[*wire.Open](p)
			if c := expect[*wire.Close](p); c.Error == nil {
				t.Error("close without an error")
			}
			p.ended()
		})
	}
}

func TestAttachRefusals(t *testing.T) {
	s := start(t, oneQueue)
	to := func(address string) *wire.Attach {
		return &wire.Attach{Name: "l", Role: wire.RoleSender, Target: &wire.Target{Address: address}}
	}
	from := func(address string) *wire.Attach {
		return &wire.Attach{Name: "l", Role: wire.RoleReceiver, Source: &wire.Source{Address: address}}
	}
	session := from("q")
	session.Source.Filter = wire.Map{{
		Key:   wire.Symbol("com.microsoft:session-filter"),
		Value: wire.Described{Descriptor: uint64(0x0000013_7000000C), Value: "s"},
	}}
	tests := []struct {
		name   string
		open   func(*testing.T, *broker.Server) *peer
		attach *wire.Attach
		want   wire.Symbol
	}{
		{"send without a token", openAnonymous, to("q"), wire.CondUnauthorizedAccess},
		{"receive without a token", openAnonymous, from("q/$DeadLetterQueue"), wire.CondUnauthorizedAccess},
		{"manage without a token", openAnonymous, to("q/$management"), wire.CondUnauthorizedAccess},
		{"unknown without a token", openAnonymous, to("nothing"), wire.CondUnauthorizedAccess},
		{"unknown queue to send to", openPeer, to("nothing"), wire.CondNotFound},
		{"unknown queue to receive from", openPeer, from("nothing/$deadletterqueue"), wire.CondNotFound},
		{"unknown queue to manage", openPeer, from("nothing/$management"), wire.CondNotFound},
		{"send to dead letters", openPeer, to("q/$deadletterqueue"), wire.CondNotAllowed},
		{"transaction", openPeer, &wire.Attach{Name: "l", Role: wire.RoleSender, Coordinator: &wire.Coordinator{}}, wire.CondNotAllowed},
		{"session", openPeer, session, wire.CondNotAllowed},
		{"dynamic target", openPeer, &wire.Attach{Name: "l", Role: wire.RoleSender, Target: &wire.Target{Dynamic: true}}, wire.CondNotAllowed},
		{"dynamic source", openPeer, &wire.Attach{Name: "l", Role: wire.RoleReceiver, Source: &wire.Source{Dynamic: true}}, wire.CondNotAllowed},
		{"long source", openPeer, from(strings.Repeat("x", 1025)), wire.CondInvalidField},
		{"long target", openPeer, to(strings.Repeat("x", 1025)), wire.CondInvalidField},
		{"long address for replies", openPeer, &wire.Attach{
			Name: "l", Role: wire.RoleReceiver, Source: &wire.Source{Address: "q"}, Target: &wire.Target{Address: strings.Repeat("x", 1025)},
		}, wire.CondInvalidField},
		{"no target", openPeer, &wire.Attach{Name: "l", Role: wire.RoleSender}, wire.CondInvalidField},
		{"no source", openPeer, &wire.Attach{Name: "l", Role: wire.RoleReceiver}, wire.CondInvalidField},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.open(t, s)
			p.begin()
			p.send(0, tt.attach)
			a := expect[*wire.Attach](p)
			if tt.attach.Role == wire.RoleSender && a.Target != nil || tt.attach.Role == wire.RoleReceiver && a.Source != nil {
				t.Errorf("attach = %+v, want it without the terminus that was refused", a)
			}
			d := expect[*wire.Detach](p)
			if !d.Closed || d.Error == nil || d.Error.Condition != tt.want {
				t.Errorf("detach = %+v %v, want %s", d, d.Error, tt.want)
			}
			// The session is in order, and the handle free again afterwards.
			p.send(0, &wire.Detach{Handle: 0, Closed: true})
			p.send(0, to("$cbs"))
			if a := expect[*wire.Attach](p); a.Target == nil {
				t.Errorf("attach to $cbs = %+v", a)
			}
		})
	}
}

func TestSessionFaults(t *testing.T) {
	s := start(t, oneQueue)
	handle := wire.Some[uint32](7)
	tests := []struct {
		name  string
		frame wire.Performative
		want  wire.Symbol
	}{
		{"handle in use", &wire.Attach{Name: "x", Handle: 0, Target: &wire.Target{Address: "q"}}, wire.CondHandleInUse},
		{"name too long", &wire.Attach{Name: strings.Repeat("x", 1025), Handle: 1, Target: &wire.Target{Address: "q"}}, wire.CondNotAllowed},
		{"handle too high", &wire.Attach{Name: "x", Handle: 1 << 20, Target: &wire.Target{Address: "q"}}, wire.CondNotAllowed},
		{"transfer on no link", delivery(7, 0), wire.CondUnattachedHandle},
		{"flow on no link", &wire.Flow{Handle: handle}, wire.CondUnattachedHandle},
		{"detach of no link", &wire.Detach{Handle: 7}, wire.CondUnattachedHandle},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := openPeer(t, s)
			p.begin()
			p.sender(0)
			p.send(0, tt.frame)
			if e := expect[*wire.End](p); e.Error == nil || e.Error.Condition != tt.want {
				t.Errorf("end = %v, want %s", e.Error, tt.want)
			}
			p.send(0, &wire.Detach{Handle: 7}) // late frames are passed over
			p.send(0, &wire.End{})
			p.begin() // the channel is free again
		})
	}
}

func TestTransferToAReceivingLink(t *testing.T) {
	p := openPeer(t, start(t, oneQueue))
	p.begin()
	p.receiver(0)
	p.transfer(delivery(0, 0), text("x"))
	if d := expect[*wire.Detach](p); d.Error == nil || d.Error.Condition != wire.CondNotAllowed {
		t.Errorf("detach = %v, want amqp:not-allowed", d.Error)
	}
	p.transfer(delivery(0, 1), text("x")) // passed over, as the link is gone
	p.send(0, &wire.Flow{Handle: wire.Some[uint32](0), Echo: true})
	p.send(0, &wire.Detach{Handle: 0, Closed: true})
	p.sender(0)
}

func TestTransferFaults(t *testing.T) {
	s := start(t, broker.Options{Queues: oneQueue.Queues, MaxMessageSize: 1000})
	large := text(strings.Repeat("x", 600))
	more := delivery(0, 0)
	more.More = true
	transactional := delivery(0, 0)
	transactional.State, transactional.Settled = wire.Described{Descriptor: uint64(0x34), Value: wire.List{[]byte("txn")}}, true
	unknownFormat := delivery(0, 0)
	unknownFormat.MessageFormat, unknownFormat.Settled = wire.Some[uint32](77), true
	tests := []struct {
		name      string
		transfers []*wire.Transfer
		payload   []byte
		want      wire.Symbol
	}{
		{"no delivery id", []*wire.Transfer{{DeliveryTag: []byte{0}}}, text("x"), wire.CondInvalidField},
		{"no delivery tag", []*wire.Transfer{{DeliveryID: wire.Some[uint32](0)}}, text("x"), wire.CondInvalidField},
		{"another delivery in between", []*wire.Transfer{more, delivery(0, 1)}, text("x"), wire.CondNotAllowed},
		{"too large", []*wire.Transfer{more, {More: true}}, large, wire.CondMessageSizeExceeded},
		{"in a transaction", []*wire.Transfer{transactional}, text("x"), wire.CondNotAllowed},
		{"settled but refused", []*wire.Transfer{unknownFormat}, text("x"), wire.CondNotAllowed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := openPeer(t, s)
			p.begin()
			p.sender(0)
			for _, tr := range tt.transfers {
				p.transfer(tr, tt.payload)
			}
			if tt.want == wire.CondMessageSizeExceeded {
				expect[*wire.Disposition](p)
			}
			if d := expect[*wire.Detach](p); d.Error == nil || d.Error.Condition != tt.want {
				t.Errorf("detach = %v, want %s", d.Error, tt.want)
			}
		})
	}
	wantCounts(t, s, broker.Counts{})
}

// TestMessagesThatAreNone sends what can't be delivered to anybody later. It
// must be refused now, whole batches included.
func TestMessagesThatAreNone(t *testing.T) {
	const batch = wire.MessageFormatBatch
	section := func(descriptor byte, body string) []byte { return append([]byte{0, 0x53, descriptor}, body...) }
	tests := []struct {
		name    string
		format  uint32
		payload []byte
		want    wire.Symbol
	}{
		{"garbage", 0, []byte("garbage"), wire.CondDecodeError},
		{"garbage batch", batch, []byte("garbage"), wire.CondDecodeError},
		{"batch of values", batch, section(0x77, "\x40"), wire.CondDecodeError},
		{"good and bad item", batch, wire.AppendData(wire.AppendData(nil, text("x")), []byte("garbage")), wire.CondDecodeError},
		{"broken header", 0, section(0x70, "\xc0\x03\x01\xa1\x00"), wire.CondDecodeError},
		{"broken annotations", 0, section(0x72, "\xc1\x03\x01\xa1\x00"), wire.CondDecodeError},
		{"broken properties", 0, section(0x73, "\xc0\x02\x01\x41"), wire.CondDecodeError},
		{"broken application properties", 0, section(0x74, "\xc1\x03\x01\xa1\x00"), wire.CondDecodeError},
		{"value that is no value", 0, section(0x77, "\xd0\x00\x00\x00\x05\x00\x00\x00\x01\x39"), wire.CondDecodeError},
		{"sequence that ends early", 0, section(0x76, "\xc0\x02\x01\xa1"), wire.CondDecodeError},
		{"footer with a number as key", 0, append(text("x"), section(0x78, "\xc1\x04\x02\x54\x01\x40")...), wire.CondDecodeError},
		{"broken item of a batch", batch, wire.AppendData(nil, section(0x77, "\xc0\x02\x01\xa1")), wire.CondDecodeError},
		{"message id too long", 0, mustEncode(t, wire.Properties{MessageID: strings.Repeat("é", 129)}), wire.CondNotAllowed},
		{"message id of bytes too long", 0, mustEncode(t, wire.Properties{MessageID: make([]byte, 129)}), wire.CondNotAllowed},
		{"session id too long", 0, mustEncode(t, wire.Properties{GroupID: wire.Some(strings.Repeat("x", 129))}), wire.CondNotAllowed},
		{"partition key too long", 0, section(0x72, "\xd1\x00\x00\x00\xa8\x00\x00\x00\x02\xa3\x13x-opt-partition-key\xa1\x8d"+strings.Repeat("x", 141)), wire.CondNotAllowed},
		{"partition key that is a symbol", 0, section(0x72, "\xc1\x1b\x02\xa3\x13x-opt-partition-key\xa3\x03key"), wire.CondInvalidField},
		{"source of a dead letter that is a number", 0, section(0x72, "\xc1\x1c\x02\xa3\x17x-opt-deadletter-source\x54\x01"), wire.CondInvalidField},
		{"unknown format", 5, text("x"), wire.CondNotAllowed},
	}
	longest := mustEncode(t, wire.Properties{MessageID: strings.Repeat("é", 128), GroupID: wire.Some(strings.Repeat("s", 128))})
	s := start(t, oneQueue)
	p := openPeer(t, s)
	p.begin()
	p.sender(0)
	p.transfer(delivery(0, 99), longest)
	if d := expect[*wire.Disposition](p); d.State != (wire.Accepted{}) {
		t.Errorf("ids of 128 characters: %+v", d.State)
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := delivery(0, uint32(i))
			tr.MessageFormat = wire.Some(tt.format)
			p.transfer(tr, tt.payload)
			d := expect[*wire.Disposition](p)
			r, ok := d.State.(*wire.Rejected)
			if !ok || r.Error.Condition != tt.want || !d.Settled {
				t.Errorf("disposition = %+v, want rejected with %s", d, tt.want)
			}
		})
	}
	wantCounts(t, s, broker.Counts{Active: 1})
}

// A message may have large properties, but not without end.
func TestPropertiesAreBounded(t *testing.T) {
	sender, err := connect(t, start(t, oneQueue)).NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int]string{60 << 10: "", 64 << 10: "The header and the properties of the message have"} {
		err := sender.SendMessage(deadline(t), &azservicebus.Message{ApplicationProperties: map[string]any{"n": strings.Repeat("x", size)}}, nil)
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// mustEncode makes a message of properties and a body.
func mustEncode(t *testing.T, p wire.Properties) []byte {
	t.Helper()
	b, err := p.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, text("x")...)
}
