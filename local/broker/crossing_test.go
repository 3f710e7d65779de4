package broker_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// lockToken is the token in a delivery tag, whose bytes are those of a .NET Guid.
func lockToken(tag []byte) *azservicebus.ReceivedMessage {
	m := &azservicebus.ReceivedMessage{}
	for i, from := range []int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15} {
		m.LockToken[i] = tag[from]
	}
	return m
}

// A settlement that crosses a detach is carried out. Its sender may be told so, or have
// let go of the link and ask again by token.
func TestSettlementsThatCrossADetach(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	r := receiver(t, client, nil)
	token := func(settle func(m *azservicebus.ReceivedMessage) error) func([]byte) error {
		return func(tag []byte) error { return settle(lockToken(tag)) }
	}
	complete := token(func(m *azservicebus.ReceivedMessage) error { return r.CompleteMessage(deadline(t), m, nil) })
	abandon := token(func(m *azservicebus.ReceivedMessage) error { return r.AbandonMessage(deadline(t), m, nil) })
	for i, tt := range []struct {
		sends         bool // there is none yet that can be received
		state         wire.DeliveryState
		repeat, other func(tag []byte) error
		want          broker.Counts
	}{
		{true, wire.Accepted{}, complete, abandon, broker.Counts{}},
		{true, &wire.Modified{}, abandon, complete, broker.Counts{Active: 1}},
		{false, &wire.Modified{UndeliverableHere: true}, token(func(m *azservicebus.ReceivedMessage) error { return r.DeferMessage(deadline(t), m, nil) }),
			complete, broker.Counts{Deferred: 1}},
		{true, &wire.Rejected{}, token(func(m *azservicebus.ReceivedMessage) error { return r.DeadLetterMessage(deadline(t), m, nil) }),
			complete, broker.Counts{Deferred: 1, DeadLettered: 1}},
	} {
		p := openPeer(t, s)
		p.begin()
		p.receiver(0)
		if tt.sends {
			send(t, client, "q", "a")
		}
		p.credit(0, 0, 1, false)
		tr := expect[*wire.Transfer](p)
		tag := bytes.Clone(tr.DeliveryTag)
		if err := s.UpdateQueue(broker.Queue{Name: "q", MaxDeliveryCount: 100 + i}); err != nil {
			t.Fatal(err)
		}
		expect[*wire.Detach](p)
		p.send(0, &wire.Disposition{Role: wire.RoleReceiver, First: tr.DeliveryID.Value, State: tt.state})
		if d := expect[*wire.Disposition](p); !d.Settled || reflect.TypeOf(d.State) != reflect.TypeOf(tt.state) {
			t.Errorf("%T: disposition %+v", tt.state, d)
		}
		wantCounts(t, s, tt.want)
		wantCode(t, tt.other(tag), azservicebus.CodeLockLost)
		if err := tt.repeat(tag); err != nil {
			t.Errorf("%T: again by token: %v", tt.state, err)
		}
		wantCode(t, tt.repeat(tag), azservicebus.CodeLockLost)
		wantCounts(t, s, tt.want)
	}
}

// When both sides have detached a link, what it had can be settled by token only.
func TestSettlementsOfALinkThatIsGone(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	send(t, client, "q", "a")
	p := openPeer(t, s)
	p.begin()
	p.receiver(0)
	p.credit(0, 0, 1, false)
	tr := expect[*wire.Transfer](p)
	token := lockToken(tr.DeliveryTag)
	p.send(0, &wire.Detach{Handle: 0, Closed: true})
	expect[*wire.Detach](p)
	for _, settled := range []bool{false, true} {
		p.send(0, &wire.Disposition{Role: wire.RoleReceiver, First: tr.DeliveryID.Value, Settled: settled, State: wire.Accepted{}})
	}
	p.send(0, &wire.Flow{IncomingWindow: 1000, OutgoingWindow: 1000, Echo: true})
	expect[*wire.Flow](p) // and no disposition
	wantCounts(t, s, broker.Counts{Locked: 1})
	if err := receiver(t, client, nil).CompleteMessage(deadline(t), token, nil); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, broker.Counts{})
}

// What links that are gone have left unsettled is no burden for those that follow in
// the session.
func TestLinksComeAndGoWithoutSettling(t *testing.T) {
	const times, each = 5, 4000 // more than a session may have unsettled
	s := start(t, oneQueue)
	p := openPeer(t, s)
	p.send(0, &wire.Begin{IncomingWindow: 1 << 20, OutgoingWindow: 1000})
	expect[*wire.Begin](p)
	sendBatched(t, connect(t, s), "q", times*each, 1)
	for i := range times {
		p.receiver(0)
		p.send(0, &wire.Flow{
			NextIncomingID: wire.Some(uint32(i * each)), IncomingWindow: 1 << 20, OutgoingWindow: 1000,
			Handle: wire.Some[uint32](0), DeliveryCount: wire.Some[uint32](0), LinkCredit: wire.Some[uint32](each),
		})
		for range each {
			expect[*wire.Transfer](p)
		}
		p.send(0, &wire.Detach{Handle: 0, Closed: true})
		expect[*wire.Detach](p)
	}
}
