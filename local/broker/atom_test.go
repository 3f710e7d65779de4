package broker_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
)

// redirect sends what the official admin client asks of https://host to a server
// without TLS.
type redirect struct{ to string }

func (r redirect) Do(req *http.Request) (*http.Response, error) {
	req.URL.Scheme, req.URL.Host = "http", r.to
	return http.DefaultTransport.RoundTrip(req)
}

// administer makes the official admin client of a server.
func administer(t *testing.T, s *broker.Server) *admin.Client {
	t.Helper()
	return administerAs(t, s, s.ConnectionString())
}

func administerAs(t *testing.T, s *broker.Server, connectionString string) *admin.Client {
	t.Helper()
	web := httptest.NewServer(s.ManagementHandler())
	t.Cleanup(func() {
		web.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	client, err := admin.NewClientFromConnectionString(connectionString, &admin.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: redirect{strings.TrimPrefix(web.URL, "http://")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestAdminClientOnQueues(t *testing.T) {
	s := start(t, oneQueue)
	client := administer(t, s)
	asked := admin.QueueProperties{
		LockDuration: to.Ptr("PT45S"), MaxDeliveryCount: to.Ptr[int32](7), RequiresSession: to.Ptr(true),
		RequiresDuplicateDetection: to.Ptr(true), DuplicateDetectionHistoryTimeWindow: to.Ptr("PT4M"),
		DefaultMessageTimeToLive: to.Ptr("P1DT6H"), DeadLetteringOnMessageExpiration: to.Ptr(true),
		ForwardDeadLetteredMessagesTo: to.Ptr("q"), UserMetadata: to.Ptr("<ours>"),
	}
	made, err := client.CreateQueue(deadline(t), "orders/new", &admin.CreateQueueOptions{Properties: &asked})
	if err != nil {
		t.Fatal(err)
	}
	got, err := client.GetQueue(deadline(t), "Orders/New", nil)
	if err != nil || got == nil {
		t.Fatalf("get: %v, %v", got, err)
	}
	for _, p := range []admin.QueueProperties{made.QueueProperties, got.QueueProperties} {
		if *p.LockDuration != "PT45S" || *p.MaxDeliveryCount != 7 || !*p.RequiresSession || *p.DefaultMessageTimeToLive != "P1DT6H" ||
			*p.DuplicateDetectionHistoryTimeWindow != "PT4M" || *p.ForwardDeadLetteredMessagesTo != "q" || *p.UserMetadata != "<ours>" ||
			*p.Status != admin.EntityStatusActive || *p.AutoDeleteOnIdle != "P10675199DT2H48M5.4775807S" {
			t.Errorf("properties %+v", p)
		}
	}
	_, err = client.CreateQueue(deadline(t), "ORDERS/new", nil)
	wantStatus(t, err, http.StatusConflict)
	changed := got.QueueProperties
	changed.MaxDeliveryCount, changed.DuplicateDetectionHistoryTimeWindow = to.Ptr[int32](3), to.Ptr("PT5M")
	if _, err := client.UpdateQueue(deadline(t), "orders/new", changed, nil); err != nil {
		t.Fatal(err)
	}
	if got, _ := client.GetQueue(deadline(t), "orders/new", nil); *got.MaxDeliveryCount != 3 || *got.DuplicateDetectionHistoryTimeWindow != "PT5M" {
		t.Errorf("MaxDeliveryCount %d and DuplicateDetectionHistoryTimeWindow %s after the update", *got.MaxDeliveryCount, *got.DuplicateDetectionHistoryTimeWindow)
	}
	_, err = client.UpdateQueue(deadline(t), "nothing", admin.QueueProperties{}, nil)
	wantStatus(t, err, http.StatusNotFound)
	if _, err := client.DeleteQueue(deadline(t), "orders/new", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := client.GetQueue(deadline(t), "orders/new", nil); got != nil || err != nil {
		t.Errorf("a queue that was deleted: %v, %v", got, err)
	}
	_, err = client.DeleteQueue(deadline(t), "orders/new", nil)
	wantStatus(t, err, http.StatusNotFound)
	if info, err := client.GetNamespaceProperties(deadline(t), nil); err != nil || info.SKU != "Standard" {
		t.Errorf("namespace %+v, %v", info, err)
	}
}

func wantStatus(t *testing.T, err error, want int) {
	t.Helper()
	var refused *azcore.ResponseError
	if !errors.As(err, &refused) || refused.StatusCode != want {
		t.Errorf("error %v, want status %d", err, want)
	}
}

func TestAdminClientReadsCounts(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	send(t, client, "q", "a", "b", "c")
	r := receiver(t, client, nil)
	if err := r.DeadLetterMessage(deadline(t), receiveOne(t, r), nil); err != nil {
		t.Fatal(err)
	}
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sender.ScheduleMessages(deadline(t), []*azservicebus.Message{{Body: []byte("d")}}, time.Now().Add(time.Hour), nil); err != nil {
		t.Fatal(err)
	}
	got, err := administer(t, s).GetQueueRuntimeProperties(deadline(t), "q", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.TotalMessageCount != 4 || got.ActiveMessageCount != 2 || got.DeadLetterMessageCount != 1 || got.ScheduledMessageCount != 1 || got.SizeInBytes == 0 {
		t.Errorf("counts %+v", got.QueueRuntimeProperties)
	}
}

func TestAdminClientListsQueues(t *testing.T) {
	var options broker.Options
	for i := range 230 {
		options.Queues = append(options.Queues, broker.Queue{Name: fmt.Sprintf("q%03d", i)})
	}
	pager := administer(t, start(t, options)).NewListQueuesPager(nil)
	var names []string
	for pager.More() {
		page, err := pager.NextPage(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range page.Queues {
			names = append(names, q.QueueName)
		}
	}
	if len(names) != 230 || names[0] != "q000" || names[229] != "q229" {
		t.Errorf("%d queues: %v", len(names), names)
	}
}

func TestWhatAQueueCanNotBeIsRefused(t *testing.T) {
	client := administer(t, start(t, oneQueue))
	for name, p := range map[string]admin.QueueProperties{
		"lock":    {LockDuration: to.Ptr("PT6M")},
		"endless": {LockDuration: to.Ptr("P10675199DT2H48M5.4775807S")},
		"window":  {DuplicateDetectionHistoryTimeWindow: to.Ptr("P10675199DT2H48M5.4775807S")},
		"text":    {LockDuration: to.Ptr("a minute")},
		"nothing": {LockDuration: to.Ptr("PT0S")},
		"no-life": {DefaultMessageTimeToLive: to.Ptr("PT0.00000001S")},
		"idle":    {AutoDeleteOnIdle: to.Ptr("PT1M")},
		"count":   {MaxDeliveryCount: to.Ptr[int32](0)},
		"size":    {MaxSizeInMegabytes: to.Ptr[int32](81921)},
		"message": {MaxMessageSizeInKilobytes: to.Ptr[int64](102401)},
		"status":  {Status: to.Ptr(admin.EntityStatus("Renaming"))},
	} {
		_, err := client.CreateQueue(deadline(t), name, &admin.CreateQueueOptions{Properties: &p})
		wantStatus(t, err, http.StatusBadRequest)
	}
}

func TestTheManagementAPINeedsASignature(t *testing.T) {
	s := start(t, oneQueue)
	web := httptest.NewServer(s.ManagementHandler())
	defer web.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	resp, err := http.Get(web.URL + "/q")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d without a signature", resp.StatusCode)
	}
	wrong, err := admin.NewClientFromConnectionString(strings.Replace(s.ConnectionString(), "SAS_KEY_VALUE", url.QueryEscape("other"), 1), &admin.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: redirect{strings.TrimPrefix(web.URL, "http://")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = wrong.GetQueue(deadline(t), "q", nil)
	wantStatus(t, err, http.StatusUnauthorized)
}

func TestADisabledQueueTakesNoLinks(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q", Status: broker.StatusSendDisabled}}})
	client := connect(t, s)
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	disabled := func(err error) bool {
		var fault *amqp.Error
		return errors.As(err, &fault) && fault.Condition == "com.microsoft:entity-disabled"
	}
	if err := sender.SendMessage(deadline(t), &azservicebus.Message{}, nil); !disabled(err) {
		t.Errorf("send: %v", err)
	}
	if err := s.UpdateQueue(broker.Queue{Name: "q", Status: broker.StatusReceiveDisabled}); err != nil {
		t.Fatal(err)
	}
	send(t, client, "q", "a")
	if _, err := receiver(t, client, nil).ReceiveMessages(deadline(t), 1, nil); !disabled(err) {
		t.Errorf("receive: %v", err)
	}
}

func TestTheNamespaceIsNamedByItsHost(t *testing.T) {
	handler := openHandler(t)
	for host, want := range map[string]string{"contoso.servicebus.windows.net": "contoso", "localhost:5300": "sbemulatorns"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/$namespaceinfo", nil)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), "<Name>"+want+"</Name>") {
			t.Errorf("%s: %s", host, w.Body)
		}
	}
}

// What is asked for as express is shown as such. The Go client doesn't know of it.
func TestExpressEntities(t *testing.T) {
	web := httptest.NewServer(start(t, broker.Options{Open: true}).ManagementHandler())
	defer web.Close()
	defer http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	for name, description := range map[string]string{"q": "QueueDescription", "t": "TopicDescription"} {
		body := `<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml">` +
			`<` + description + ` xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">` +
			`<EnableExpress>true</EnableExpress></` + description + `></content></entry>`
		for _, method := range []string{http.MethodPut, http.MethodGet} {
			r, err := http.NewRequestWithContext(t.Context(), method, web.URL+"/"+name, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			shown, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !strings.Contains(string(shown), "<EnableExpress>true</EnableExpress>") {
				t.Errorf("%s %s: %s, %v", method, name, shown, err)
			}
		}
	}
}
