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
