package broker_test

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
)

// lifetime runs a server on a folder for as long as f takes.
func lifetime(t *testing.T, options broker.Options, f func(s *broker.Server, client *azservicebus.Client)) {
	t.Helper()
	t.Run("", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := startOn(t, l, options)
		f(s, connect(t, s))
	})
}

// What was made is there in the next life: entities with all that they are, and
// what they hold.
func TestEntitiesOutliveTheServer(t *testing.T) {
	folder := t.TempDir()
	first := broker.Options{Data: folder, Queues: []broker.Queue{{Name: "gone"}, {Name: "q", MaxDeliveryCount: 3}}}
	lifetime(t, first, func(s *broker.Server, client *azservicebus.Client) {
		rule := broker.Rule{Name: "r", SQL: "n = @n", Parameters: map[string]any{"@n": int64(1)}, Action: "SET seen = TRUE"}
		err := s.CreateTopic(broker.Topic{Name: "Topic", Subscriptions: []broker.Subscription{
			{Name: "all", RequiresSession: true}, {Name: "some", Rules: []broker.Rule{rule}}, {Name: "gone"},
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range []error{
			s.CreateRule("topic", "some", broker.Rule{Name: "more", SQL: "n = 2"}), s.DeleteRule("topic", "all", "$Default"),
			s.CreateRule("topic", "all", broker.Rule{Name: "new"}), s.DeleteSubscription("topic", "gone"), s.DeleteQueue("gone"),
			s.UpdateQueue(broker.Queue{Name: "q", MaxDeliveryCount: 5, UserMetadata: "kept"}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		sendTo(t, client, "topic", &azservicebus.Message{SessionID: to.Ptr("a"), Body: []byte("1"), ApplicationProperties: map[string]any{"n": int64(1)}})
		send(t, client, "q", "x", "y", "z")
		r := receiverOf(t, client, "q", nil)
		messages := receive(t, r, 3)
		if err := r.CompleteMessage(deadline(t), messages[0], nil); err != nil {
			t.Fatal(err)
		}
		if err := r.AbandonMessage(deadline(t), messages[1], &azservicebus.AbandonMessageOptions{PropertiesToModify: map[string]any{"why": "later"}}); err != nil {
			t.Fatal(err)
		}
		if err := r.DeferMessage(deadline(t), messages[2], nil); err != nil {
			t.Fatal(err)
		}
		sender, err := client.NewSender("q", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sender.ScheduleMessages(deadline(t), []*azservicebus.Message{{}}, time.Now().Add(time.Hour), nil); err != nil {
			t.Fatal(err)
		}
	})
	lifetime(t, broker.Options{Data: folder}, func(s *broker.Server, client *azservicebus.Client) {
		if got, want := counts(t, s, "q"), (broker.Counts{Active: 1, Deferred: 1, Scheduled: 1}); got != want {
			t.Errorf("q has %+v, want %+v", got, want)
		}
		if m := receiveOne(t, receiverOf(t, client, "q", nil)); string(m.Body) != "y" || m.DeliveryCount != 2 || m.ApplicationProperties["why"] != "later" {
			t.Errorf("received %q, delivery %d, %v", m.Body, m.DeliveryCount, m.ApplicationProperties)
		}
		for _, gone := range []string{"gone", "topic/subscriptions/gone"} {
			if _, err := s.Counts(gone); err == nil {
				t.Errorf("%s is there again", gone)
			}
		}
		got, err := administer(t, s).GetQueue(deadline(t), "q", nil)
		if err != nil || *got.MaxDeliveryCount != 5 || *got.UserMetadata != "kept" {
			t.Errorf("q is %+v, %v", got, err)
		}
		sendTo(t, client, "topic", &azservicebus.Message{SessionID: to.Ptr("a"), Body: []byte("2"), ApplicationProperties: map[string]any{"n": int64(2)}})
		if got := bodies(receive(t, subscribe(t, client, "topic", "some", nil), 2)); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("some received %v", got)
		}
		session, err := client.AcceptSessionForSubscription(deadline(t), "topic", "all", "a", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := bodies(receiveIn(t, session, 2)); !slices.Equal(got, []string{"1", "2"}) {
			t.Errorf("all received %v", got)
		}
	})
	lifetime(t, broker.Options{Data: folder}, func(s *broker.Server, _ *azservicebus.Client) {
		if err := s.UpdateSubscription("topic", broker.Subscription{Name: "some", DeadLetteringOnFilterEvaluationExceptions: true}); err != nil {
			t.Fatal(err)
		}
	})
	lifetime(t, broker.Options{Data: folder}, func(s *broker.Server, _ *azservicebus.Client) {
		got, err := administer(t, s).GetSubscription(deadline(t), "topic", "some", nil)
		if err != nil || !*got.EnableDeadLetteringOnFilterEvaluationExceptions {
			t.Errorf("some is %+v, %v", got, err)
		}
	})
	// The options of a later life count for what can change.
	lifetime(t, broker.Options{Data: folder, Queues: []broker.Queue{{Name: "q", MaxDeliveryCount: 7}}}, func(s *broker.Server, _ *azservicebus.Client) {
		if got, err := administer(t, s).GetQueue(deadline(t), "q", nil); err != nil || *got.MaxDeliveryCount != 7 {
			t.Errorf("q is %+v, %v", got, err)
		}
	})
	if _, err := broker.New(broker.Options{Data: folder, Queues: []broker.Queue{{Name: "q", RequiresSession: true}}}); err == nil {
		t.Error("a queue with messages became one with sessions")
	}
}
