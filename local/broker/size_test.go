package broker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

func TestAnEntityThatIsFullTakesNoMore(t *testing.T) {
	s := start(t, broker.Options{
		Queues: []broker.Queue{{Name: "q", MaxSizeInMegabytes: 1}},
		Topics: []broker.Topic{{Name: "t", MaxSizeInMegabytes: 1, Subscriptions: []broker.Subscription{subscription("a"), subscription("b")}}},
	})
	client := connect(t, s)
	big := &azservicebus.Message{Body: make([]byte, 300<<10)}
	for name, fits := range map[string]int{"q": 3, "t": 2} { // a topic holds each message twice
		sender, err := client.NewSender(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range fits {
			if err := sender.SendMessage(deadline(t), big, nil); err != nil {
				t.Fatal(err)
			}
		}
		var fault *amqp.Error
		if err := sender.SendMessage(deadline(t), big, nil); !errors.As(err, &fault) || fault.Condition != amqp.ErrCondResourceLimitExceeded {
			t.Errorf("%s: error %v", name, err)
		}
		if err := sender.SendMessage(deadline(t), &azservicebus.Message{Body: []byte("small")}, nil); name == "q" && err != nil {
			t.Errorf("a message that fits: %v", err)
		}
	}
	receive(t, receiver(t, client, nil), 1)
}

// Scheduled messages fill an entity as others do, whichever way they come.
func TestScheduledMessagesFillAnEntity(t *testing.T) {
	s := start(t, broker.Options{
		Queues: []broker.Queue{{Name: "q", MaxSizeInMegabytes: 1}},
		Topics: []broker.Topic{{Name: "t", MaxSizeInMegabytes: 1}},
	})
	client := connect(t, s)
	later := time.Now().Add(time.Hour)
	big := &azservicebus.Message{Body: make([]byte, 600<<10)}
	for _, name := range []string{"q", "t"} {
		sender, err := client.NewSender(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		numbers, err := sender.ScheduleMessages(deadline(t), []*azservicebus.Message{big}, later, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := sender.SendMessage(deadline(t), big, nil); !hasCondition(err, amqp.ErrCondResourceLimitExceeded) {
			t.Errorf("%s: sent, %v", name, err)
		}
		// The client gives its connection up at this refusal and tries again, so that it
		// is another's.
		again, err := connect(t, s).NewSender(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := again.ScheduleMessages(ctx, []*azservicebus.Message{big}, later, nil); err == nil {
			t.Errorf("%s: scheduled beyond the size", name)
		}
		if err := sender.CancelScheduledMessages(deadline(t), numbers, nil); err != nil {
			t.Fatal(err)
		}
		if err := sender.SendMessage(deadline(t), big, nil); err != nil {
			t.Errorf("%s: the others are cancelled: %v", name, err)
		}
	}
}

func TestAnEntityHasItsOwnLargestMessage(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q", MaxMessageSizeInKilobytes: 1}, {Name: "other"}}})
	client := connect(t, s)
	for name, fits := range map[string]bool{"q": false, "other": true} {
		sender, err := client.NewSender(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := sender.SendMessage(deadline(t), &azservicebus.Message{Body: make([]byte, 2<<10)}, nil); (err == nil) != fits {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func refusedAsFull(err error) bool {
	var fault *amqp.Error
	return errors.As(err, &fault) && fault.Condition == amqp.ErrCondResourceLimitExceeded
}

// What is scheduled counts, by whatever way it comes.
func TestWhatIsScheduledCounts(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q", MaxSizeInMegabytes: 1}}})
	sender, err := connect(t, s).NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	big := &azservicebus.Message{Body: make([]byte, 300<<10)}
	for range 3 {
		if _, err := sender.ScheduleMessages(deadline(t), []*azservicebus.Message{big}, later, nil); err != nil {
			t.Fatal(err)
		}
	}
	p := openPeer(t, s)
	p.begin()
	r := openRPC(p, "q/$management", "me")
	message := wire.AppendData(nil, make([]byte, 60<<10))
	for i := range 3 { // two fit beside the three
		answer, _ := r.call("me", operation("com.microsoft:schedule-message"), wire.Map{{Key: "messages", Value: wire.List{wire.Map{{Key: "message", Value: message}}}}})
		text, _ := answer.Get("statusDescription")
		if code := status(t, answer); i < 2 && code != 200 || i == 2 && (code != 403 || !strings.Contains(fmt.Sprint(text), "maximum entity size")) {
			t.Errorf("message %d: status %d, %v", i, code, text)
		}
	}
	if err := sender.SendMessage(deadline(t), big, nil); !refusedAsFull(err) {
		t.Errorf("a message beside those that are scheduled: %v", err)
	}
}

// The states of sessions count. One may be replaced when the queue is full.
func TestStatesOfSessionsCount(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q", MaxSizeInMegabytes: 1, RequiresSession: true}}})
	client := connect(t, s)
	p := openPeer(t, s)
	p.begin()
	r := openRPC(p, "q/$management", "me")
	for i := range 20 {
		id := fmt.Sprint(i)
		if _, err := client.AcceptSessionForQueue(deadline(t), "q", id, nil); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			answer, _ := r.call("me", operation("com.microsoft:set-session-state"),
				wire.Map{{Key: "session-id", Value: id}, {Key: "session-state", Value: make([]byte, 60<<10)}})
			if code := status(t, answer); i < 17 && code != 200 || i >= 17 && code != 403 {
				t.Errorf("state %d: status %d", i, code)
			}
		}
	}
}

// The ids by which duplicates are told count, also those of messages that are gone.
func TestRememberedIDsCount(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q", MaxSizeInMegabytes: 1, RequiresDuplicateDetection: true}}})
	client := connect(t, s)
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	r := receiver(t, client, &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	for n := range 3 {
		batch, err := sender.NewMessageBatch(deadline(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 2000 {
			id := fmt.Sprintf("%0128d", 2000*n+i)
			if err := batch.AddMessage(&azservicebus.Message{MessageID: &id}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err = sender.SendMessageBatch(deadline(t), batch, nil); n < 2 && err != nil || n == 2 && !refusedAsFull(err) {
			t.Fatalf("batch %d: %v", n, err)
		}
		if n < 2 {
			receive(t, r, 2000)
		}
	}
}

// Messages are scheduled where they could be sent, and nowhere else.
func TestWhereNothingCanBeScheduled(t *testing.T) {
	s := start(t, broker.Options{
		Queues: []broker.Queue{{Name: "off", Status: broker.StatusSendDisabled}},
		Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{subscription("a")}}},
	})
	for node, want := range map[string]string{
		"off": "currently disabled", "t/Subscriptions/a": "send them to its topic", "off/$DeadLetterQueue": "to a dead-letter queue",
	} {
		p := openPeer(t, s)
		p.begin()
		answer, _ := openRPC(p, node+"/$management", "me").call("me", operation("com.microsoft:schedule-message"),
			wire.Map{{Key: "messages", Value: wire.List{wire.Map{{Key: "message", Value: text("x")}}}}})
		if text, _ := answer.Get("statusDescription"); status(t, answer) != 400 || !strings.Contains(fmt.Sprint(text), want) {
			t.Errorf("%s: %v", node, answer)
		}
	}
}

// A settlement may not set properties without end: the message stays locked.
func TestSettlementsSetPropertiesWithinBounds(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q", MaxDeliveryCount: 1000}}})
	client := connect(t, s)
	send(t, client, "q", "a")
	r := receiver(t, client, nil)
	var err error
	n := 0
	for err == nil && n < 100 {
		err = r.AbandonMessage(deadline(t), receiveOne(t, r), &azservicebus.AbandonMessageOptions{
			PropertiesToModify: map[string]any{fmt.Sprint(n): strings.Repeat("x", 10_000)},
		})
		n++
	}
	var fault *amqp.Error
	if n != 7 || !errors.As(err, &fault) || fault.Condition != amqp.ErrCondNotAllowed {
		t.Errorf("abandoned %d times: %v", n, err)
	}
	wantCounts(t, s, broker.Counts{Locked: 1})
}
