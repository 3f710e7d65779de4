package broker_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file holds calls of the official clients that no other test makes, and what
// they want of a message.

// TestAMessageWithoutAnIDGetsOne keeps the JavaScript client going, which can't
// settle a message that has none.
func TestAMessageWithoutAnIDGetsOne(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	send(t, client, "q", "a", "b")
	r := receiver(t, client, nil)
	messages := receive(t, r, 2)
	first, second := messages[0].MessageID, messages[1].MessageID
	if len(first) != 32 || len(second) != 32 || first == second {
		t.Errorf("ids %q and %q, want two of 32 characters", first, second)
	}
	if err := r.AbandonMessage(deadline(t), messages[0], nil); err != nil {
		t.Fatal(err)
	}
	if again := receiveOne(t, r).MessageID; again != first {
		t.Errorf("the id was %q and is %q", first, again)
	}
}

// TestAMessageThatIsTooLargeIsRejected sees to it that the sender learns of its
// message, and not only of its link.
func TestAMessageThatIsTooLargeIsRejected(t *testing.T) {
	p := openPeer(t, start(t, broker.Options{Queues: oneQueue.Queues, MaxMessageSize: 10}))
	p.begin()
	p.sender(0)
	p.transfer(delivery(0, 7), text("more than ten bytes"))
	d := expect[*wire.Disposition](p)
	rejected, ok := d.State.(*wire.Rejected)
	if d.First != 7 || !ok || rejected.Error == nil || rejected.Error.Condition != wire.CondMessageSizeExceeded {
		t.Errorf("disposition %+v of %d, want a rejection for the size", d.State, d.First)
	}
	if d := expect[*wire.Detach](p); d.Error == nil || d.Error.Condition != wire.CondMessageSizeExceeded {
		t.Errorf("detach = %v", d.Error)
	}
}

// TestDrainWithoutCredit has credit run out by messages, and then asks for a drain.
func TestDrainWithoutCredit(t *testing.T) {
	p := openPeer(t, start(t, oneQueue))
	p.begin()
	fill(p, 3)
	p.receiver(1)
	for _, count := range []uint32{0, 2} {
		p.credit(1, count, 2-count, true)
		for range 2 - count {
			expect[*wire.Transfer](p)
		}
		f := expect[*wire.Flow](p)
		if !f.Drain || f.LinkCredit.Or(9) != 0 || f.DeliveryCount.Or(0) != 2 {
			t.Errorf("flow = %+v, want the end of the drain", f)
		}
	}
}

func TestLargeMessagesOverManyFrames(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	r := receiver(t, client, nil)
	for _, size := range []int{65_535, 65_536, 262_144, 1_048_000} {
		body := bytes.Repeat([]byte("0123456"), size/7+1)[:size]
		if err := sender.SendMessage(deadline(t), &azservicebus.Message{Body: body}, nil); err != nil {
			t.Fatalf("send %d bytes: %v", size, err)
		}
		m := receiveOne(t, r)
		if !bytes.Equal(m.Body, body) {
			t.Errorf("%d bytes came as %d", size, len(m.Body))
		}
		if err := r.CompleteMessage(deadline(t), m, nil); err != nil {
			t.Fatal(err)
		}
	}
	wantCounts(t, s, broker.Counts{})
}

func TestAnnotatedMessagesInBatchesAndSchedules(t *testing.T) {
	client := connect(t, start(t, oneQueue))
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	value := func(v string) *azservicebus.AMQPAnnotatedMessage {
		return &azservicebus.AMQPAnnotatedMessage{Body: azservicebus.AMQPAnnotatedMessageBody{Value: v}}
	}
	batch, err := sender.NewMessageBatch(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.AddAMQPAnnotatedMessage(value("batched"), nil); err != nil {
		t.Fatal(err)
	}
	if err := sender.SendMessageBatch(deadline(t), batch, nil); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Second)
	numbers, err := sender.ScheduleAMQPAnnotatedMessages(deadline(t), []*azservicebus.AMQPAnnotatedMessage{value("scheduled")}, at, nil)
	if err != nil || len(numbers) != 1 {
		t.Fatalf("scheduled %v, %v", numbers, err)
	}
	for i, m := range receive(t, receiver(t, client, nil), 2) {
		if got, want := m.RawAMQPMessage.Body.Value, []string{"batched", "scheduled"}[i]; got != want {
			t.Errorf("value = %v, want %s", got, want)
		}
	}
}

func TestReceiveAndDeleteInASession(t *testing.T) {
	s := start(t, sessionQueue(0))
	client := connect(t, s)
	sendIn(t, client, "s", "a", "b", "c")
	r, err := client.AcceptNextSessionForQueue(deadline(t), "q", &azservicebus.SessionReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	if err != nil {
		t.Fatal(err)
	}
	if got := bodies(receiveIn(t, r, 3)); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("received %v", got)
	}
	wantCounts(t, s, broker.Counts{})
}

func TestPeekInASession(t *testing.T) {
	client := connect(t, start(t, sessionQueue(0)))
	sendIn(t, client, "s", "a", "b")
	sendIn(t, client, "", "other")
	sendIn(t, client, "s", "c")
	for id, want := range map[string][]string{"s": {"b", "c"}, "": {"other"}} {
		r := acceptSession(t, client, id)
		from := int64(2)
		peeked, err := r.PeekMessages(deadline(t), 10, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
		if err != nil || !slices.Equal(bodies(peeked), want) {
			t.Errorf("peeked %v in session %q, %v; want %v", bodies(peeked), id, err, want)
		}
	}
}

func TestListSessionsByTheTimeOfTheirState(t *testing.T) {
	client := connect(t, start(t, sessionQueue(0)))
	sendIn(t, client, "messages only", "x")
	if err := acceptSession(t, client, "state").SetSessionState(deadline(t), []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration][]string{-time.Hour: {"state"}, time.Hour: nil} {
		at := time.Now().Add(after)
		var got []string
		pager := client.NewListSessionsForQueuePager("q", &azservicebus.ListSessionsOptions{SessionStateUpdatedAfter: &at})
		for pager.More() {
			page, err := pager.NextPage(deadline(t))
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.Sessions...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("sessions with a state set after %v: %v, want %v", after, got, want)
		}
	}
}

func TestSessionsAndDeadLettersOfASubscription(t *testing.T) {
	plain, sessions := subscription("plain"), subscription("sessions")
	sessions.RequiresSession = true
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{plain, sessions}}}})
	client := connect(t, s)
	id := "s"
	sendTo(t, client, "t", &azservicebus.Message{Body: []byte("x"), SessionID: &id})
	next, err := client.AcceptNextSessionForSubscription(deadline(t), "t", "sessions", nil)
	if err != nil || next.SessionID() != id {
		t.Fatalf("accepted %v, %v", next, err)
	}
	if err := next.DeadLetterMessage(deadline(t), receiveIn(t, next, 1)[0], nil); err != nil {
		t.Fatal(err)
	}
	if err := next.Close(deadline(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.AcceptSessionForSubscription(deadline(t), "t", "sessions", id, nil); err != nil {
		t.Error(err)
	}
	letters := subscribe(t, client, "t", "sessions", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	if m := receiveOne(t, letters); string(m.Body) != "x" || *m.SessionID != id {
		t.Errorf("dead letter %q of session %v", m.Body, m.SessionID)
	}
	pager := client.NewListSessionsForSubscriptionPager("t", "sessions", nil)
	if page, err := pager.NextPage(deadline(t)); err != nil || len(page.Sessions) != 0 {
		t.Errorf("sessions %v, %v; want none, as nothing is active", page.Sessions, err)
	}
}
