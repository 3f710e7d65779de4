package broker_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// What an entity is not open for fails, on links that were there before too; what
// it holds can be seen all the same (service-bus entity-suspend).
func TestAnEntityIsOpenForWhatItsStatusSays(t *testing.T) {
	for _, c := range []struct {
		status           broker.Status
		sends, handsOver bool
	}{
		{broker.StatusActive, true, true},
		{broker.StatusSendDisabled, false, true},
		{broker.StatusReceiveDisabled, true, false},
		{broker.StatusDisabled, false, false},
	} {
		t.Run(string(c.status), func(t *testing.T) { testStatus(t, c.status, c.sends, c.handsOver) })
	}
}

func testStatus(t *testing.T, status broker.Status, sends, handsOver bool) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q"}}})
	client := connect(t, s)
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	planned, err := sender.ScheduleMessages(deadline(t), []*azservicebus.Message{{}}, later, nil)
	if err != nil {
		t.Fatal(err)
	}
	send(t, client, "q", "deferred", "a", "b", "c")
	r := receiver(t, client, nil)
	deferred := receiveOne(t, r)
	if err := r.DeferMessage(deadline(t), deferred, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.UpdateQueue(broker.Queue{Name: "q", Status: status, UserMetadata: "changed"}); err != nil {
		t.Fatal(err)
	}
	wantTurnedAway(t, "send", !sends, sender.SendMessage(deadline(t), &azservicebus.Message{}, nil))
	got, err := r.ReceiveMessages(deadline(t), 1, nil)
	if err == nil && len(got) == 0 { // the link went meanwhile, which the client doesn't tell
		_, err = r.ReceiveMessages(deadline(t), 1, nil)
	}
	wantTurnedAway(t, "receive", !handsOver, err)
	p := openPeer(t, s)
	p.begin()
	node := openRPC(p, "q/$management", "me")
	numbers := func(n int64) wire.Pair { return wire.Pair{Key: "sequence-numbers", Value: wire.ArrayOf(n)} }
	for _, ask := range []struct {
		operation string
		works     bool
		arguments wire.Map
	}{
		{"peek-message", true, wire.Map{{Key: "from-sequence-number", Value: int64(1)}, {Key: "message-count", Value: int32(1)}}},
		{"get-message-sessions", true, wire.Map{{Key: "skip", Value: int32(0)}, {Key: "top", Value: int32(1)}}},
		{"schedule-message", sends, wire.Map{{Key: "messages", Value: wire.List{wire.Map{{Key: "message", Value: text("x")}}}}}},
		{"cancel-scheduled-message", sends, wire.Map{numbers(planned[0])}},
		{"receive-by-sequence-number", handsOver, wire.Map{numbers(*deferred.SequenceNumber), {Key: "receiver-settle-mode", Value: uint32(1)}}},
		{"batch-delete-messages", handsOver, wire.Map{
			{Key: "message-count", Value: int32(1)}, {Key: "enqueued-time-utc", Value: wire.Timestamp(later.UnixMilli())},
		}},
	} {
		answer, _ := node.call("me", operation("com.microsoft:"+ask.operation), ask.arguments)
		wantTurnedAway(t, ask.operation, !ask.works, answerError(t, answer))
	}
}

// answerError is what an answer of $management says that went wrong, nil for nothing.
func answerError(t *testing.T, answer wire.Map) error {
	if status(t, answer) < 300 {
		return nil
	}
	condition, _ := answer.Get("errorCondition")
	description, _ := answer.Get("statusDescription")
	return &amqp.Error{Condition: amqp.ErrCond(fmt.Sprint(condition)), Description: fmt.Sprint(description)}
}

// wantTurnedAway checks that something failed because the entity is disabled, or
// that it worked.
func wantTurnedAway(t *testing.T, what string, want bool, err error) {
	t.Helper()
	var fault *amqp.Error
	switch {
	case !want && err != nil:
		t.Errorf("%s: %v", what, err)
	case want && (!errors.As(err, &fault) || fault.Condition != "com.microsoft:entity-disabled"):
		t.Errorf("%s: %v, want that the entity is disabled", what, err)
	}
}

// A topic that is disabled leaves what its subscriptions hold to their receivers, and
// a subscription that is disabled gets what is sent, for later.
func TestTopicAndSubscriptionAreOpenEachForItself(t *testing.T) {
	for _, topic := range []broker.Status{broker.StatusActive, broker.StatusSendDisabled, broker.StatusDisabled} {
		for _, sub := range []broker.Status{broker.StatusActive, broker.StatusReceiveDisabled, broker.StatusDisabled} {
			t.Run(fmt.Sprintf("%s %s", topic, sub), func(t *testing.T) {
				s := start(t, broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{subscription("a")}}}})
				client := connect(t, s)
				send(t, client, "t", "before")
				if err := s.UpdateTopic(broker.Topic{Name: "t", Status: topic}); err != nil {
					t.Fatal(err)
				}
				closed := subscription("a")
				closed.Status = sub
				if err := s.UpdateSubscription("t", closed); err != nil {
					t.Fatal(err)
				}
				sender, err := client.NewSender("t", nil)
				if err != nil {
					t.Fatal(err)
				}
				want := 2
				if topic != broker.StatusActive {
					want = 1
				}
				wantTurnedAway(t, "send", want == 1, sender.SendMessage(deadline(t), &azservicebus.Message{}, nil))
				r, err := client.NewReceiverForSubscription("t", "a", nil)
				if err != nil {
					t.Fatal(err)
				}
				if sub != broker.StatusActive {
					_, err := r.ReceiveMessages(deadline(t), 1, nil)
					wantTurnedAway(t, "receive", true, err)
					if err := s.UpdateSubscription("t", subscription("a")); err != nil {
						t.Fatal(err)
					}
				}
				receive(t, r, want)
			})
		}
	}
}
