package broker_test

import (
	"errors"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

func counts(t *testing.T, s *broker.Server, queue string) broker.Counts {
	t.Helper()
	c, err := s.Counts(queue)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func receiverOf(t *testing.T, client *azservicebus.Client, queue string, options *azservicebus.ReceiverOptions) *azservicebus.Receiver {
	t.Helper()
	r, err := client.NewReceiverForQueue(queue, options)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestForwarding(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{
		{Name: "q", ForwardTo: "Next"},
		{Name: "next", ForwardDeadLetteredMessagesTo: "dead"},
		{Name: "dead"},
	}})
	client := connect(t, s)
	send(t, client, "q", "a")
	wantCounts(t, s, broker.Counts{})
	r := receiverOf(t, client, "next", nil)
	reason := "Poison"
	if err := r.DeadLetterMessage(deadline(t), receiveOne(t, r), &azservicebus.DeadLetterOptions{Reason: &reason}); err != nil {
		t.Fatal(err)
	}
	if got := counts(t, s, "next"); got != (broker.Counts{}) {
		t.Errorf("next has %+v", got)
	}
	if m := receiveOne(t, receiverOf(t, client, "dead", nil)); string(m.Body) != "a" || *m.DeadLetterReason != reason {
		t.Errorf("received %q with reason %q", m.Body, *m.DeadLetterReason)
	}
}

func TestForwardingThatFailsIsDeadLettered(t *testing.T) {
	chain := []broker.Queue{
		{Name: "q", ForwardTo: "2"}, {Name: "2", ForwardTo: "3"}, {Name: "3", ForwardTo: "4"}, {Name: "4", ForwardTo: "5"},
		{Name: "5", ForwardTo: "6"}, {Name: "6"},
		{Name: "round", ForwardTo: "round"},
		{Name: "lost", ForwardTo: "nowhere"},
		{Name: "unnamed", ForwardTo: "sessions"}, {Name: "sessions", RequiresSession: true},
	}
	s := start(t, broker.Options{Queues: chain})
	client := connect(t, s)
	for from, want := range map[string]struct{ in, reason string }{
		"q":       {"5", "MaxTransferHopCountExceeded"},
		"round":   {"round", "MaxTransferHopCountExceeded"},
		"lost":    {"lost", "The messaging entity 'nowhere' could not be found. status-code: 404"},
		"unnamed": {"unnamed", "Session ID is null."},
	} {
		send(t, client, from, "x")
		m := receiveOne(t, receiverOf(t, client, want.in, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter}))
		if *m.DeadLetterReason != want.reason {
			t.Errorf("%s: reason %q, want %q", from, *m.DeadLetterReason, want.reason)
		}
	}
}

// An update detaches what is attached, and the official client attaches again by
// itself.
func TestAnUpdateDetachesLinks(t *testing.T) {
	s := start(t, oneQueue)
	p := openPeer(t, s)
	p.begin()
	p.receiver(0)
	if err := s.UpdateQueue(broker.Queue{Name: "Q"}); err != nil { // which changes nothing
		t.Fatal(err)
	}
	client := connect(t, s)
	r := receiver(t, client, nil)
	got := receiveLater(t, r)
	if err := s.UpdateQueue(broker.Queue{Name: "q", MaxDeliveryCount: 1}); err != nil {
		t.Fatal(err)
	}
	if d := expect[*wire.Detach](p); d.Error == nil || d.Error.Condition != "amqp:link:detach-forced" {
		t.Errorf("detach = %+v", d)
	}
	send(t, client, "q", "a")
	if body := <-got; body != "a" {
		t.Fatalf("received %q", body)
	}
	// What is refused changes nothing.
	if err := s.UpdateQueue(broker.Queue{Name: "q", MaxDeliveryCount: 9, LockDuration: time.Hour}); err == nil {
		t.Error("a lock of an hour was taken")
	}
	if got, err := administer(t, s).GetQueue(deadline(t), "q", nil); err != nil || *got.MaxDeliveryCount != 1 {
		t.Errorf("after an update that was refused: %+v, %v", got, err)
	}
	if err := s.UpdateQueue(broker.Queue{Name: "q", RequiresSession: true}); err == nil {
		t.Error("a queue became one with sessions")
	}
	if err := s.UpdateQueue(broker.Queue{Name: "none"}); !errors.Is(err, broker.ErrUnknownEntity) {
		t.Errorf("error %v, want ErrUnknownEntity", err)
	}
}

func TestCreateAndDeleteQueue(t *testing.T) {
	s := start(t, broker.Options{})
	if err := s.CreateQueue(broker.Queue{Name: "q", LockDuration: time.Hour}); err == nil {
		t.Error("a lock of an hour was taken")
	}
	if err := s.CreateQueue(broker.Queue{Name: "q"}); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateQueue(broker.Queue{Name: "Q"}); !errors.Is(err, broker.ErrEntityExists) {
		t.Errorf("error %v, want ErrEntityExists", err)
	}
	client := connect(t, s)
	send(t, client, "q", "a")
	p := openPeer(t, s)
	p.begin()
	p.receiver(0)
	if err := s.DeleteQueue("q"); err != nil {
		t.Fatal(err)
	}
	if d := expect[*wire.Detach](p); d.Error == nil || d.Error.Condition != "amqp:not-found" {
		t.Errorf("detach = %+v", d)
	}
	if err := s.DeleteQueue("q"); !errors.Is(err, broker.ErrUnknownEntity) {
		t.Errorf("error %v, want ErrUnknownEntity", err)
	}
	_, err := receiver(t, client, nil).ReceiveMessages(deadline(t), 1, nil)
	wantCode(t, err, azservicebus.CodeNotFound)
	if err := s.CreateQueue(broker.Queue{Name: "q"}); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, broker.Counts{})
}
