package broker_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
)

// A message of a partitioned entity tells where it is, on whatever road it came there,
// and its session places it where no key does, and its id where duplicates are looked for.
func TestPlacesOfMessages(t *testing.T) {
	options := broker.Options{
		Queues: []broker.Queue{
			{Name: "q", EnablePartitioning: true, RequiresDuplicateDetection: true}, {Name: "plain", EnablePartitioning: true},
			{Name: "whole", RequiresDuplicateDetection: true}, {Name: "kept", EnablePartitioning: true, ForwardTo: "whole"}, {Name: "passed", ForwardTo: "q"},
		},
		Topics: []broker.Topic{{Name: "t", EnablePartitioning: true, RequiresDuplicateDetection: true, Subscriptions: []broker.Subscription{{Name: "s"}}}},
	}
	client := connect(t, start(t, options))
	const id, key = "x-opt-partition-id", "x-opt-partition-key"
	for _, tt := range []struct {
		name, to, from string
		given          map[any]any
		scheduled      bool
		want           map[any]any
	}{
		{"by its id", "q", "q", nil, false, map[any]any{id: int16(0), key: "by its id"}},
		{"by its key", "q", "q", map[any]any{key: "k"}, false, map[any]any{id: int16(0), key: "k"}},
		{"by its session", "q", "q", nil, false, map[any]any{id: int16(0), key: "session"}},
		{"by its session alone", "plain", "plain", nil, false, map[any]any{id: int16(0), key: "session"}},
		{"anywhere", "plain", "plain", map[any]any{id: int16(7)}, false, map[any]any{id: int16(0)}},
		{"no partitions", "whole", "whole", map[any]any{id: int16(7)}, false, map[any]any{}},
		{"scheduled", "q", "q", nil, true, map[any]any{id: int16(0), key: "scheduled"}},
		{"topic", "t", "t/Subscriptions/s", nil, false, map[any]any{id: int16(0), key: "topic"}},
		{"forwarded into partitions", "passed", "q", nil, false, map[any]any{id: int16(0), key: "forwarded into partitions"}},
		{"forwarded out of partitions", "kept", "whole", nil, false, map[any]any{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			message := &azservicebus.AMQPAnnotatedMessage{
				Properties: &azservicebus.AMQPAnnotatedMessageProperties{MessageID: tt.name}, MessageAnnotations: tt.given,
				Body: azservicebus.AMQPAnnotatedMessageBody{Data: [][]byte{{1}}},
			}
			if session := "session"; strings.HasPrefix(tt.name, "by its session") {
				message.Properties.GroupID = &session
			}
			sender, err := client.NewSender(tt.to, nil)
			switch {
			case err != nil:
			case tt.scheduled:
				_, err = sender.ScheduleAMQPAnnotatedMessages(deadline(t), []*azservicebus.AMQPAnnotatedMessage{message}, time.Now(), nil)
			default:
				err = sender.SendAMQPAnnotatedMessage(deadline(t), message, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			var r *azservicebus.Receiver
			options := &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete}
			if topic, subscription, ok := strings.Cut(tt.from, "/Subscriptions/"); ok {
				r, err = client.NewReceiverForSubscription(topic, subscription, options)
			} else {
				r, err = client.NewReceiverForQueue(tt.from, options)
			}
			if err != nil {
				t.Fatal(err)
			}
			got := map[any]any{}
			for name, value := range receiveOne(t, r).RawAMQPMessage.MessageAnnotations {
				if name == id || name == key {
					got[name] = value
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
		})
	}
}

// What placing a message adds counts for how much it may tell of itself: a topic would
// not pass on what it has taken otherwise.
func TestAPlacedMessageIsCheckedWhole(t *testing.T) {
	options := broker.Options{Topics: []broker.Topic{{
		Name: "t", EnablePartitioning: true, RequiresDuplicateDetection: true, Subscriptions: []broker.Subscription{{Name: "s"}},
	}}}
	s := start(t, options)
	client := connect(t, s)
	sender, err := client.NewSender("t", nil)
	if err != nil {
		t.Fatal(err)
	}
	taken, refused := 0, 0
	for length := 65_300; length < 65_536; length += 8 {
		id := strconv.Itoa(length)
		m := &azservicebus.Message{MessageID: &id, ApplicationProperties: map[string]any{"p": strings.Repeat("x", length)}}
		var fault *amqp.Error
		switch err := sender.SendMessage(deadline(t), m, nil); {
		case err == nil:
			taken++
		case errors.As(err, &fault) && fault.Condition == amqp.ErrCondNotAllowed:
			refused++
		default:
			t.Fatal(err)
		}
	}
	if taken == 0 || refused == 0 {
		t.Fatalf("%d taken, %d refused: the lengths are not those about the bound", taken, refused)
	}
	r, err := client.NewReceiverForSubscription("t", "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	receive(t, r, taken)
}
