package broker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
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
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := sender.ScheduleMessages(ctx, []*azservicebus.Message{big}, later, nil); err == nil {
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
