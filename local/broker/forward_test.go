package broker_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
)

var fromDeadLetters = &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter}

// A message keeps the number that it got first, and a dead letter says where it
// became one.
func TestForwarding(t *testing.T) {
	s := start(t, broker.Options{
		Queues: []broker.Queue{
			{Name: "q", ForwardTo: "Next"},
			{Name: "next", ForwardTo: "Topic"},
			{Name: "dead"},
		},
		Topics: []broker.Topic{{Name: "topic", Subscriptions: []broker.Subscription{{Name: "s", ForwardDeadLetteredMessagesTo: "dead"}}}},
	})
	client := connect(t, s)
	send(t, client, "next", "direct") // so that the numbers differ
	send(t, client, "dead", "direct")
	send(t, client, "q", "a")
	for _, name := range []string{"q", "next"} {
		if got := counts(t, s, name); got != (broker.Counts{}) {
			t.Errorf("%s has %+v", name, got)
		}
	}
	r := subscribe(t, client, "topic", "s", nil)
	messages := receive(t, r, 2)
	for i, want := range []struct {
		body       string
		seq, first int64
	}{{"direct", 1, 1}, {"a", 2, 1}} {
		if m := messages[i]; string(m.Body) != want.body || *m.SequenceNumber != want.seq || *m.EnqueuedSequenceNumber != want.first || m.DeadLetterSource != nil {
			t.Errorf("received %q with numbers %d and %d from %v, want %+v", m.Body, *m.SequenceNumber, *m.EnqueuedSequenceNumber, m.DeadLetterSource, want)
		}
	}
	reason := "Poison"
	if err := r.DeadLetterMessage(deadline(t), messages[1], &azservicebus.DeadLetterOptions{Reason: &reason}); err != nil {
		t.Fatal(err)
	}
	if got := counts(t, s, "topic/Subscriptions/s"); got != (broker.Counts{Locked: 1}) {
		t.Errorf("the subscription has %+v", got)
	}
	letters := receive(t, receiverOf(t, client, "dead", nil), 2)
	if direct := letters[0]; direct.EnqueuedSequenceNumber != nil || direct.DeadLetterSource != nil {
		t.Errorf("what was not forwarded has number %v and source %v", direct.EnqueuedSequenceNumber, direct.DeadLetterSource)
	}
	if m := letters[1]; string(m.Body) != "a" || *m.DeadLetterReason != reason || *m.DeadLetterSource != "topic/Subscriptions/s" ||
		*m.EnqueuedSequenceNumber != 1 || *m.SequenceNumber != 2 {
		t.Errorf("received %q, %q from %q with numbers %d and %d", m.Body, *m.DeadLetterReason, *m.DeadLetterSource, *m.EnqueuedSequenceNumber, *m.SequenceNumber)
	}
}

func TestForwardingThatFailsIsDeadLettered(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{
		{Name: "q", ForwardTo: "2"}, {Name: "2", ForwardTo: "3"}, {Name: "3", ForwardTo: "4"}, {Name: "4", ForwardTo: "5"},
		{Name: "5", ForwardTo: "6"}, {Name: "6"},
		{Name: "round", ForwardTo: "about"}, {Name: "about", ForwardTo: "round"},
		{Name: "lost", ForwardTo: "nowhere"}, {Name: "nowhere"},
		{Name: "unnamed", ForwardTo: "sessions"}, {Name: "sessions", RequiresSession: true},
		{Name: "turned away", ForwardTo: "closed"}, {Name: "closed", Status: broker.StatusSendDisabled},
		{Name: "too much", ForwardTo: "small"}, {Name: "small", MaxSizeInMegabytes: 1},
	}})
	client := connect(t, s)
	send(t, client, "small", strings.Repeat("x", 1<<19), strings.Repeat("x", 1<<19-1000))
	if err := s.DeleteQueue("nowhere"); err != nil {
		t.Fatal(err)
	}
	hops := "The maximum number of allowed hops when forwarding between queues has been exceeded. This value is set to 4."
	for from, want := range map[string]struct{ in, reason, description string }{
		"q":           {"5", "MaxTransferHopCountExceeded", hops},
		"round":       {"round", "MaxTransferHopCountExceeded", hops},
		"lost":        {"lost", "The messaging entity 'nowhere' could not be found. status-code: 404", "could not be found"},
		"unnamed":     {"unnamed", "Session ID is null.", "Session enabled entity doesn't allow a message whose session identifier is null."},
		"turned away": {"turned away", "Messaging entity 'closed' is currently disabled for Send operations.", "disabled"},
		"too much":    {"too much", "", "The maximum entity size has been reached or exceeded for 'small'."},
	} {
		send(t, client, from, strings.Repeat("x", 2000))
		m := receiveOne(t, receiverOf(t, client, want.in, fromDeadLetters))
		if want.reason != "" && *m.DeadLetterReason != want.reason || !strings.Contains(*m.DeadLetterErrorDescription, want.description) {
			t.Errorf("%s: %q, %q; want %+v", from, *m.DeadLetterReason, *m.DeadLetterErrorDescription, want)
		}
		if *m.SequenceNumber != 1 && from != "round" {
			t.Errorf("%s: number %d, want the first", from, *m.SequenceNumber)
		}
	}
}

// What comes to a topic over as many queues as there may be is given to its
// subscriptions: among the dead letters of the topic nobody would find it. There it goes
// no further.
func TestATopicAtTheEndOfTheHops(t *testing.T) {
	s := start(t, broker.Options{
		Queues: []broker.Queue{
			{Name: "q", ForwardTo: "2"}, {Name: "2", ForwardTo: "3"}, {Name: "3", ForwardTo: "4"}, {Name: "4", ForwardTo: "t"}, {Name: "5"},
		},
		Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{{Name: "end"}, {Name: "on", ForwardTo: "5"}}}},
	})
	client := connect(t, s)
	send(t, client, "q", "a")
	if m := receiveOne(t, subscribe(t, client, "t", "end", nil)); string(m.Body) != "a" {
		t.Errorf("received %q", m.Body)
	}
	if m := receiveOne(t, subscribe(t, client, "t", "on", fromDeadLetters)); *m.DeadLetterReason != "MaxTransferHopCountExceeded" {
		t.Errorf("dead letter %q", *m.DeadLetterReason)
	}
	if got := counts(t, s, "t"); got != (broker.Counts{}) {
		t.Errorf("the topic has %+v", got)
	}
}

// A time that an action sets means nothing to the subscription, but to the queue that
// the message goes on to.
func TestATimeThatAnActionSetsCountsWhereItIsForwarded(t *testing.T) {
	later := broker.Rule{Name: "later", Action: "SET sys.ScheduledEnqueueTimeUtc = @later", ActionParameters: map[string]any{"later": time.Now().Add(time.Hour)}}
	s := start(t, broker.Options{
		Queues: []broker.Queue{{Name: "q"}},
		Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{{Name: "s", ForwardTo: "q", Rules: []broker.Rule{later}}}}},
	})
	client := connect(t, s)
	sendTo(t, client, "t", &azservicebus.Message{Body: []byte("a")})
	wantCounts(t, s, broker.Counts{Scheduled: 1})
	peeked, err := receiver(t, client, nil).PeekMessages(deadline(t), 1, nil)
	if err != nil || len(peeked) != 1 || *peeked[0].EnqueuedSequenceNumber != 1 {
		t.Errorf("peeked %v, %v", peeked, err)
	}
}

// What can't be forwarded stays among the dead letters, once.
func TestADeadLetterThatNobodyTakesStays(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q", ForwardDeadLetteredMessagesTo: "dead"}, {Name: "dead"}}})
	client := connect(t, s)
	if err := s.DeleteQueue("dead"); err != nil {
		t.Fatal(err)
	}
	send(t, client, "q", "a")
	r := receiver(t, client, nil)
	if err := r.DeadLetterMessage(deadline(t), receiveOne(t, r), &azservicebus.DeadLetterOptions{Reason: to.Ptr("mine")}); err != nil {
		t.Fatal(err)
	}
	if got := counts(t, s, "q"); got != (broker.Counts{DeadLettered: 1}) {
		t.Errorf("counts %+v", got)
	}
	if err := s.UpdateQueue(broker.Queue{Name: "q"}); err != nil {
		t.Fatal(err)
	}
	if m := receiveOne(t, deadLetters(t, client)); *m.DeadLetterReason != "mine" || m.DeadLetterSource != nil || m.EnqueuedSequenceNumber != nil {
		t.Errorf("dead letter %q from %v, first number %v", *m.DeadLetterReason, m.DeadLetterSource, m.EnqueuedSequenceNumber)
	}
}

func TestNobodyReceivesWhatIsForwarded(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{
		{Name: "on", ForwardTo: "q"}, {Name: "dead", ForwardDeadLetteredMessagesTo: "q"}, {Name: "q"},
	}})
	client := connect(t, s)
	for name, options := range map[string]*azservicebus.ReceiverOptions{"on": nil, "dead": fromDeadLetters} {
		_, err := receiverOf(t, client, name, options).ReceiveMessages(deadline(t), 1, nil)
		var refused *amqp.Error
		if !errors.As(err, &refused) || refused.Condition != amqp.ErrCondNotAllowed ||
			!strings.Contains(refused.Description, "Cannot create a message receiver on an entity with auto-forwarding enabled.") {
			t.Errorf("receive from %s: %v", name, err)
		}
	}
	// The other side of each is open.
	send(t, client, "dead", "x")
	receiveOne(t, receiverOf(t, client, "dead", nil))
	if _, err := receiverOf(t, client, "on", fromDeadLetters).PeekMessages(deadline(t), 1, nil); err != nil {
		t.Error(err)
	}
}

func TestForwardingNeedsATarget(t *testing.T) {
	s := start(t, broker.Options{
		Queues: []broker.Queue{{Name: "q"}, {Name: "sessions", RequiresSession: true}},
		Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{{Name: "s"}}}},
	})
	client := administer(t, s)
	const missing = "SubCode=40400."
	for _, test := range []struct {
		properties admin.QueueProperties
		want       string
	}{
		{admin.QueueProperties{ForwardTo: to.Ptr("none")}, missing},
		{admin.QueueProperties{ForwardTo: to.Ptr("new")}, "SubCode=40"}, // itself
		{admin.QueueProperties{ForwardDeadLetteredMessagesTo: to.Ptr("none")}, missing},
		{admin.QueueProperties{ForwardTo: to.Ptr("t/Subscriptions/s")}, missing},
		{admin.QueueProperties{ForwardTo: to.Ptr("q"), RequiresSession: to.Ptr(true)}, "SubCode=40000."},
	} {
		_, err := client.CreateQueue(deadline(t), "new", &admin.CreateQueueOptions{Properties: &test.properties})
		if err == nil || !contains(err, "400") || !contains(err, test.want) {
			t.Errorf("%+v: %v, want %s", test.properties, err, test.want)
		}
	}
	for _, err := range []error{
		s.UpdateQueue(broker.Queue{Name: "q", ForwardTo: "none"}), s.UpdateQueue(broker.Queue{Name: "q", ForwardTo: "Q"}),
		s.UpdateQueue(broker.Queue{Name: "sessions", RequiresSession: true, ForwardTo: "q"}),
		s.CreateSubscription("t", broker.Subscription{Name: "on", ForwardTo: "none"}),
		s.UpdateSubscription("t", broker.Subscription{Name: "s", ForwardDeadLetteredMessagesTo: "none"}),
	} {
		if err == nil {
			t.Error("forwarding to what is not there was taken")
		}
	}
	if _, err := broker.New(broker.Options{
		Queues: []broker.Queue{{Name: "q", ForwardTo: "one"}},
		Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{{Name: "s", ForwardTo: "two"}}}},
	}); err == nil || !contains(err, `"one"`) || !contains(err, `"two"`) {
		t.Errorf("options: %v, want both targets named", err)
	}
	// What forwards is in use.
	if err := s.UpdateQueue(broker.Queue{Name: "q", ForwardTo: "sessions", AutoDeleteOnIdle: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if got, err := client.GetQueue(deadline(t), "q", nil); err != nil || !strings.HasPrefix(*got.AutoDeleteOnIdle, "P10675199D") {
		t.Errorf("AutoDeleteOnIdle = %v, %v", got, err)
	}
}
