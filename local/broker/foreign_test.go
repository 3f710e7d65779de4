package broker_test

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file holds what plain AMQP clients do that no client of Service Bus does, and
// that clients/proton can't be made to do.

// A client may say all that it has to say before it hears anything (part 2, section
// 2.4.1, pipelined open).
func TestPipelinedOpen(t *testing.T) {
	s := start(t, oneQueue)
	c := opened()
	c.frame(0, &wire.Attach{Name: "s", Handle: 0, Role: wire.RoleSender, Target: &wire.Target{Address: "q"}}, nil)
	c.frame(0, delivery(0, 0), text("a"))
	p := dialPeer(t, s)
	p.raw(c.closed())
	for _, want := range []wire.ProtocolID{wire.ProtocolSASL, wire.ProtocolAMQP} {
		if got, err := p.reader.ReadProtocolHeader(); err != nil || got != want {
			t.Fatalf("protocol header %v, %v", got, err)
		}
		if want == wire.ProtocolSASL {
			expect[*wire.SASLMechanisms](p)
			expect[*wire.SASLOutcome](p)
		}
	}
	expect[*wire.Open](p)
	expect[*wire.Begin](p)
	expect[*wire.Attach](p)
	expect[*wire.Flow](p)
	if d := expect[*wire.Disposition](p); d.State != (wire.Accepted{}) {
		t.Errorf("disposition %+v", d)
	}
	expect[*wire.End](p)
	expect[*wire.Close](p)
	p.ended()
	wantCounts(t, s, broker.Counts{Active: 1})
}

// Nothing of a link outlives it here, so a client that wants to go on with one is told
// of no unsettled delivery, and sends again what it has.
func TestAttemptToResume(t *testing.T) {
	s := start(t, oneQueue)
	p := openPeer(t, s)
	p.begin()
	for round := range uint32(2) {
		a := &wire.Attach{
			Name: "resumed", Handle: 0, Role: wire.RoleSender, Source: &wire.Source{}, Target: &wire.Target{Address: "q"},
			Unsettled: wire.Map{{Key: []byte{7}, Value: nil}},
		}
		p.send(0, a)
		if got := expect[*wire.Attach](p); len(got.Unsettled) != 0 || got.Target == nil {
			t.Fatalf("attach %+v", got)
		}
		expect[*wire.Flow](p)
		again := delivery(0, round)
		again.DeliveryTag, again.Resume = []byte{7}, true
		p.transfer(again, text("again"))
		if d := expect[*wire.Disposition](p); d.State != (wire.Accepted{}) || !d.Settled {
			t.Errorf("disposition %+v", d)
		}
		p.send(0, &wire.Detach{Handle: 0}) // which leaves the link to be resumed
		if d := expect[*wire.Detach](p); d.Error != nil {
			t.Errorf("detach %+v", d)
		}
	}
	wantCounts(t, s, broker.Counts{Active: 2})
}

// What is half received when its link goes is received whole by another.
func TestHalfReceived(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	body := bytes.Repeat([]byte("0123456789"), 1000)
	send(t, client, "q", string(body))
	p := openPeer(t, s)
	p.send(0, &wire.Begin{IncomingWindow: 1, OutgoingWindow: 1})
	expect[*wire.Begin](p)
	p.receiver(0)
	p.send(0, &wire.Flow{
		NextIncomingID: wire.Some[uint32](0), IncomingWindow: 1, OutgoingWindow: 1,
		Handle: wire.Some[uint32](0), DeliveryCount: wire.Some[uint32](0), LinkCredit: wire.Some[uint32](1),
	})
	first := expect[*wire.Transfer](p)
	p.send(0, &wire.Disposition{Role: wire.RoleReceiver, First: first.DeliveryID.Value, Settled: true, State: wire.Released{}})
	p.send(0, &wire.Detach{Handle: 0, Closed: true})
	for {
		if _, ok := p.next().Body.(*wire.Detach); ok {
			break
		}
	}
	if got := receiveOne(t, receiver(t, client, nil)); !bytes.Equal(got.Body, body) {
		t.Errorf("%d bytes came whole", len(got.Body))
	}
}

// A filter that is not in place is not in the answer either, so that a client that
// asked for one knows that it has to look for itself.
func TestOnlyFiltersInPlaceAreAnswered(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q"}, {Name: "sessions", RequiresSession: true}}})
	p := openPeer(t, s)
	p.begin()
	selector := wire.Pair{Key: wire.Symbol("selector"), Value: wire.Described{Descriptor: wire.Symbol("apache.org:selector-filter:string"), Value: "a = 1"}}
	session := wire.Pair{Key: wire.Symbol("com.microsoft:session-filter"), Value: "mine"}
	for handle, tt := range []struct {
		address    string
		ask, given wire.Map
	}{
		{"q", wire.Map{selector}, nil},
		{"sessions", wire.Map{selector, session}, wire.Map{session}},
	} {
		p.send(0, &wire.Attach{
			Name: tt.address, Handle: uint32(handle), Role: wire.RoleReceiver, Source: &wire.Source{Address: tt.address, Filter: tt.ask}, Target: &wire.Target{},
		})
		if a := expect[*wire.Attach](p); a.Source == nil || !cmp.Equal(a.Source.Filter, tt.given, cmpopts.EquateEmpty()) {
			t.Errorf("%s: source %+v, want the filters %v", tt.address, a.Source, tt.given)
		}
	}
}

// An attach that waits for a session may be followed by other frames of its link. Nothing
// is said of the link before the attach is answered.
func TestFramesBehindAnAttachThatWaits(t *testing.T) {
	for name, tt := range map[string]struct {
		frame   wire.Performative
		refused bool
	}{
		"flow that asks for an answer": {frame: &wire.Flow{
			NextIncomingID: wire.Some[uint32](0), IncomingWindow: 10, OutgoingWindow: 10, Handle: wire.Some[uint32](0), LinkCredit: wire.Some[uint32](1), Echo: true,
		}},
		"transfer": {frame: delivery(0, 0), refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, broker.Options{Queues: []broker.Queue{{Name: "sessions", RequiresSession: true}}})
			p := openPeer(t, s)
			p.begin()
			next := wire.Map{{Key: wire.Symbol("com.microsoft:session-filter"), Value: nil}}
			p.send(0, &wire.Attach{Name: "next", Role: wire.RoleReceiver, Source: &wire.Source{Address: "sessions", Filter: next}, Target: &wire.Target{}})
			p.send(0, tt.frame)
			p.send(0, &wire.Flow{NextIncomingID: wire.Some[uint32](0), IncomingWindow: 10, OutgoingWindow: 10, Echo: true})
			if tt.refused {
				if a := expect[*wire.Attach](p); a.Source != nil {
					t.Errorf("attach %+v", a)
				}
				if d := expect[*wire.Detach](p); d.Error == nil {
					t.Errorf("detach %+v", d)
				}
			}
			if f := expect[*wire.Flow](p); f.Handle.Set {
				t.Errorf("flow of a link that is not attached: %+v", f)
			}
		})
	}
}

// What a receiver settles and says no more of has the outcome that its source has for
// that. Where there is none, the message stays locked.
func TestSettledWithoutAnOutcome(t *testing.T) {
	for name, tt := range map[string]struct {
		otherwise wire.DeliveryState
		want      broker.Counts
	}{
		"none":     {nil, broker.Counts{Locked: 2}},
		"accepted": {wire.Accepted{}, broker.Counts{}},
		"released": {wire.Released{}, broker.Counts{Active: 2}},
		"rejected": {&wire.Rejected{}, broker.Counts{DeadLettered: 2}},
		"modified": {&wire.Modified{DeliveryFailed: true}, broker.Counts{Active: 2}},
		"received": {&wire.Received{}, broker.Counts{Locked: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, oneQueue)
			p := openPeer(t, s)
			p.begin()
			fill(p, 2)
			p.send(0, &wire.Attach{Name: "r", Role: wire.RoleReceiver, Source: &wire.Source{Address: "q", DefaultOutcome: tt.otherwise}, Target: &wire.Target{}})
			expect[*wire.Attach](p)
			p.credit(0, 0, 2, false)
			for _, state := range []wire.DeliveryState{nil, &wire.Received{}} {
				tr := expect[*wire.Transfer](p)
				p.send(0, &wire.Disposition{Role: wire.RoleReceiver, First: tr.DeliveryID.Value, Settled: true, State: state})
			}
			p.send(0, &wire.Flow{NextIncomingID: wire.Some[uint32](2), IncomingWindow: 10, OutgoingWindow: 10, Echo: true})
			expect[*wire.Flow](p) // and so, what was said before has been heard
			wantCounts(t, s, tt.want)
		})
	}
}

// A client that wants to look at messages where they are, as a browser of JMS does, is
// told that it can't, and takes none.
func TestBrowsingIsRefused(t *testing.T) {
	p := openPeer(t, start(t, oneQueue))
	p.begin()
	for handle, mode := range []wire.Symbol{"copy", "move", ""} {
		p.send(0, &wire.Attach{
			Name: "browser", Handle: uint32(handle), Role: wire.RoleReceiver, Source: &wire.Source{Address: "q", DistributionMode: mode}, Target: &wire.Target{},
		})
		a := expect[*wire.Attach](p)
		if mode != "copy" {
			if a.Source == nil || a.Source.DistributionMode != mode {
				t.Errorf("%q: attach %+v", mode, a)
			}
			continue
		}
		if d := expect[*wire.Detach](p); a.Source != nil || d.Error == nil || d.Error.Condition != wire.CondNotAllowed {
			t.Errorf("attach %+v, detach %+v", a, d)
		}
	}
}

// Replies come settled, and a receiver that asks for no mode is told so.
func TestModeOfReplies(t *testing.T) {
	p := openPeer(t, start(t, oneQueue))
	p.begin()
	for handle, tt := range []struct {
		asked, want wire.Optional[wire.SenderSettleMode]
	}{
		{wire.Optional[wire.SenderSettleMode]{}, wire.Some(wire.SenderSettled)},
		{wire.Some(wire.SenderSettled), wire.Some(wire.SenderSettled)},
		{wire.Some(wire.SenderMixed), wire.Some(wire.SenderMixed)},
	} {
		p.send(0, &wire.Attach{
			Name: "replies", Handle: uint32(handle), Role: wire.RoleReceiver, SndSettleMode: tt.asked, Source: &wire.Source{Address: "q/$management"}, Target: &wire.Target{},
		})
		if a := expect[*wire.Attach](p); a.SndSettleMode != tt.want {
			t.Errorf("asked for %+v: attach %+v", tt.asked, a)
		}
	}
}

// A client may leave its name and key for when it is asked for them.
func TestPlainWithoutAnInitialResponse(t *testing.T) {
	s := start(t, oneQueue)
	for response, want := range map[string]wire.SASLCode{
		"\x00RootManageSharedAccessKey\x00SAS_KEY_VALUE": wire.SASLOK,
		"\x00RootManageSharedAccessKey\x00wrong":         wire.SASLAuth,
		"":                                               wire.SASLAuth,
	} {
		p := dialPeer(t, s)
		p.header(wire.ProtocolSASL)
		expect[*wire.SASLMechanisms](p)
		p.send(0, &wire.SASLInit{Mechanism: "PLAIN"})
		if c := expect[*wire.SASLChallenge](p); len(c.Challenge) != 0 {
			t.Errorf("challenge %q", c.Challenge)
		}
		p.send(0, &wire.SASLResponse{Response: []byte(response)})
		if out := expect[*wire.SASLOutcome](p); out.Code != want {
			t.Errorf("%q: outcome %d, want %d", response, out.Code, want)
		}
	}
}
