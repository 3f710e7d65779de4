package broker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
)

func TestDefer(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	send(t, client, "q", "a", "b")
	r := receiver(t, client, nil)
	messages := receive(t, r, 2)
	changes := &azservicebus.DeferMessageOptions{PropertiesToModify: map[string]any{"why": "later"}}
	if err := r.DeferMessage(deadline(t), messages[0], changes); err != nil {
		t.Fatal(err)
	}
	// The other goes by its token, through $management.
	if err := r.DeferMessage(deadline(t), &azservicebus.ReceivedMessage{LockToken: messages[1].LockToken}, nil); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, broker.Counts{Deferred: 2})
	peeked, err := r.PeekMessages(deadline(t), 2, nil)
	if err != nil || len(peeked) != 2 || peeked[0].State != azservicebus.MessageStateDeferred {
		t.Fatalf("peeked %v, %v; want two that are deferred", peeked, err)
	}
	numbers := []int64{*messages[1].SequenceNumber, *messages[0].SequenceNumber}
	deferred, err := r.ReceiveDeferredMessages(deadline(t), numbers, nil)
	if err != nil || len(deferred) != 2 || string(deferred[0].Body) != "b" || deferred[1].ApplicationProperties["why"] != "later" {
		t.Fatalf("received %v, %v", deferred, err)
	}
	if deferred[0].State != azservicebus.MessageStateDeferred || deferred[0].DeliveryCount != 2 {
		t.Errorf("state = %v with delivery count %d, want deferred with 2", deferred[0].State, deferred[0].DeliveryCount)
	}
	from := int64(0)
	peeked, err = r.PeekMessages(deadline(t), 2, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
	if err != nil || len(peeked) != 2 || peeked[0].State != azservicebus.MessageStateDeferred {
		t.Errorf("peeked %v, %v; want two that are deferred while they are held", peeked, err)
	}
	if time.Until(*deferred[0].LockedUntil) < 50*time.Second {
		t.Errorf("locked until %v", deferred[0].LockedUntil)
	}
	if err := r.RenewMessageLock(deadline(t), deferred[0], nil); err != nil {
		t.Errorf("renew: %v", err)
	}
	if err := r.CompleteMessage(deadline(t), deferred[0], nil); err != nil {
		t.Fatal(err)
	}
	if err := r.AbandonMessage(deadline(t), deferred[1], nil); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, broker.Counts{Deferred: 1})
	if again, err := r.ReceiveDeferredMessages(deadline(t), numbers[1:], nil); err != nil || again[0].DeliveryCount != 3 {
		t.Errorf("received %v, %v", again, err)
	}
	_, err = r.ReceiveDeferredMessages(deadline(t), numbers[:1], nil)
	wantCode(t, err, azservicebus.CodeNotFound)
}

func TestDeferredIsReceivedAndDeleted(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	send(t, client, "q", "a")
	r := receiver(t, client, nil)
	m := receiveOne(t, r)
	if err := r.DeferMessage(deadline(t), m, nil); err != nil {
		t.Fatal(err)
	}
	other := receiver(t, client, &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	if got, err := other.ReceiveDeferredMessages(deadline(t), []int64{*m.SequenceNumber}, nil); err != nil || string(got[0].Body) != "a" {
		t.Errorf("received %v, %v", got, err)
	}
	wantCounts(t, s, broker.Counts{})
}

func TestScheduleAndCancel(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(time.Hour)
	numbers, err := sender.ScheduleMessages(deadline(t), []*azservicebus.Message{{Body: []byte("a")}, {Body: []byte("b")}}, at, nil)
	if err != nil || len(numbers) != 2 || numbers[0] == numbers[1] {
		t.Fatalf("scheduled as %v, %v", numbers, err)
	}
	wantCounts(t, s, broker.Counts{Scheduled: 2})
	peeked, err := receiver(t, client, nil).PeekMessages(deadline(t), 5, nil)
	if err != nil || len(peeked) != 2 || peeked[0].State != azservicebus.MessageStateScheduled || !peeked[0].ScheduledEnqueueTime.Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("peeked %v, %v", peeked, err)
	}
	if err := sender.CancelScheduledMessages(deadline(t), numbers[:1], nil); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, broker.Counts{Scheduled: 1})
	wantCode(t, sender.CancelScheduledMessages(deadline(t), numbers[:1], nil), azservicebus.CodeNotFound)
	soon, err := sender.ScheduleMessages(deadline(t), []*azservicebus.Message{{Body: []byte("soon")}}, time.Now().Add(100*time.Millisecond), nil)
	if err != nil {
		t.Fatal(err)
	}
	if m := receiveOne(t, receiver(t, client, nil)); string(m.Body) != "soon" || *m.SequenceNumber == soon[0] {
		t.Errorf("received %q with sequence number %d", m.Body, *m.SequenceNumber)
	}
}

func TestDuplicatesAreAcceptedAndDropped(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q", RequiresDuplicateDetection: true}}})
	client := connect(t, s)
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	id := "order-1"
	for _, body := range []string{"first", "again"} {
		if err := sender.SendMessage(deadline(t), &azservicebus.Message{Body: []byte(body), MessageID: &id}, nil); err != nil {
			t.Fatal(err)
		}
	}
	wantCounts(t, s, broker.Counts{Active: 1})
	if m := receiveOne(t, receiver(t, client, nil)); string(m.Body) != "first" {
		t.Errorf("received %q", m.Body)
	}
}

func TestTimeToLiveOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := newPipes()
		s := startOn(t, listener, broker.Options{Queues: []broker.Queue{
			{Name: "q", DefaultMessageTimeToLive: time.Minute, DeadLetteringOnMessageExpiration: true},
		}})
		client := listener.connect(t, s)
		sender, err := client.NewSender("q", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, lives := range []*time.Duration{nil, to.Ptr(time.Second), to.Ptr(time.Hour)} {
			if err := sender.SendMessage(forever(), &azservicebus.Message{TimeToLive: lives}, nil); err != nil {
				t.Fatal(err)
			}
		}
		// What is received says how long it really lives, also as a dead letter.
		from := int64(0)
		peeked, err := receiver(t, client, nil).PeekMessages(forever(), 3, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
		if err != nil {
			t.Fatal(err)
		}
		wantLives(t, peeked, time.Minute, time.Second, time.Minute)
		elapse(59 * time.Second)
		wantCounts(t, s, broker.Counts{Active: 2, DeadLettered: 1})
		elapse(2 * time.Second)
		wantCounts(t, s, broker.Counts{DeadLettered: 3})
		dead, err := deadLetters(t, client).PeekMessages(forever(), 3, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
		if err != nil {
			t.Fatal(err)
		}
		wantLives(t, dead, time.Minute, time.Second, time.Minute)
		if got := *dead[0].DeadLetterReason; got != "TTLExpiredException" {
			t.Errorf("reason %q", got)
		}
	})
}

// wantLives compares how long messages say that they live.
func wantLives(t *testing.T, messages []*azservicebus.ReceivedMessage, want ...time.Duration) {
	t.Helper()
	if len(messages) != len(want) {
		t.Fatalf("%d messages, want %d", len(messages), len(want))
	}
	for i, m := range messages {
		if *m.TimeToLive != want[i] || !m.ExpiresAt.Equal(m.EnqueuedTime.Add(want[i])) {
			t.Errorf("message %d lives %v, until %v; want %v", i, m.TimeToLive, m.ExpiresAt, want[i])
		}
	}
}
