package broker_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
)

func sendTo(t *testing.T, client *azservicebus.Client, topic string, messages ...*azservicebus.Message) {
	t.Helper()
	sender, err := client.NewSender(topic, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if err := sender.SendMessage(deadline(t), m, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func subscribe(t *testing.T, client *azservicebus.Client, topic, name string, options *azservicebus.ReceiverOptions) *azservicebus.Receiver {
	t.Helper()
	r, err := client.NewReceiverForSubscription(topic, name, options)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func subscription(name string, rules ...broker.Rule) broker.Subscription {
	return broker.Subscription{Name: name, Rules: rules}
}

func TestATopicGivesMessagesToWhoWantsThem(t *testing.T) {
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "orders", Subscriptions: []broker.Subscription{
		subscription("all"),
		subscription("big", broker.Rule{Name: "big", SQL: "amount > 100 AND sys.Label = 'order'"}),
		subscription("red", broker.Rule{Name: "red", Correlation: &broker.CorrelationFilter{Label: to.Ptr("order"), Properties: map[string]any{"colour": "red"}}}),
		subscription("either", broker.Rule{Name: "a", SQL: "amount > 100"}, broker.Rule{Name: "b", SQL: "colour = 'red'"}),
		subscription("none", broker.Rule{Name: "never", SQL: "1 = 0"}),
	}}}})
	client := connect(t, s)
	message := func(body, colour string, amount int64) *azservicebus.Message {
		return &azservicebus.Message{
			Body: []byte(body), Subject: to.Ptr("order"), ApplicationProperties: map[string]any{"colour": colour, "amount": amount},
		}
	}
	sendTo(t, client, "Orders", message("1", "blue", 7), message("2", "red", 500), message("3", "red", 1))
	for name, want := range map[string][]string{"all": {"1", "2", "3"}, "big": {"2"}, "red": {"2", "3"}, "either": {"2", "3"}} {
		if got := bodies(receive(t, subscribe(t, client, "orders", name, nil), len(want))); !slices.Equal(got, want) {
			t.Errorf("%s received %v, want %v", name, got, want)
		}
	}
	if got := counts(t, s, "orders/Subscriptions/none"); got != (broker.Counts{}) {
		t.Errorf("none has %+v", got)
	}
}

func TestAnActionChangesItsCopy(t *testing.T) {
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{
		subscription("s", broker.Rule{Name: "plain"}, broker.Rule{
			Name: "marked", SQL: "n = @n", Parameters: map[string]any{"@n": int64(1)},
			Action:           "SET mark = 'x' + sys.MessageId; REMOVE secret; SET sys.Label = 'changed'; SET sys.ScheduledEnqueueTimeUtc = @later",
			ActionParameters: map[string]any{"@later": time.Now().Add(time.Hour)},
		}),
	}}}})
	client := connect(t, s)
	sendTo(t, client, "t", &azservicebus.Message{
		Body: []byte("a"), MessageID: to.Ptr("id"), Subject: to.Ptr("was"), ApplicationProperties: map[string]any{"n": int64(1), "secret": true},
	})
	messages := receive(t, subscribe(t, client, "t", "s", nil), 2)
	slices.SortFunc(messages, func(a, b *azservicebus.ReceivedMessage) int {
		return len(a.ApplicationProperties) - len(b.ApplicationProperties)
	})
	plain, marked := messages[0], messages[1]
	if *plain.Subject != "was" || plain.ApplicationProperties["secret"] != true || len(plain.ApplicationProperties) != 2 {
		t.Errorf("plain copy: %q, %v", *plain.Subject, plain.ApplicationProperties)
	}
	if marked.ScheduledEnqueueTime == nil {
		t.Error("the time that the action has set is not there")
	}
	if p := marked.ApplicationProperties; *marked.Subject != "changed" || p["mark"] != "xid" || p["secret"] != nil || p["RuleName"] != "marked" || string(marked.Body) != "a" {
		t.Errorf("changed copy: %q, %v", *marked.Subject, p)
	}
}

func TestRulesComeAndGo(t *testing.T) {
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{subscription("s")}}}})
	client := connect(t, s)
	send := func(n int) {
		sendTo(t, client, "t", &azservicebus.Message{ApplicationProperties: map[string]any{"n": int64(n)}, Body: []byte(fmt.Sprint(n))})
	}
	if err := s.CreateRule("t", "s", broker.Rule{Name: "$default"}); !errors.Is(err, broker.ErrEntityExists) {
		t.Errorf("the default rule is not there: %v", err)
	}
	send(1)
	if err := s.DeleteRule("t", "s", "$Default"); err != nil {
		t.Fatal(err)
	}
	send(2)
	if err := s.CreateRule("t", "s", broker.Rule{Name: "three", SQL: "n = 3"}); err != nil {
		t.Fatal(err)
	}
	send(3)
	if err := s.UpdateRule("t", "s", broker.Rule{Name: "three", SQL: "n = 4"}); err != nil {
		t.Fatal(err)
	}
	send(3)
	send(4)
	if got := bodies(receive(t, subscribe(t, client, "t", "s", nil), 3)); !slices.Equal(got, []string{"1", "3", "4"}) {
		t.Errorf("received %v", got)
	}
	for _, err := range []error{
		s.DeleteRule("t", "s", "none"), s.UpdateRule("t", "s", broker.Rule{Name: "none"}), s.CreateRule("t", "none", broker.Rule{Name: "r"}),
		s.CreateSubscription("none", broker.Subscription{Name: "s"}), s.DeleteSubscription("t", "none"), s.DeleteTopic("none"),
		s.UpdateTopic(broker.Topic{Name: "none"}), s.UpdateSubscription("t", broker.Subscription{Name: "none"}),
	} {
		if !errors.Is(err, broker.ErrUnknownEntity) {
			t.Errorf("error %v, want ErrUnknownEntity", err)
		}
	}
}

func TestATopicAsAQueue(t *testing.T) {
	s := start(t, broker.Options{
		Queues: []broker.Queue{{Name: "archive"}},
		Topics: []broker.Topic{{Name: "t", RequiresDuplicateDetection: true, Subscriptions: []broker.Subscription{
			{Name: "s", RequiresSession: true}, {Name: "copy", ForwardTo: "archive"},
		}}},
	})
	client := connect(t, s)
	// Duplicates are dropped before the subscriptions see them, and what is
	// scheduled waits in the topic, where it can be cancelled.
	sendTo(t, client, "t", &azservicebus.Message{MessageID: to.Ptr("1"), SessionID: to.Ptr("a")}, &azservicebus.Message{MessageID: to.Ptr("1"), SessionID: to.Ptr("a")})
	sender, err := client.NewSender("t", nil)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := sender.ScheduleMessages(deadline(t), []*azservicebus.Message{{}}, time.Now().Add(time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := counts(t, s, "t"); got != (broker.Counts{Scheduled: 1}) {
		t.Errorf("the topic has %+v", got)
	}
	if err := sender.CancelScheduledMessages(deadline(t), numbers, nil); err != nil {
		t.Fatal(err)
	}
	if got := counts(t, s, "archive"); got != (broker.Counts{Active: 1}) {
		t.Errorf("the archive has %+v", got)
	}
	if got := counts(t, s, "t/Subscriptions/s"); got != (broker.Counts{Active: 1}) {
		t.Errorf("the subscription has %+v", got)
	}
	if r, err := client.AcceptSessionForSubscription(deadline(t), "t", "s", "a", nil); err != nil || len(receiveIn(t, r, 1)) != 1 {
		t.Errorf("session of a subscription: %v", err)
	}
	// Without a session, a message for such a subscription is a dead letter there.
	sendTo(t, client, "t", &azservicebus.Message{MessageID: to.Ptr("2")})
	dead := subscribe(t, client, "t", "s", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	if m := receiveOne(t, dead); *m.DeadLetterReason != "Session ID is null." {
		t.Errorf("reason %q", *m.DeadLetterReason)
	}
	var fault *amqp.Error
	if _, err := receiverOf(t, client, "t", nil).ReceiveMessages(deadline(t), 1, nil); !errors.As(err, &fault) || fault.Condition != "amqp:not-allowed" {
		t.Errorf("receive from a topic: %v", err)
	}
}

func TestARuleThatFails(t *testing.T) {
	rule := broker.Rule{Name: "r", SQL: "colour + 1 > 2"}
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{
		{Name: "silent", Rules: []broker.Rule{rule}},
		{Name: "loud", Rules: []broker.Rule{rule}, DeadLetteringOnFilterEvaluationExceptions: true},
	}}}})
	client := connect(t, s)
	sendTo(t, client, "t", &azservicebus.Message{ApplicationProperties: map[string]any{"colour": true}})
	if got := counts(t, s, "t/subscriptions/silent"); got != (broker.Counts{}) {
		t.Errorf("silent has %+v", got)
	}
	if got := counts(t, s, "t/subscriptions/loud"); got != (broker.Counts{DeadLettered: 1}) {
		t.Errorf("loud has %+v", got)
	}
}

// However many rules fail, the dead letter that tells of it can be settled.
func TestManyRulesThatFail(t *testing.T) {
	rules := make([]broker.Rule, 1000)
	for i := range rules {
		rules[i] = broker.Rule{Name: fmt.Sprint(i), SQL: fmt.Sprintf("sys.Unknown%d = 1", i)}
	}
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{
		{Name: "s", DeadLetteringOnFilterEvaluationExceptions: true, Rules: rules},
	}}}})
	client := connect(t, s)
	sendTo(t, client, "t", &azservicebus.Message{Body: []byte("a")})
	dead := subscribe(t, client, "t", "s", fromDeadLetters)
	m := receiveOne(t, dead)
	if got := *m.DeadLetterErrorDescription; len(got) > 9<<10 || !strings.Contains(got, "Unknown0") {
		t.Errorf("a description of %d bytes", len(got))
	}
	set := &azservicebus.AbandonMessageOptions{PropertiesToModify: map[string]any{"n": 1}}
	if err := dead.AbandonMessage(deadline(t), m, set); err != nil {
		t.Error(err)
	}
}

func TestTopicsReportEveryFault(t *testing.T) {
	_, err := broker.New(broker.Options{MaxConnections: -1, Queues: []broker.Queue{{Name: "q"}}, Topics: []broker.Topic{
		{Name: "t", Status: "odd", Subscriptions: []broker.Subscription{
			{Name: "a/b"}, {Name: "twice"}, {Name: "TWICE"}, {Name: "s", LockDuration: time.Hour, Rules: []broker.Rule{
				{Name: "r", SQL: "a ="}, {Name: "both", SQL: "1=1", Correlation: &broker.CorrelationFilter{}}, {Name: ""}, {Name: "x", Action: "DROP a"},
				{Name: "x"},
			}},
		}},
		{Name: "$t"}, {Name: "Q"},
	}})
	for _, want := range []string{
		"MaxConnections", `"odd"`, `subscription "a/b"`, `"TWICE": the name is used twice`, "LockDuration", `rule "r"`, `rule "both"`, `rule ""`, "DROP",
		`rule "x": the name is used twice`, `topic "$t"`, `topic "Q": the name is used twice`,
	} {
		if err == nil || !contains(err, want) {
			t.Errorf("%q is not in the error: %v", want, err)
		}
	}
}

// A topic is made with all its subscriptions, or not at all.
func TestATopicIsMadeWhole(t *testing.T) {
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "target"}}})
	topic := broker.Topic{Name: "t", Subscriptions: []broker.Subscription{
		subscription("a"), {Name: "b", ForwardTo: "none"}, {Name: "c", ForwardTo: "neither"}, {Name: "d", ForwardTo: "t"},
	}}
	if err := s.CreateTopic(topic); err == nil || !contains(err, `"none"`) || !contains(err, `"neither"`) {
		t.Errorf("error %v, want both targets named", err)
	}
	for _, name := range []string{"t", "t/Subscriptions/a"} {
		if _, err := s.Counts(name); !errors.Is(err, broker.ErrUnknownEntity) {
			t.Errorf("%s: %v, want it to be unknown", name, err)
		}
	}
	topic.Subscriptions[1].ForwardTo, topic.Subscriptions[2].ForwardTo = "target", ""
	if err := s.CreateTopic(topic); err != nil {
		t.Error(err)
	}
}

// What a topic passes on in the middle of its update must not wait for the update.
func TestAnUpdateOfATopicPassesOnWhatIsDue(t *testing.T) {
	var ahead atomic.Int64
	s := start(t, broker.Options{
		Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{subscription("s")}}},
		Now:    func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	sender, err := connect(t, s).NewSender("t", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sender.ScheduleMessages(deadline(t), []*azservicebus.Message{{}}, time.Now().Add(time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	ahead.Store(int64(2 * time.Hour))
	if err := s.UpdateTopic(broker.Topic{Name: "t", UserMetadata: "new"}); err != nil {
		t.Fatal(err)
	}
	if got := counts(t, s, "t/Subscriptions/s"); got != (broker.Counts{Active: 1}) {
		t.Errorf("the subscription has %+v", got)
	}
}

func TestDeletingATopicEndsItsSubscriptions(t *testing.T) {
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{subscription("s"), subscription("gone")}}}})
	client := connect(t, s)
	if err := s.DeleteSubscription("t", "gone"); err != nil {
		t.Fatal(err)
	}
	sendTo(t, client, "t", &azservicebus.Message{Body: []byte("a")})
	if err := s.DeleteTopic("T"); err != nil {
		t.Fatal(err)
	}
	_, err := subscribe(t, client, "t", "s", nil).ReceiveMessages(deadline(t), 1, nil)
	wantCode(t, err, azservicebus.CodeNotFound)
	if err := s.CreateTopic(broker.Topic{Name: "t", Subscriptions: []broker.Subscription{subscription("s")}}); err != nil {
		t.Fatal(err)
	}
	if got := counts(t, s, "t/Subscriptions/s"); got != (broker.Counts{}) {
		t.Errorf("the new subscription has %+v", got)
	}
}

func contains(err error, text string) bool { return strings.Contains(err.Error(), text) }

// A message lives no longer than its topic says, whatever the subscription says.
func TestATopicsTimeToLive(t *testing.T) {
	var later atomic.Int64
	s := start(t, broker.Options{
		Now: func() time.Time { return time.Now().Add(time.Duration(later.Load())) },
		Topics: []broker.Topic{{Name: "t", DefaultMessageTimeToLive: time.Hour, Subscriptions: []broker.Subscription{
			{Name: "plain", DefaultMessageTimeToLive: 2 * time.Hour},
			subscription("changed", broker.Rule{Name: "r", Action: "SET a = 1"}),
		}}},
	})
	client := connect(t, s)
	sendTo(t, client, "t", &azservicebus.Message{Body: []byte("a"), TimeToLive: to.Ptr(3 * time.Hour)}, &azservicebus.Message{Body: []byte("b")})
	for _, step := range []struct {
		at   time.Duration
		want int
	}{{59 * time.Minute, 2}, {61 * time.Minute, 0}} {
		later.Store(int64(step.at))
		for _, name := range []string{"plain", "changed"} {
			from := int64(0)
			got, err := subscribe(t, client, "t", name, nil).PeekMessages(deadline(t), 9, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
			if err != nil || len(got) != step.want {
				t.Errorf("after %v, %s has %d messages, %v; want %d", step.at, name, len(got), err, step.want)
			}
		}
	}
}

// An action may remove every system property that it may set, and what comes is a
// message that the clients can read.
func TestSystemPropertiesThatAnActionRemoves(t *testing.T) {
	rule := broker.Rule{Name: "r", Action: "REMOVE sys.ContentType; REMOVE sys.CorrelationId; REMOVE sys.Label; REMOVE sys.MessageId; " +
		"REMOVE sys.PartitionKey; REMOVE sys.ReplyTo; REMOVE sys.ReplyToSessionId; REMOVE sys.ScheduledEnqueueTimeUtc; REMOVE sys.SessionId; " +
		"REMOVE sys.TimeToLive; REMOVE sys.To; REMOVE sys.ViaPartitionKey"}
	client := connect(t, start(t, broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{subscription("s", rule)}}}}))
	text, past := to.Ptr("x"), time.Now().Add(-time.Hour)
	sendTo(t, client, "t", &azservicebus.Message{
		Body: []byte("a"), ContentType: text, CorrelationID: text, MessageID: text, PartitionKey: text, ReplyTo: text, ReplyToSessionID: text,
		ScheduledEnqueueTime: &past, SessionID: text, Subject: text, TimeToLive: to.Ptr(time.Hour), To: text,
	})
	m := receiveOne(t, subscribe(t, client, "t", "s", nil))
	if string(m.Body) != "a" || m.ContentType != nil || m.CorrelationID != nil || m.MessageID == *text || m.PartitionKey != nil || m.ReplyTo != nil ||
		m.ReplyToSessionID != nil || m.ScheduledEnqueueTime != nil || m.SessionID != nil || m.Subject != nil || *m.TimeToLive != 0 || m.To != nil {
		t.Errorf("received %+v", m)
	}
}
