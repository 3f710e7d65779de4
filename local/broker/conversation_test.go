package broker_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// conversation makes frames of bytes, a few for each: what it says is well-formed
// mostly, so that it comes further than random bytes, and hostile in what it means.
// Everything is drawn from few values, for frames to have to do with each other.
type conversation struct {
	script
	in       []byte
	delivery uint32
}

// byte takes a byte, 0 at the end.
func (c *conversation) byte() byte {
	if len(c.in) == 0 {
		return 0
	}
	b := c.in[0]
	c.in = c.in[1:]
	return b
}

// pick takes one of some values.
func pick[T any](c *conversation, values ...T) T { return values[int(c.byte())%len(values)] }

func (c *conversation) flag() bool { return c.byte()&1 == 1 }

// rest takes some of the bytes that are left as they are.
func (c *conversation) rest() []byte {
	n := min(int(c.byte()), len(c.in))
	b := c.in[:n]
	c.in = c.in[n:]
	return b
}

func (c *conversation) channel() uint16 { return pick[uint16](c, 0, 0, 0, 0, 0, 0, 1, 2, 4999) }
func (c *conversation) handle() uint32  { return pick[uint32](c, 0, 1, 2, 3, 4, 5, 6, 4095) }

func (c *conversation) address() string {
	return pick(c, "q", "sessions", "t", "t/Subscriptions/s", "on", "q/$DeadLetterQueue", "sessions/$DeadLetterQueue",
		"q/$management", "sessions/$management", "t/Subscriptions/s/$management", "t/$management", "$cbs", "nothing", "", "q/$Transfer/$DeadLetterQueue", "sessions/$Transfer/$DeadLetterQueue/$management")
}

func (c *conversation) number() uint32 {
	return pick[uint32](c, 0, 1, 2, 3, 5, 10, 100, 5000, 1<<31-1, 1<<31, 1<<32-1)
}

func (c *conversation) sequence() int64 { return pick[int64](c, 0, 1, 2, 3, 4, 5, 1<<62, -1) }

func (c *conversation) text() string {
	return pick(c, "", "a", "b", "s", "r", "me", "sys.Label", "n > 0")
}

// value is any value, of any type now and then.
func (c *conversation) value() any {
	if c.byte()%4 == 0 {
		if v, _, err := wire.DecodeValue(c.rest()); err == nil {
			return v
		}
	}
	return pick[any](c, nil, true, int32(1), int64(2), c.text(), wire.Symbol("s"), []byte("b"), wire.UUID{1}, wire.Timestamp(c.sequence()),
		wire.List{nil}, wire.Map{{Key: "a", Value: "b"}}, wire.ArrayOf(c.sequence()))
}

// talk makes frames until the bytes are used up.
func (c *conversation) talk() {
	speak := []func(){
		c.begin, c.end, c.attachSender, c.attachReceiver, c.detach, c.flow, c.flow, c.transfer, c.transfer, c.transfer, c.dispose, c.dispose,
		c.request, c.request, c.request, c.noise,
	}
	for said := 0; len(c.in) > 0 && said < 300; said++ {
		speak[int(c.byte())%len(speak)]()
	}
}

func (c *conversation) begin() {
	c.frame(c.channel(), &wire.Begin{NextOutgoingID: c.number(), IncomingWindow: c.number(), OutgoingWindow: c.number()}, nil)
}

func (c *conversation) end() {
	e := &wire.End{}
	if c.flag() {
		e.Error = &wire.Error{Condition: wire.CondInternalError, Description: c.text()}
	}
	c.frame(c.channel(), e, nil)
}

func (c *conversation) attachSender() {
	c.frame(c.channel(), &wire.Attach{
		Name: c.text(), Handle: c.handle(), Role: wire.RoleSender, SndSettleMode: pick(c, wire.Optional[wire.SenderSettleMode]{}, wire.Some(wire.SenderSettled)),
		Source: &wire.Source{}, Target: &wire.Target{Address: c.address()}, InitialDeliveryCount: wire.Some(c.number()),
	}, nil)
}

func (c *conversation) attachReceiver() {
	a := &wire.Attach{
		Name: c.text(), Handle: c.handle(), Role: wire.RoleReceiver,
		SndSettleMode: pick(c, wire.Optional[wire.SenderSettleMode]{}, wire.Some(wire.SenderSettled), wire.Some(wire.SenderUnsettled)),
		RcvSettleMode: pick(c, wire.Some(wire.ReceiverSecond), wire.Some(wire.ReceiverFirst)),
		Source:        &wire.Source{Address: c.address()}, Target: &wire.Target{Address: c.text()},
	}
	switch c.byte() % 4 {
	case 1:
		a.Source.Filter = wire.Map{{Key: wire.Symbol("com.microsoft:session-filter"), Value: pick[any](c, nil, "a", "b", "")}}
		a.Properties = wire.Map{{Key: wire.Symbol("com.microsoft:timeout"), Value: c.number()}}
	case 2:
		a.Source.Filter = wire.Map{{
			Key: wire.Symbol("com.microsoft:session-filter"), Value: wire.Described{Descriptor: uint64(0x000001370000000C), Value: c.value()},
		}}
	}
	c.frame(c.channel(), a, nil)
}

func (c *conversation) detach() {
	c.frame(c.channel(), &wire.Detach{Handle: c.handle(), Closed: c.flag()}, nil)
}

func (c *conversation) flow() {
	f := &wire.Flow{
		NextIncomingID: pick(c, wire.Some[uint32](0), wire.Some(c.number()), wire.Optional[uint32]{}), IncomingWindow: c.number(),
		NextOutgoingID: c.number(), OutgoingWindow: c.number(), Echo: c.flag(),
	}
	if c.byte()%8 != 0 {
		f.Handle = wire.Some(c.handle())
		f.DeliveryCount, f.LinkCredit, f.Drain = wire.Some(pick(c, 0, c.number())), wire.Some(c.number()), c.flag()
	}
	c.frame(c.channel(), f, nil)
}

func (c *conversation) transfer() {
	t := &wire.Transfer{Handle: c.handle(), More: c.byte()%8 == 1, Aborted: c.byte()%16 == 1, Settled: c.flag()}
	if c.byte()%8 != 1 {
		t.DeliveryID, t.DeliveryTag = wire.Some(c.delivery), []byte{1}
		t.MessageFormat = pick(c, wire.Some[uint32](0), wire.Optional[uint32]{}, wire.Some(wire.MessageFormatBatch), wire.Some[uint32](7))
		c.delivery++
	}
	payload := c.message()
	if t.MessageFormat.Value == wire.MessageFormatBatch {
		payload = wire.AppendData(wire.AppendData(nil, payload), c.message())
	}
	c.frame(c.channel(), t, payload)
}

// message is an encoded message, of random bytes now and then.
func (c *conversation) message() []byte {
	if c.byte()%8 == 1 {
		return c.rest()
	}
	header := wire.Header{TTL: pick(c, wire.Optional[uint32]{}, wire.Some(c.number()))}
	b, _ := header.AppendBinary(nil)
	var annotations wire.Map
	if c.byte()%4 == 1 {
		annotations = append(annotations, wire.Pair{Key: wire.Symbol("x-opt-scheduled-enqueue-time"), Value: wire.Timestamp(pick[int64](c, 0, 1<<40, 1<<62))})
	}
	if c.byte()%8 == 1 {
		annotations = append(annotations, wire.Pair{Key: wire.Symbol("x-opt-" + c.text()), Value: c.value()})
	}
	b, _ = wire.AppendMessageAnnotations(b, annotations)
	properties := wire.Properties{MessageID: pick[any](c, nil, "a", "b", uint64(1), []byte{}, wire.UUID{}), Subject: pick(c, wire.Optional[string]{}, wire.Some(c.text()))}
	properties.GroupID = pick(c, wire.Optional[string]{}, wire.Some("a"), wire.Some("b"), wire.Some(""))
	b, _ = properties.AppendBinary(b)
	if c.flag() {
		b, _ = wire.AppendApplicationProperties(b, wire.Map{{Key: pick(c, "n", "m", c.text()), Value: c.value()}})
	}
	switch c.byte() % 4 {
	case 0:
		b, _ = wire.AppendAMQPValue(b, c.value())
	case 1:
		b, _ = wire.AppendSequence(b, wire.List{c.value()})
	default:
		b = wire.AppendData(b, bytes.Repeat([]byte("x"), int(pick[uint16](c, 0, 1, 100, 3000))))
	}
	return b
}

func (c *conversation) dispose() {
	first := pick(c, 0, 1, 2, 3, 4, c.number())
	d := &wire.Disposition{Role: pick(c, wire.RoleReceiver, wire.RoleReceiver, wire.RoleReceiver, wire.RoleSender), First: first, Settled: c.flag()}
	d.Last = pick(c, wire.Optional[uint32]{}, wire.Some(first), wire.Some(first+1), wire.Some(c.number()))
	changes := wire.Map{{Key: wire.Symbol(c.text()), Value: c.value()}}
	d.State = pick[wire.DeliveryState](c, nil, wire.Accepted{}, wire.Released{}, &wire.Modified{MessageAnnotations: changes},
		&wire.Modified{UndeliverableHere: true, MessageAnnotations: changes}, &wire.Rejected{},
		&wire.Rejected{Error: &wire.Error{Condition: "com.microsoft:dead-letter", Info: changes}}, &wire.Received{},
		wire.Described{Descriptor: uint64(0x34), Value: wire.List{[]byte("txn")}})
	c.frame(c.channel(), d, nil)
}

// request sends a request on a link. The link need not be to a $management node.
func (c *conversation) request() {
	names := []string{
		"renew-lock", "update-disposition", "peek-message", "receive-by-sequence-number", "schedule-message", "cancel-scheduled-message",
		"batch-delete-messages", "renew-session-lock", "get-session-state", "set-session-state", "get-message-sessions", "add-rule", "remove-rule",
		"enumerate-rules",
	}
	name := "com.microsoft:" + names[int(c.byte())%len(names)]
	var body any = wire.Map{
		{Key: "lock-tokens", Value: wire.ArrayOf(wire.UUID{c.byte()})}, {Key: "from-sequence-number", Value: c.sequence()},
		{Key: "sequence-numbers", Value: wire.ArrayOf(c.sequence(), c.sequence())}, {Key: "message-count", Value: int32(c.number())},
		{Key: "receiver-settle-mode", Value: c.number()}, {Key: "disposition-status", Value: pick(c, "completed", "abandoned", "suspended", "defered", c.text())},
		{Key: "session-id", Value: pick[any](c, nil, "a", "b", c.value())}, {Key: "session-state", Value: pick[any](c, nil, []byte("x"), c.value())},
		{Key: "messages", Value: wire.List{wire.Map{{Key: "message", Value: c.message()}}}}, {Key: "enqueued-time-utc", Value: wire.Timestamp(c.sequence())},
		{Key: "skip", Value: int32(c.number())}, {Key: "top", Value: int32(c.number())}, {Key: "rule-name", Value: c.text()},
		{Key: "rule-description", Value: wire.Map{
			{Key: pick(c, "sql-filter", "correlation-filter"), Value: wire.Map{{Key: "expression", Value: c.text()}, {Key: "label", Value: c.value()}}},
		}},
		{Key: "last-updated-time", Value: pick[any](c, nil, wire.Timestamp(c.sequence()))}, {Key: "properties-to-modify", Value: wire.Map{{Key: c.text(), Value: c.value()}}},
	}
	if c.byte()%8 == 1 {
		body = c.value()
	}
	p := wire.Properties{MessageID: pick[any](c, "1", nil, uint64(2)), ReplyTo: pick(c, wire.Some("me"), wire.Some(c.text()), wire.Optional[string]{})}
	b, _ := p.AppendBinary(nil)
	b, _ = wire.AppendApplicationProperties(b, append(operation(name), wire.Pair{Key: "associated-link-name", Value: c.text()}))
	b, _ = wire.AppendAMQPValue(b, body)
	c.frame(c.channel(), &wire.Transfer{
		Handle: c.handle(), DeliveryID: wire.Some(c.delivery), DeliveryTag: []byte{1}, Settled: c.flag(),
	}, b)
	c.delivery++
}

// noise is a frame of random bytes.
func (c *conversation) noise() {
	b := c.rest()
	c.script = binary.BigEndian.AppendUint32(c.script, uint32(8+len(b)))
	c.script = append(append(c.script, 2, 0, 0, 0), b...)
}

// FuzzConversation has a peer say what is well-formed and senseless: to all kinds of
// entities, in memory and on disk, and with a clock that may leap. What the server
// says must be frames that keep to the limits which the peer has set.
func FuzzConversation(f *testing.F) {
	f.Add([]byte{0})
	for from := range byte(16) {
		seed := []byte{from & 3}
		for i := range 400 {
			seed = append(seed, byte(i)*from^byte(i>>3))
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 {
			return
		}
		c := conversation{in: data}
		how := c.byte()
		options := fuzzed
		if how&3 == 3 {
			options.Data = t.TempDir()
		}
		var leaps atomic.Int64
		if how&4 != 0 {
			options.Now = func() time.Time { return time.Unix(1_800_000_000+leaps.Add(1), 0) }
		}
		c.script = wire.AppendProtocolHeader(nil, wire.ProtocolSASL)
		c.frame(0, &wire.SASLInit{Mechanism: "PLAIN", InitialResponse: []byte("\x00RootManageSharedAccessKey\x00SAS_KEY_VALUE")}, nil)
		c.script = wire.AppendProtocolHeader(c.script, wire.ProtocolAMQP)
		const frameSize = 512
		c.frame(0, &wire.Open{ContainerID: "fuzz", MaxFrameSize: wire.Some[uint32](frameSize)}, nil)
		c.frame(0, &wire.Begin{IncomingWindow: 5000, OutgoingWindow: 5000}, nil)
		c.frame(0, &wire.Attach{Name: "s", Handle: 0, Role: wire.RoleSender, Target: &wire.Target{Address: c.address()}}, nil)
		c.frame(0, &wire.Attach{Name: "r", Handle: 1, Role: wire.RoleReceiver, Source: &wire.Source{Address: c.address()}, Target: &wire.Target{Address: "me"}}, nil)
		c.talk()
		checkSaid(t, listenTo(t, options, c.script), frameSize)
	})
}

// checkSaid reads what a server has said to a peer that takes frames of a size. It
// may end anywhere, as the peer hangs up without listening.
func checkSaid(t *testing.T, said []byte, frameSize uint32) {
	t.Helper()
	r := wire.NewReader(bytes.NewReader(said), 64<<10)
	_, err := r.ReadProtocolHeader()
	for err == nil {
		var f wire.Frame
		if f, err = r.ReadFrame(); err != nil {
			break
		}
		if outcome, ok := f.Body.(*wire.SASLOutcome); ok && outcome.Code == wire.SASLOK {
			var id wire.ProtocolID
			if id, err = r.ReadProtocolHeader(); err == nil && id != wire.ProtocolAMQP {
				t.Fatalf("protocol header %v", id)
			}
		}
		if body, ok := f.Body.(*wire.Transfer); ok {
			b, err := wire.AppendFrame(nil, f.Channel, body, f.Payload)
			if err != nil || len(b) > int(frameSize) {
				t.Fatalf("a transfer of %d bytes, %v", len(b), err)
			}
		}
	}
	var broken *wire.DecodeError
	if errors.As(err, &broken) {
		t.Fatalf("the server said what is no frame: %v", err)
	}
}
