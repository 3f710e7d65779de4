package broker_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
)

const noEnd = "P10675199DT2H48M5.4775807S"

func TestAdminClientOnTopics(t *testing.T) {
	s := start(t, oneQueue)
	client := administer(t, s)
	asked := admin.TopicProperties{
		MaxSizeInMegabytes: to.Ptr[int32](2048), RequiresDuplicateDetection: to.Ptr(true), DefaultMessageTimeToLive: to.Ptr("PT3M"),
		DuplicateDetectionHistoryTimeWindow: to.Ptr("PT4M"), EnableBatchedOperations: to.Ptr(false), Status: to.Ptr(admin.EntityStatusSendDisabled),
		AutoDeleteOnIdle: to.Ptr("PT7M"), EnablePartitioning: to.Ptr(false), SupportOrdering: to.Ptr(false), UserMetadata: to.Ptr("<ours>"),
		MaxMessageSizeInKilobytes: to.Ptr[int64](256),
	}
	made, err := client.CreateTopic(deadline(t), "orders/new", &admin.CreateTopicOptions{Properties: &asked})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetTopic(deadline(t), "Orders/New", nil)
	if err != nil || got == nil {
		t.Fatalf("get: %v, %v", got, err)
	}
	for _, p := range []admin.TopicProperties{made.TopicProperties, got.TopicProperties} {
		if d := cmp.Diff(asked, p); d != "" {
			t.Errorf("properties (-asked +got):\n%s", d)
		}
	}
	_, err = client.CreateTopic(deadline(t), "ORDERS/new", nil)
	wantStatus(t, err, http.StatusConflict)
	asked.Status, asked.UserMetadata = to.Ptr(admin.EntityStatusActive), to.Ptr("new")
	if changed, err := client.UpdateTopic(deadline(t), "orders/new", asked, nil); err != nil || *changed.UserMetadata != "new" {
		t.Errorf("update: %+v, %v", changed, err)
	}
	asked.RequiresDuplicateDetection = to.Ptr(false)
	_, err = client.UpdateTopic(deadline(t), "orders/new", asked, nil)
	wantStatus(t, err, http.StatusBadRequest)
	if !contains(err, "The value for the RequiresDuplicateDetection property of an existing Topic cannot be changed") {
		t.Errorf("error %v", err)
	}
	_, err = client.UpdateTopic(deadline(t), "nothing", admin.TopicProperties{}, nil)
	wantStatus(t, err, http.StatusNotFound)
	if _, err := client.DeleteTopic(deadline(t), "orders/new", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := client.GetTopic(deadline(t), "orders/new", nil); got != nil || err != nil {
		t.Errorf("a topic that was deleted: %v, %v", got, err)
	}
	if got, err := client.GetTopicRuntimeProperties(deadline(t), "orders/new", nil); got != nil || err != nil {
		t.Errorf("a topic that was deleted: %v, %v", got, err)
	}
	_, err = client.DeleteTopic(deadline(t), "orders/new", nil)
	wantStatus(t, err, http.StatusNotFound)
}

func TestANewTopicHasTheDefaultsOfServiceBus(t *testing.T) {
	client := administer(t, start(t, oneQueue))
	made, err := client.CreateTopic(deadline(t), "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := admin.TopicProperties{
		MaxSizeInMegabytes: to.Ptr[int32](1024), RequiresDuplicateDetection: to.Ptr(false), DefaultMessageTimeToLive: to.Ptr(noEnd),
		DuplicateDetectionHistoryTimeWindow: to.Ptr("PT10M"), EnableBatchedOperations: to.Ptr(true), Status: to.Ptr(admin.EntityStatusActive),
		AutoDeleteOnIdle: to.Ptr(noEnd), EnablePartitioning: to.Ptr(false), SupportOrdering: to.Ptr(true),
		MaxMessageSizeInKilobytes: to.Ptr[int64](1024),
	}
	if d := cmp.Diff(want, made.TopicProperties); d != "" {
		t.Errorf("properties (-want +got):\n%s", d)
	}
}

func TestQueuesAndTopicsShareTheirNames(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q"}}, Topics: []broker.Topic{{Name: "t"}}})
	client := administer(t, s)
	_, err := client.CreateQueue(deadline(t), "T", nil)
	wantStatus(t, err, http.StatusConflict)
	_, err = client.CreateTopic(deadline(t), "Q", nil)
	wantStatus(t, err, http.StatusConflict)
	_, err = client.UpdateQueue(deadline(t), "t", admin.QueueProperties{}, nil)
	wantStatus(t, err, http.StatusNotFound)
	_, err = client.UpdateTopic(deadline(t), "q", admin.TopicProperties{}, nil)
	wantStatus(t, err, http.StatusNotFound)
	_, err = client.CreateSubscription(deadline(t), "q", "s", nil)
	wantStatus(t, err, http.StatusNotFound)
	queues, topics := []string{}, []string{}
	for _, q := range pages(t, client.NewListQueuesPager(nil)) {
		for _, item := range q.Queues {
			queues = append(queues, item.QueueName)
		}
	}
	for _, p := range pages(t, client.NewListTopicsPager(nil)) {
		for _, item := range p.Topics {
			topics = append(topics, item.TopicName)
		}
	}
	if !slices.Equal(queues, []string{"q"}) || !slices.Equal(topics, []string{"t"}) {
		t.Errorf("queues %v, topics %v", queues, topics)
	}
	if _, err := client.DeleteQueue(deadline(t), "t", nil); err != nil { // as with Service Bus, the path says what it is
		t.Error(err)
	}
}

func TestAdminClientReadsATopicsCounts(t *testing.T) {
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{
		subscription("all"),
		subscription("some", broker.Rule{Name: "a", SQL: "a = 1"}, broker.Rule{Name: "b", Correlation: &broker.CorrelationFilter{To: to.Ptr("x")}}),
	}}}})
	client := administer(t, s)
	if got, err := client.GetTopicRuntimeProperties(deadline(t), "t", nil); err != nil || !got.AccessedAt.IsZero() || got.SizeInBytes != 0 {
		t.Errorf("a topic that nobody has used: %+v, %v", got, err)
	}
	amqp := connect(t, s)
	sendTo(t, amqp, "t", &azservicebus.Message{Body: []byte("a")})
	sender, err := amqp.NewSender("t", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sender.ScheduleMessages(deadline(t), []*azservicebus.Message{{}}, time.Now().Add(time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetTopicRuntimeProperties(deadline(t), "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.SubscriptionCount != 2 || got.SQLFilterCount != 2 || got.CorrelationFilterCount != 1 || got.ScheduledMessageCount != 1 ||
		got.SizeInBytes == 0 || got.CreatedAt.IsZero() || got.UpdatedAt.IsZero() || got.AccessedAt.IsZero() {
		t.Errorf("counts %+v", got.TopicRuntimeProperties)
	}
	for _, p := range pages(t, client.NewListTopicsRuntimePropertiesPager(nil)) {
		for _, item := range p.TopicRuntimeProperties {
			if item.TopicName != "t" || item.SubscriptionCount != 2 {
				t.Errorf("listed %+v", item)
			}
		}
	}
}

// pages reads all pages of a list.
func pages[T any](t *testing.T, pager *runtime.Pager[T]) []T {
	t.Helper()
	var all []T
	for pager.More() {
		page, err := pager.NextPage(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page)
	}
	return all
}

func TestAdminClientListsTopicsByPages(t *testing.T) {
	var options broker.Options
	for i := range 130 {
		options.Topics = append(options.Topics, broker.Topic{Name: fmt.Sprintf("t%03d", i)})
	}
	client := administer(t, start(t, options))
	for _, size := range []int32{0, 50, 129, 200} { // 0 is the service's own
		var names []string
		for _, page := range pages(t, client.NewListTopicsPager(&admin.ListTopicsOptions{MaxPageSize: size})) {
			if size > 0 && len(page.Topics) > int(size) {
				t.Errorf("a page of %d, asked for %d", len(page.Topics), size)
			}
			for _, topic := range page.Topics {
				names = append(names, topic.TopicName)
			}
		}
		if len(names) != 130 || names[0] != "t000" || names[129] != "t129" {
			t.Errorf("pages of %d: %d topics", size, len(names))
		}
	}
}

func TestWhatATopicCanNotBeIsRefused(t *testing.T) {
	client := administer(t, start(t, oneQueue))
	for name, p := range map[string]admin.TopicProperties{
		"idle":    {AutoDeleteOnIdle: to.Ptr("PT1M")},
		"text":    {DefaultMessageTimeToLive: to.Ptr("a minute")},
		"window":  {RequiresDuplicateDetection: to.Ptr(true), DuplicateDetectionHistoryTimeWindow: to.Ptr("PT1S")},
		"size":    {MaxSizeInMegabytes: to.Ptr[int32](0)},
		"message": {MaxMessageSizeInKilobytes: to.Ptr[int64](102401)},
		"status":  {Status: to.Ptr(admin.EntityStatus("Renaming"))},
	} {
		_, err := client.CreateTopic(deadline(t), name, &admin.CreateTopicOptions{Properties: &p})
		wantStatus(t, err, http.StatusBadRequest)
	}
}
