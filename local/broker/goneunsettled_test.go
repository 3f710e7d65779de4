package broker_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// A settlement that crosses a detach has no effect: its sender hears nothing of it, and
// settles by token.
func TestSettlementsOfALinkThatIsGone(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	send(t, client, "q", "a")
	p := openPeer(t, s)
	p.begin()
	p.receiver(0)
	p.credit(0, 0, 1, false)
	tr := expect[*wire.Transfer](p)
	token := azservicebus.ReceivedMessage{}
	for i, from := range []int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15} { // as a .NET Guid has them
		token.LockToken[i] = tr.DeliveryTag[from]
	}
	if err := s.UpdateQueue(broker.Queue{Name: "q", MaxDeliveryCount: 3}); err != nil {
		t.Fatal(err)
	}
	expect[*wire.Detach](p)
	for _, settled := range []bool{false, true} {
		p.send(0, &wire.Disposition{Role: wire.RoleReceiver, First: tr.DeliveryID.Value, Settled: settled, State: wire.Accepted{}})
	}
	p.send(0, &wire.Flow{IncomingWindow: 1000, OutgoingWindow: 1000, Echo: true})
	expect[*wire.Flow](p) // and no disposition
	wantCounts(t, s, broker.Counts{Locked: 1})
	if err := receiver(t, client, nil).CompleteMessage(deadline(t), &token, nil); err != nil {
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
