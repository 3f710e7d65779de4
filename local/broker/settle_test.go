package broker_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

func TestComplete(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	send(t, client, "q", "a", "b")
	r := receiver(t, client, nil)
	messages := receive(t, r, 2)
	if err := r.CompleteMessage(deadline(t), messages[0], nil); err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, broker.Counts{Locked: 1})
	wantCode(t, r.CompleteMessage(deadline(t), &azservicebus.ReceivedMessage{LockToken: messages[0].LockToken}, nil), azservicebus.CodeLockLost)
}

func TestAbandon(t *testing.T) {
	client := connect(t, start(t, oneQueue))
	send(t, client, "q", "a", "b")
	r := receiver(t, client, nil)
	first := receiveOne(t, r)
	changes := &azservicebus.AbandonMessageOptions{PropertiesToModify: map[string]any{"tried": int32(1), "by": "test"}}
	if err := r.AbandonMessage(deadline(t), first, changes); err != nil {
		t.Fatal(err)
	}
	again := receiveOne(t, r)
	if string(again.Body) != "a" || again.DeliveryCount != 2 || *again.SequenceNumber != *first.SequenceNumber {
		t.Errorf("after abandon came %q with delivery count %d and sequence number %d", again.Body, again.DeliveryCount, *again.SequenceNumber)
	}
	if diff := cmp.Diff(changes.PropertiesToModify, again.ApplicationProperties); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
	if again.LockToken == first.LockToken {
		t.Error("the lock token was used twice")
	}
}

func TestDeadLetter(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	send(t, client, "q", "poison")
	r := receiver(t, client, nil)
	reason, description := "Poison", "it tasted odd"
	err := r.DeadLetterMessage(deadline(t), receiveOne(t, r), &azservicebus.DeadLetterOptions{
		Reason: &reason, ErrorDescription: &description, PropertiesToModify: map[string]any{"trace": "t1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantCounts(t, s, broker.Counts{DeadLettered: 1})
	dead := deadLetters(t, client)
	m := receiveOne(t, dead)
	if string(m.Body) != "poison" || *m.DeadLetterReason != reason || *m.DeadLetterErrorDescription != description {
		t.Errorf("dead letter %q, %q, %q", m.Body, *m.DeadLetterReason, *m.DeadLetterErrorDescription)
	}
	if got := m.ApplicationProperties["trace"]; got != "t1" {
		t.Errorf("property trace = %v", got)
	}
	if err := dead.DeadLetterMessage(deadline(t), m, nil); err == nil {
		t.Error("a dead letter was dead-lettered")
	}
	// The refusal took no lock. To abandon it gives it back as it is, with the
	// properties that are given.
	changes := &azservicebus.AbandonMessageOptions{PropertiesToModify: map[string]any{"seen": true}}
	if err := dead.AbandonMessage(deadline(t), &azservicebus.ReceivedMessage{LockToken: m.LockToken}, changes); err != nil {
		t.Fatal(err)
	}
	m = receiveOne(t, dead)
	if m.DeliveryCount != 1 || m.ApplicationProperties["seen"] != true {
		t.Errorf("abandoned dead letter has delivery count %d and properties %v", m.DeliveryCount, m.ApplicationProperties)
	}
	if err := dead.CompleteMessage(deadline(t), m, nil); err != nil {
		t.Error(err)
	}
	wantCounts(t, s, broker.Counts{})
}

// What a receiver gives as the reason stays as it is, and nothing stands for what it
// does not give.
func TestReasonsAreKeptAsGiven(t *testing.T) {
	s := start(t, oneQueue)
	send(t, connect(t, s), "q", "a", "b")
	conn, err := dialPlain(t, s, "SAS_KEY_VALUE")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	session, err := conn.NewSession(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	open := func(from string) func() (*amqp.Receiver, *amqp.Message) {
		r, err := session.NewReceiver(deadline(t), from, nil)
		if err != nil {
			t.Fatal(err)
		}
		return func() (*amqp.Receiver, *amqp.Message) {
			m, err := r.Receive(deadline(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			return r, m
		}
	}
	next, nextDead := open("q"), open("q/$deadletterqueue")
	for _, info := range []map[string]any{nil, {"DeadLetterReason": int32(7)}} {
		r, m := next()
		if err := r.RejectMessage(deadline(t), m, &amqp.Error{Condition: "com.microsoft:dead-letter", Info: info}); err != nil {
			t.Fatal(err)
		}
		r, m = nextDead()
		if diff := cmp.Diff(info, m.ApplicationProperties); diff != "" {
			t.Errorf("properties (-want +got):\n%s", diff)
		}
		if err := r.AcceptMessage(deadline(t), m); err != nil {
			t.Fatal(err)
		}
	}
}

// The client for JavaScript gives null for a reason where its user gives none. Receivers
// see none.
func TestADeadLetterWithoutAReason(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	send(t, client, "q", "a")
	p := openPeer(t, s)
	p.begin()
	p.receiver(0)
	p.credit(0, 0, 1, false)
	id := expect[*wire.Transfer](p).DeliveryID.Value
	info := wire.Map{{Key: "DeadLetterReason"}, {Key: "DeadLetterErrorDescription"}, {Key: "other"}}
	rejected := &wire.Rejected{Error: &wire.Error{Condition: "com.microsoft:dead-letter", Info: info}}
	p.send(0, &wire.Disposition{Role: wire.RoleReceiver, First: id, State: rejected})
	expect[*wire.Disposition](p)
	m := receiveOne(t, deadLetters(t, client))
	other, there := m.ApplicationProperties["other"]
	if m.DeadLetterReason != nil || m.DeadLetterErrorDescription != nil || other != nil || !there {
		t.Errorf("dead letter %v, %v with %v", m.DeadLetterReason, m.DeadLetterErrorDescription, m.ApplicationProperties)
	}
}

func TestMaxDeliveryCount(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q", MaxDeliveryCount: 3}}})
	client := connect(t, s)
	send(t, client, "q", "poison")
	r := receiver(t, client, nil)
	for i := range 3 {
		m := receiveOne(t, r)
		if got, want := m.DeliveryCount, uint32(i+1); got != want {
			t.Errorf("delivery count = %d, want %d", got, want)
		}
		if err := r.AbandonMessage(deadline(t), m, nil); err != nil {
			t.Fatal(err)
		}
	}
	m := receiveOne(t, deadLetters(t, client))
	if got, want := *m.DeadLetterReason, "MaxDeliveryCountExceeded"; got != want {
		t.Errorf("reason = %q, want %q", got, want)
	}
}

func TestRenew(t *testing.T) {
	client := connect(t, start(t, oneQueue))
	send(t, client, "q", "a")
	r := receiver(t, client, nil)
	m := receiveOne(t, r)
	before := *m.LockedUntil
	if err := r.RenewMessageLock(deadline(t), m, nil); err != nil {
		t.Fatal(err)
	}
	if m.LockedUntil.Before(before) {
		t.Errorf("renewed from %v to %v", before, m.LockedUntil)
	}
	if err := r.CompleteMessage(deadline(t), m, nil); err != nil {
		t.Fatal(err)
	}
	wantCode(t, r.RenewMessageLock(deadline(t), m, nil), azservicebus.CodeLockLost)
}

// TestSettlementAfterLinkLoss settles messages whose receiver is closed, which
// the client does through $management.
func TestSettlementAfterLinkLoss(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	reason := "Late"
	tests := []struct {
		name   string
		settle func(ctx context.Context, r *azservicebus.Receiver, m *azservicebus.ReceivedMessage) error
		want   broker.Counts
	}{
		{"complete", func(ctx context.Context, r *azservicebus.Receiver, m *azservicebus.ReceivedMessage) error {
			return r.CompleteMessage(ctx, m, nil)
		}, broker.Counts{}},
		{"abandon", func(ctx context.Context, r *azservicebus.Receiver, m *azservicebus.ReceivedMessage) error {
			return r.AbandonMessage(ctx, m, &azservicebus.AbandonMessageOptions{PropertiesToModify: map[string]any{"a": "b"}})
		}, broker.Counts{Active: 1}},
		{"dead-letter", func(ctx context.Context, r *azservicebus.Receiver, m *azservicebus.ReceivedMessage) error {
			return r.DeadLetterMessage(ctx, m, &azservicebus.DeadLetterOptions{Reason: &reason})
		}, broker.Counts{Active: 1, DeadLettered: 1}}, // with what abandon gave back
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			send(t, client, "q", tt.name)
			first := receiver(t, client, nil)
			m := receiveOne(t, first)
			for string(m.Body) != tt.name { // one that an earlier case left
				m = receiveOne(t, first)
			}
			if err := first.Close(deadline(t)); err != nil {
				t.Fatal(err)
			}
			second := receiver(t, client, nil)
			token := &azservicebus.ReceivedMessage{LockToken: m.LockToken}
			if err := tt.settle(deadline(t), second, token); err != nil {
				t.Error(err)
			}
			wantCode(t, tt.settle(deadline(t), second, token), azservicebus.CodeLockLost)
		})
	}
	m := receiveOne(t, deadLetters(t, client))
	if string(m.Body) != "dead-letter" || *m.DeadLetterReason != reason {
		t.Errorf("dead letter %q with reason %q", m.Body, *m.DeadLetterReason)
	}
}

func TestReceiveAndDelete(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	send(t, client, "q", "a", "b", "c")
	r := receiver(t, client, &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	for i, m := range receive(t, r, 3) {
		if got, want := string(m.Body), string(rune('a'+i)); got != want {
			t.Errorf("message %d = %q, want %q", i, got, want)
		}
	}
	wantCounts(t, s, broker.Counts{})
}

func TestPeekPages(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	var want []string
	for i := range 25 {
		want = append(want, fmt.Sprint("m", i))
	}
	send(t, client, "q", want...)
	r := receiver(t, client, nil)
	receive(t, r, 3) // locked ones are shown too
	var got []string
	for {
		page, err := r.PeekMessages(deadline(t), 10, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			got = append(got, string(m.Body))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("peeked (-want +got):\n%s", diff)
	}
	from := int64(24)
	page, err := r.PeekMessages(deadline(t), 10, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
	if err != nil || len(page) != 2 || *page[0].SequenceNumber != from {
		t.Errorf("peek from %d = %d messages, %v; want 2", from, len(page), err)
	}
}

// TestPeekLargeMessages peeks at more than fits in one reply.
func TestPeekLargeMessages(t *testing.T) {
	client := connect(t, start(t, oneQueue))
	large := string(make([]byte, 900_000))
	send(t, client, "q", large, large)
	r := receiver(t, client, nil)
	for range 2 {
		page, err := r.PeekMessages(deadline(t), 10, nil)
		if err != nil || len(page) != 1 || len(page[0].Body) != len(large) {
			t.Fatalf("peek = %d messages, %v; want one", len(page), err)
		}
	}
}

// TestWakeUp checks that a receiver that waits gets a message at once.
func TestWakeUp(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	r := receiver(t, connect(t, s), nil)
	for range 3 {
		got := receiveLater(t, r)
		before := time.Now()
		send(t, client, "q", "now")
		if body := <-got; body != "now" || time.Since(before) > 5*time.Second {
			t.Errorf("got %q after %v", body, time.Since(before))
		}
	}
}

// TestManyReceivers has receivers on connections of their own share a queue:
// every message is completed exactly once, and nothing is left.
func TestManyReceivers(t *testing.T) {
	s := start(t, oneQueue)
	const receivers, messages = 12, 1200
	ctx, cancel := context.WithCancel(deadline(t))
	defer cancel()
	var mu sync.Mutex
	seen := map[int64]int{}
	var work sync.WaitGroup
	for range receivers {
		r := receiver(t, connect(t, s), nil)
		work.Go(func() {
			for ctx.Err() == nil {
				batch, _ := r.ReceiveMessages(ctx, 20, nil)
				for _, m := range batch {
					if err := r.CompleteMessage(context.WithoutCancel(ctx), m, nil); err != nil {
						t.Error(err)
					}
					mu.Lock()
					seen[*m.SequenceNumber]++
					if len(seen) == messages {
						cancel()
					}
					mu.Unlock()
				}
			}
		})
	}
	sendBatched(t, connect(t, s), "q", messages, 1)
	work.Wait()
	for seq, times := range seen {
		if times != 1 {
			t.Errorf("message %d was completed %d times", seq, times)
		}
	}
	if len(seen) != messages {
		t.Errorf("%d messages were completed, want %d", len(seen), messages)
	}
	wantCounts(t, s, broker.Counts{})
}
