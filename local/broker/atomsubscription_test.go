package broker_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// topicAndQueue has a topic t and a queue q.
var topicAndQueue = broker.Options{Queues: []broker.Queue{{Name: "q"}}, Topics: []broker.Topic{{Name: "t"}}}

func TestAdminClientOnSubscriptions(t *testing.T) {
	client := administer(t, start(t, topicAndQueue))
	asked := admin.SubscriptionProperties{
		LockDuration: to.Ptr("PT3M"), RequiresSession: to.Ptr(true), DefaultMessageTimeToLive: to.Ptr("PT7M"),
		DeadLetteringOnMessageExpiration: to.Ptr(true), EnableDeadLetteringOnFilterEvaluationExceptions: to.Ptr(true),
		MaxDeliveryCount: to.Ptr[int32](11), EnableBatchedOperations: to.Ptr(false), AutoDeleteOnIdle: to.Ptr("PT11M"),
		UserMetadata: to.Ptr("<ours>"), ForwardDeadLetteredMessagesTo: to.Ptr("sb://contoso.example/q"),
	}
	want := asked
	want.Status = to.Ptr(admin.EntityStatusActive)
	made, err := client.CreateSubscription(deadline(t), "t", "s", &admin.CreateSubscriptionOptions{Properties: &asked})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetSubscription(deadline(t), "T", "S", nil)
	if err != nil || got == nil {
		t.Fatalf("get: %v, %v", got, err)
	}
	for _, p := range []admin.SubscriptionProperties{made.SubscriptionProperties, got.SubscriptionProperties} {
		if d := cmp.Diff(want, p); d != "" {
			t.Errorf("properties (-want +got):\n%s", d)
		}
	}
	_, err = client.CreateSubscription(deadline(t), "t", "S", nil)
	wantStatus(t, err, http.StatusConflict)
	asked.LockDuration, asked.EnableDeadLetteringOnFilterEvaluationExceptions = to.Ptr("PT4M"), to.Ptr(false)
	changed, err := client.UpdateSubscription(deadline(t), "t", "s", asked, nil)
	if err != nil || *changed.LockDuration != "PT4M" || *changed.EnableDeadLetteringOnFilterEvaluationExceptions {
		t.Errorf("update: %+v, %v", changed, err)
	}
	asked.RequiresSession = to.Ptr(false)
	_, err = client.UpdateSubscription(deadline(t), "t", "s", asked, nil)
	wantStatus(t, err, http.StatusBadRequest)
	if !contains(err, "The value for the RequiresSession property of an existing Subscription cannot be changed") {
		t.Errorf("error %v", err)
	}
	for _, missing := range [][2]string{{"t", "none"}, {"none", "s"}} {
		_, err = client.UpdateSubscription(deadline(t), missing[0], missing[1], asked, nil)
		wantStatus(t, err, http.StatusNotFound)
		_, err = client.DeleteSubscription(deadline(t), missing[0], missing[1], nil)
		wantStatus(t, err, http.StatusNotFound)
		if got, err := client.GetSubscription(deadline(t), missing[0], missing[1], nil); got != nil || err != nil {
			t.Errorf("a subscription that isn't there: %v, %v", got, err)
		}
		if got, err := client.GetSubscriptionRuntimeProperties(deadline(t), missing[0], missing[1], nil); got != nil || err != nil {
			t.Errorf("a subscription that isn't there: %v, %v", got, err)
		}
	}
	_, err = client.CreateSubscription(deadline(t), "none", "s", nil)
	wantStatus(t, err, http.StatusNotFound)
	if _, err := client.DeleteSubscription(deadline(t), "t", "s", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := client.GetSubscription(deadline(t), "t", "s", nil); got != nil || err != nil {
		t.Errorf("a subscription that was deleted: %v, %v", got, err)
	}
}

func TestANewSubscriptionHasTheDefaultsOfServiceBus(t *testing.T) {
	client := administer(t, start(t, topicAndQueue))
	made, err := client.CreateSubscription(deadline(t), "t", "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := admin.SubscriptionProperties{
		LockDuration: to.Ptr("PT1M"), RequiresSession: to.Ptr(false), DefaultMessageTimeToLive: to.Ptr(noEnd),
		DeadLetteringOnMessageExpiration: to.Ptr(false), EnableDeadLetteringOnFilterEvaluationExceptions: to.Ptr(true),
		MaxDeliveryCount: to.Ptr[int32](10), Status: to.Ptr(admin.EntityStatusActive), AutoDeleteOnIdle: to.Ptr(noEnd),
		EnableBatchedOperations: to.Ptr(true),
	}
	if d := cmp.Diff(want, made.SubscriptionProperties); d != "" {
		t.Errorf("properties (-want +got):\n%s", d)
	}
}

func TestAdminClientListsSubscriptions(t *testing.T) {
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{
		subscription("b"), subscription("a"), subscription("c"),
	}}, {Name: "other", Subscriptions: []broker.Subscription{subscription("d")}}}})
	sendTo(t, connect(t, s), "t", &azservicebus.Message{Body: []byte("a")})
	client := administer(t, s)
	var names, counted []string
	for _, page := range pages(t, client.NewListSubscriptionsPager("t", &admin.ListSubscriptionsOptions{MaxPageSize: 2})) {
		for _, item := range page.Subscriptions {
			names = append(names, item.TopicName+"/"+item.SubscriptionName)
		}
	}
	for _, page := range pages(t, client.NewListSubscriptionsRuntimePropertiesPager("t", nil)) {
		for _, item := range page.SubscriptionRuntimeProperties {
			counted = append(counted, item.TopicName+"/"+item.SubscriptionName)
			if item.TotalMessageCount != 1 || item.ActiveMessageCount != 1 || item.CreatedAt.IsZero() {
				t.Errorf("counts %+v", item)
			}
		}
	}
	want := []string{"t/a", "t/b", "t/c"}
	if !slices.Equal(names, want) || !slices.Equal(counted, want) {
		t.Errorf("listed %v and %v", names, counted)
	}
	_, err := client.NewListSubscriptionsPager("none", nil).NextPage(deadline(t))
	wantStatus(t, err, http.StatusNotFound)
}

func TestAdminClientReadsASubscriptionsCounts(t *testing.T) {
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{subscription("s")}}}})
	if got, err := administer(t, s).GetSubscriptionRuntimeProperties(deadline(t), "t", "s", nil); err != nil || got.AccessedAt.IsZero() {
		t.Errorf("a subscription that nobody has used: %+v, %v", got, err)
	}
	client := connect(t, s)
	sendTo(t, client, "t", &azservicebus.Message{Body: []byte("a")}, &azservicebus.Message{Body: []byte("b")}, &azservicebus.Message{Body: []byte("c")})
	r := subscribe(t, client, "t", "s", nil)
	if err := r.DeadLetterMessage(deadline(t), receiveOne(t, r), nil); err != nil {
		t.Fatal(err)
	}
	got, err := administer(t, s).GetSubscriptionRuntimeProperties(deadline(t), "t", "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.TotalMessageCount != 3 || got.ActiveMessageCount != 2 || got.DeadLetterMessageCount != 1 || got.AccessedAt.IsZero() {
		t.Errorf("counts %+v", got.SubscriptionRuntimeProperties)
	}
}

// An update that changes something detaches links, and one that doesn't leaves them.
func TestAnUpdateThatChangesNothingDetachesNoLink(t *testing.T) {
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{subscription("s")}}}})
	client := administer(t, s)
	p := openPeer(t, s)
	p.begin()
	p.receiverOf("t/Subscriptions/s", 0)
	got, err := client.GetSubscription(deadline(t), "t", "s", nil)
	if err != nil {
		t.Fatal(err)
	}
	topic, err := client.GetTopic(deadline(t), "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.UpdateSubscription(deadline(t), "t", "s", got.SubscriptionProperties, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := client.UpdateTopic(deadline(t), "t", topic.TopicProperties, nil); err != nil {
		t.Fatal(err)
	}
	p.receiverOf("t/Subscriptions/s", 1) // nothing came before the answer
	got.EnableDeadLetteringOnFilterEvaluationExceptions = to.Ptr(true)
	if _, err := client.UpdateSubscription(deadline(t), "t", "s", got.SubscriptionProperties, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if d := expect[*wire.Detach](p); d.Error == nil || d.Error.Condition != wire.CondDetachForced {
			t.Errorf("detached by %v", d.Error)
		}
	}
}
