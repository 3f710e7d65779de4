package broker_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
)

// withKey is the connection string of a server with another key.
func withKey(s *broker.Server, name, value string) string {
	endpoint, _, _ := strings.Cut(s.ConnectionString(), ";")
	return endpoint + ";SharedAccessKeyName=" + name + ";SharedAccessKey=" + value + ";UseDevelopmentEmulator=true"
}

func accessRule(name, primary, secondary string, rights ...admin.AccessRight) admin.AuthorizationRule {
	return admin.AuthorizationRule{KeyName: &name, PrimaryKey: &primary, SecondaryKey: &secondary, AccessRights: rights}
}

// Both keys of a rule allow what the rule says, for its entity alone.
func TestAuthorizationRules(t *testing.T) {
	s := start(t, broker.Options{
		Queues: []broker.Queue{{Name: "other"}, {Name: "q", AuthorizationRules: []broker.AuthorizationRule{
			{Name: "send", Rights: broker.RightSend, PrimaryKey: "p", SecondaryKey: "s"}, {Name: "all", PrimaryKey: "a", SecondaryKey: "b"},
		}}},
		Topics: []broker.Topic{{
			Name: "t", Subscriptions: []broker.Subscription{{Name: "s"}},
			AuthorizationRules: []broker.AuthorizationRule{{Name: "listen", Rights: broker.RightListen, PrimaryKey: "p", SecondaryKey: "s"}},
		}},
	})
	peeks := func(connectionString string, path ...string) error {
		client := connectTo(t, connectionString, nil)
		r := receiverOf(t, client, path[0], nil)
		if len(path) > 1 {
			r = subscribe(t, client, path[0], path[1], nil)
		}
		_, err := r.PeekMessages(deadline(t), 1, nil)
		return err
	}
	for name, err := range map[string]error{
		"primary key":    sendOnce(t, withKey(s, "send", "p"), "q"),
		"secondary key":  sendOnce(t, withKey(s, "send", "s"), "q"),
		"every right":    peeks(withKey(s, "all", "b"), "q"),
		"a subscription": peeks(withKey(s, "listen", "p"), "t", "s"),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, err := range map[string]error{
		"a key of another rule": sendOnce(t, withKey(s, "send", "a"), "q"),
		"an unknown rule":       sendOnce(t, withKey(s, "none", "p"), "q"),
		"another queue":         sendOnce(t, withKey(s, "send", "p"), "other"),
		"the topic's key":       sendOnce(t, withKey(s, "listen", "p"), "q"),
		"a right that is not":   peeks(withKey(s, "send", "p"), "q"),
		"no subscription":       peeks(withKey(s, "send", "p"), "t", "none"),
	} {
		wantCode(t, err, azservicebus.CodeUnauthorizedAccess)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	wantCode(t, peeks(withKey(s, "listen", "p"), "t", "none"), azservicebus.CodeNotFound)
}

func TestAdminClientOnAuthorizationRules(t *testing.T) {
	s := start(t, broker.Options{})
	client := administer(t, s)
	rules := []admin.AuthorizationRule{
		accessRule("all", "1+/=", "2", admin.AccessRightManage, admin.AccessRightSend, admin.AccessRightListen),
		accessRule("listen", "3", "4", admin.AccessRightListen),
	}
	if _, err := client.CreateQueue(deadline(t), "q", &admin.CreateQueueOptions{Properties: &admin.QueueProperties{AuthorizationRules: rules}}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateTopic(deadline(t), "t", &admin.CreateTopicOptions{Properties: &admin.TopicProperties{AuthorizationRules: rules[1:]}}); err != nil {
		t.Fatal(err)
	}
	equal := func(a, b admin.AuthorizationRule) bool { return cmp.Equal(a, b) } // the times are not told
	q, err := client.GetQueue(deadline(t), "q", nil)
	if err != nil || !slices.EqualFunc(q.AuthorizationRules, rules, equal) {
		t.Errorf("queue: %+v, %v", q.AuthorizationRules, err)
	}
	topic, err := client.GetTopic(deadline(t), "t", nil)
	if err != nil || !slices.EqualFunc(topic.AuthorizationRules, rules[1:], equal) {
		t.Errorf("topic: %+v, %v", topic.AuthorizationRules, err)
	}

	// A rule without keys gets some, and keeps them.
	changed := q.QueueProperties
	changed.AuthorizationRules = []admin.AuthorizationRule{{KeyName: to.Ptr("all"), AccessRights: rules[0].AccessRights}, {KeyName: to.Ptr("new"), AccessRights: rules[1].AccessRights}}
	updated, err := client.UpdateQueue(deadline(t), "q", changed, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := updated.AuthorizationRules
	if len(got) != 2 || !equal(got[0], rules[0]) || len(*got[1].PrimaryKey) != 44 || *got[1].PrimaryKey == *got[1].SecondaryKey {
		t.Errorf("after an update: %d rules, the first equal: %v", len(got), equal(got[0], rules[0]))
	}
	if err := sendOnce(t, withKey(s, "all", "2"), "q"); err != nil {
		t.Error(err)
	}
	wantCode(t, sendOnce(t, withKey(s, "listen", "3"), "q"), azservicebus.CodeUnauthorizedAccess)
}

func TestWhatAnAuthorizationRuleCanNotBeIsRefused(t *testing.T) {
	client := administer(t, start(t, broker.Options{}))
	send := admin.AccessRightSend
	for name, rules := range map[string][]admin.AuthorizationRule{
		"no name":         {accessRule("", "a", "b", send)},
		"long name":       {accessRule(strings.Repeat("n", 257), "a", "b", send)},
		"long key":        {accessRule("n", strings.Repeat("k", 257), "b", send)},
		"no right":        {accessRule("n", "a", "b")},
		"unknown right":   {accessRule("n", "a", "b", "Browse")},
		"manage alone":    {accessRule("n", "a", "b", admin.AccessRightManage)},
		"one name, twice": {accessRule("n", "a", "b", send), accessRule("n", "c", "d", send)},
		"too many":        slices.Repeat([]admin.AuthorizationRule{accessRule("n", "a", "b", send)}, 13),
	} {
		_, err := client.CreateQueue(deadline(t), "q", &admin.CreateQueueOptions{Properties: &admin.QueueProperties{AuthorizationRules: rules}})
		wantStatus(t, err, http.StatusBadRequest)
		if err == nil {
			t.Fatal(name)
		}
		if strings.Contains(err.Error(), "kkkk") {
			t.Errorf("%s: the error shows the key", name)
		}
	}
}

// What is shown of an entity with rules may be put back, and detaches nothing.
func TestAuthorizationRulesThatStayDetachNothing(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q", AuthorizationRules: []broker.AuthorizationRule{{Name: "r", Rights: broker.RightListen}}}}})
	client := administer(t, s)
	shown, err := client.GetQueue(deadline(t), "q", nil)
	if err != nil {
		t.Fatal(err)
	}
	before, err := client.GetQueueRuntimeProperties(deadline(t), "q", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.UpdateQueue(deadline(t), "q", shown.QueueProperties, nil); err != nil {
		t.Fatal(err)
	}
	after, err := client.GetQueueRuntimeProperties(deadline(t), "q", nil)
	if err != nil || !after.UpdatedAt.Equal(before.UpdatedAt) {
		t.Errorf("updated at %v, then %v (%v)", before.UpdatedAt, after.UpdatedAt, err)
	}
}

func TestAuthorizationRulesOutliveTheServer(t *testing.T) {
	options := broker.Options{Data: t.TempDir()}
	lifetime(t, options, func(s *broker.Server, _ *azservicebus.Client) {
		err := s.CreateQueue(broker.Queue{Name: "q", EnablePartitioning: true, AuthorizationRules: []broker.AuthorizationRule{{Name: "r", PrimaryKey: "k"}}})
		if err != nil {
			t.Fatal(err)
		}
	})
	lifetime(t, options, func(s *broker.Server, _ *azservicebus.Client) {
		if err := sendOnce(t, withKey(s, "r", "k"), "q"); err != nil {
			t.Error(err)
		}
		shown, err := administer(t, s).GetQueue(deadline(t), "q", nil)
		if err != nil || !*shown.EnablePartitioning {
			t.Errorf("%+v, %v", shown, err)
		}
	})
}

// A plain client may sign in with a key of an entity. One that several have opens
// all of these, and none beside.
func TestPlainWithTheKeyOfAnEntity(t *testing.T) {
	rule := []broker.AuthorizationRule{{Name: "own", Rights: broker.RightSend, PrimaryKey: "p", SecondaryKey: "s"}}
	s := start(t, broker.Options{
		Queues: []broker.Queue{{Name: "Q", AuthorizationRules: rule}, {Name: "other", AuthorizationRules: []broker.AuthorizationRule{{Name: "own", PrimaryKey: "x"}}}},
		Topics: []broker.Topic{{Name: "t", AuthorizationRules: rule}},
	})
	for _, key := range []string{"p", "s"} {
		session, err := dialAMQP(t, s, &amqp.ConnOptions{SASLType: amqp.SASLTypePlain("own", key)}).NewSession(deadline(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, ok := range map[string]bool{"q": true, "t": true, "other": false} {
			if _, err := session.NewSender(deadline(t), name, nil); (err == nil) != ok || !ok && !hasCondition(err, amqp.ErrCondUnauthorizedAccess) {
				t.Errorf("send to %s: %v", name, err)
			}
		}
		if _, err := session.NewReceiver(deadline(t), "q", nil); !hasCondition(err, amqp.ErrCondUnauthorizedAccess) {
			t.Errorf("receive: %v", err)
		}
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(s.ConnectionString(), "Endpoint=sb://"), ";")
	if conn, err := amqp.Dial(deadline(t), "amqp://"+host, &amqp.ConnOptions{SASLType: amqp.SASLTypePlain("own", "none")}); err == nil {
		conn.Close()
		t.Error("a key that nobody has was taken")
	}
}

// Who may manage one entity may do that by the management API, and nothing else.
func TestAdminClientWithTheKeyOfAnEntity(t *testing.T) {
	rules := []broker.AuthorizationRule{{Name: "manage", PrimaryKey: "p"}, {Name: "send", Rights: broker.RightSend, PrimaryKey: "p"}}
	s := start(t, broker.Options{
		Queues: []broker.Queue{{Name: "q", AuthorizationRules: rules}, {Name: "other"}},
		Topics: []broker.Topic{{Name: "t", AuthorizationRules: rules}},
	})
	client := administerAs(t, s, withKey(s, "manage", "p"))
	shown, err := client.GetQueue(deadline(t), "q", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.UpdateQueue(deadline(t), "q", shown.QueueProperties, nil); err != nil {
		t.Error(err)
	}
	if _, err := client.CreateSubscription(deadline(t), "t", "s", nil); err != nil {
		t.Error(err)
	}
	_, err = client.GetQueue(deadline(t), "other", nil)
	wantStatus(t, err, http.StatusUnauthorized)
	_, err = client.CreateQueue(deadline(t), "new", nil)
	wantStatus(t, err, http.StatusUnauthorized)
	_, err = client.NewListQueuesPager(nil).NextPage(deadline(t))
	wantStatus(t, err, http.StatusUnauthorized)
	_, err = administerAs(t, s, withKey(s, "send", "p")).GetQueue(deadline(t), "q", nil)
	wantStatus(t, err, http.StatusUnauthorized)
}

// A key that is taken away, or gets fewer rights, opens no more, and its links go; a
// topic's those of its subscriptions too.
func TestAKeyThatIsTakenAwayOpensNoMore(t *testing.T) {
	rule := []broker.AuthorizationRule{{Name: "own", PrimaryKey: "p", SecondaryKey: "s"}}
	topic := broker.Topic{Name: "t", AuthorizationRules: rule}
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "t", AuthorizationRules: rule, Subscriptions: []broker.Subscription{{Name: "s"}}}}})
	session, err := dialAMQP(t, s, &amqp.ConnOptions{SASLType: amqp.SASLTypePlain("own", "p")}).NewSession(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := session.NewReceiver(deadline(t), "t/Subscriptions/s", nil)
	if err != nil {
		t.Fatal(err)
	}
	topic.AuthorizationRules = []broker.AuthorizationRule{{Name: "own", Rights: broker.RightSend}}
	if err := s.UpdateTopic(topic); err != nil {
		t.Fatal(err)
	}
	var gone *amqp.LinkError
	if _, err := r.Receive(deadline(t), nil); !errors.As(err, &gone) {
		t.Errorf("the link of a key that may not listen any more: %v", err)
	}
	if _, err := session.NewReceiver(deadline(t), "t/Subscriptions/s", nil); !hasCondition(err, amqp.ErrCondUnauthorizedAccess) {
		t.Errorf("receive: %v", err)
	}
	if _, err := session.NewSender(deadline(t), "t", nil); err != nil {
		t.Errorf("send: %v", err)
	}
	topic.AuthorizationRules = []broker.AuthorizationRule{{Name: "own", PrimaryKey: "new"}}
	if err := s.UpdateTopic(topic); err != nil {
		t.Fatal(err)
	}
	if _, err := session.NewSender(deadline(t), "t", nil); !hasCondition(err, amqp.ErrCondUnauthorizedAccess) {
		t.Errorf("send with the old key: %v", err)
	}
	if err := s.DeleteTopic("t"); err != nil {
		t.Fatal(err)
	}
	if _, err := session.NewSender(deadline(t), "t", nil); !hasCondition(err, amqp.ErrCondUnauthorizedAccess) {
		t.Errorf("send to nothing: %v", err)
	}
}

// A key of the options that names an entity is a rule of that entity, from one server
// to the next.
func TestKeysOfTheOptionsForOneEntity(t *testing.T) {
	options := broker.Options{
		Data: t.TempDir(), Queues: oneQueue.Queues, Topics: []broker.Topic{{Name: "t"}},
		Keys: []broker.Key{
			{Name: "one", Value: "a", Entity: "Q", Rights: broker.RightListen}, {Name: "one", Value: "b", Entity: "t"}, {Name: "one", Value: "c"},
		},
	}
	lifetime(t, options, func(s *broker.Server, _ *azservicebus.Client) {
		shown, err := administerAs(t, s, withKey(s, "one", "c")).GetQueue(deadline(t), "q", nil)
		if err != nil || len(shown.AuthorizationRules) != 1 {
			t.Fatalf("shown %+v, %v", shown, err)
		}
		if r := shown.AuthorizationRules[0]; *r.KeyName != "one" || *r.PrimaryKey != "a" || len(*r.SecondaryKey) != 44 || !slices.Equal(r.AccessRights, []admin.AccessRight{"Listen"}) {
			t.Errorf("rule %q with %v", *r.KeyName, r.AccessRights)
		}
		if err := sendOnce(t, withKey(s, "one", "b"), "t"); err != nil {
			t.Error(err)
		}
		wantCode(t, sendOnce(t, withKey(s, "one", "b"), "q"), azservicebus.CodeUnauthorizedAccess)
		err = s.UpdateQueue(broker.Queue{Name: "q", AuthorizationRules: []broker.AuthorizationRule{{Name: "mine", PrimaryKey: "m"}}})
		if err != nil {
			t.Fatal(err)
		}
	})
	options.Keys = options.Keys[2:]
	lifetime(t, options, func(s *broker.Server, _ *azservicebus.Client) {
		for _, connectionString := range []string{withKey(s, "mine", "m"), withKey(s, "one", "c")} {
			if err := sendOnce(t, connectionString, "q"); err != nil {
				t.Error(err)
			}
		}
	})
	_, err := broker.New(broker.Options{Keys: []broker.Key{{Name: "n", Value: "v", Entity: "nothing"}}})
	if !errors.Is(err, broker.ErrUnknownEntity) || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("a key for what is not there: %v", err)
	}
}

// Where there is no key for the namespace, the connection string names the entity.
func TestConnectionStringOfOneEntity(t *testing.T) {
	s := start(t, broker.Options{Queues: oneQueue.Queues, Keys: []broker.Key{{Name: "n", Value: "v", Entity: "q"}}})
	if got := s.ConnectionString(); !strings.HasSuffix(got, ";SharedAccessKeyName=n;SharedAccessKey=v;UseDevelopmentEmulator=true;EntityPath=q") {
		t.Errorf("connection string %s", got)
	}
	if err := sendOnce(t, s.ConnectionString(), "q"); err != nil {
		t.Error(err)
	}
}

// A partitioned entity has the size of its 16 partitions, whatever is put back.
func TestAdminClientOnPartitionedEntities(t *testing.T) {
	client := administer(t, start(t, broker.Options{}))
	for _, tt := range []struct{ asked, want int32 }{{0, 16 * 1024}, {2048, 16 * 2048}, {5120, 16 * 5120}} {
		asked := admin.QueueProperties{EnablePartitioning: to.Ptr(true)}
		if tt.asked > 0 {
			asked.MaxSizeInMegabytes = &tt.asked
		}
		name := "q" + time.Duration(tt.asked).String()
		made, err := client.CreateQueue(deadline(t), name, &admin.CreateQueueOptions{Properties: &asked})
		if err != nil {
			t.Fatal(err)
		}
		if !*made.EnablePartitioning || *made.MaxSizeInMegabytes != tt.want {
			t.Errorf("partitioned %v, size %d; want %d", *made.EnablePartitioning, *made.MaxSizeInMegabytes, tt.want)
		}
		made.MaxDeliveryCount = to.Ptr[int32](3)
		updated, err := client.UpdateQueue(deadline(t), name, made.QueueProperties, nil)
		if err != nil || *updated.MaxSizeInMegabytes != tt.want {
			t.Errorf("after an update: %v, %v", updated, err)
		}
	}
	topic, err := client.CreateTopic(deadline(t), "t", &admin.CreateTopicOptions{Properties: &admin.TopicProperties{EnablePartitioning: to.Ptr(true)}})
	if err != nil || !*topic.EnablePartitioning || *topic.MaxSizeInMegabytes != 16*1024 {
		t.Errorf("topic %+v, %v", topic, err)
	}
	whole, err := client.CreateTopic(deadline(t), "whole", nil)
	if err != nil {
		t.Fatal(err)
	}
	topic.EnablePartitioning, whole.EnablePartitioning = whole.EnablePartitioning, topic.EnablePartitioning
	for name, p := range map[string]admin.TopicProperties{"t": topic.TopicProperties, "whole": whole.TopicProperties} {
		_, err = client.UpdateTopic(deadline(t), name, p, nil)
		wantStatus(t, err, http.StatusBadRequest)
		if !contains(err, "Partitioning cannot be changed for Topic. ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	_, err = client.CreateQueue(deadline(t), "large", &admin.CreateQueueOptions{Properties: &admin.QueueProperties{
		EnablePartitioning: to.Ptr(true), MaxSizeInMegabytes: to.Ptr[int32](5121),
	}})
	wantStatus(t, err, http.StatusBadRequest)
}

// In a partitioned queue a duplicate has the partition key of the first message too.
func TestDuplicatesInAPartitionedQueue(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{
		{Name: "q", EnablePartitioning: true, RequiresDuplicateDetection: true}, {Name: "whole", RequiresDuplicateDetection: true},
	}})
	client := connect(t, s)
	for _, queue := range []string{"q", "whole"} {
		for _, key := range []*string{to.Ptr("a"), to.Ptr("b"), to.Ptr("a"), nil, nil} {
			sendTo(t, client, queue, &azservicebus.Message{MessageID: to.Ptr("m"), PartitionKey: key})
		}
	}
	if got := counts(t, s, "q"); got.Active != 3 {
		t.Errorf("%d messages in the partitioned queue, want 3", got.Active)
	}
	if got := counts(t, s, "whole"); got.Active != 1 {
		t.Errorf("%d messages in the other queue, want 1", got.Active)
	}
}

// The scheme and the host of an address that messages go on to are shown in lower
// case, and its path as it was given.
func TestAddressesToForwardTo(t *testing.T) {
	client := administer(t, start(t, oneQueue))
	asked := admin.QueueProperties{ForwardTo: to.Ptr("SB://HOST.EXAMPLE:5672/Q"), ForwardDeadLetteredMessagesTo: to.Ptr("Q")}
	made, err := client.CreateQueue(deadline(t), "first", &admin.CreateQueueOptions{Properties: &asked})
	if err != nil || *made.ForwardTo != "sb://host.example:5672/Q" || *made.ForwardDeadLetteredMessagesTo != "Q" {
		t.Errorf("%+v, %v", made, err)
	}
}

// The Python client writes rules without their type.
func TestAuthorizationRulesWithoutAType(t *testing.T) {
	handler := openHandler(t)
	for attribute, want := range map[string]int{"": 201, ` i:type="SharedAccessAuthorizationRule"`: 201, ` i:type="AllowRule"`: 400} {
		body := `<entry xmlns="http://www.w3.org/2005/Atom" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><content type="application/xml"><QueueDescription>` +
			`<AuthorizationRules><AuthorizationRule` + attribute + `><ClaimType>SharedAccessKey</ClaimType><ClaimValue>None</ClaimValue><Rights>` +
			`<AccessRights>Send</AccessRights></Rights><KeyName>k</KeyName></AuthorizationRule></AuthorizationRules></QueueDescription></content></entry>`
		code, answer := request(t, handler, http.MethodPut, fmt.Sprintf("/q%d", len(attribute)), body)
		if code != want || want == 201 && !strings.Contains(answer, `i:type="SharedAccessAuthorizationRule"`) {
			t.Errorf("type%s: %d %s", attribute, code, answer)
		}
	}
}
