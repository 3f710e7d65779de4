package servicebus_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/servicebus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open starts a broker with one queue and connects to it.
func open(t *testing.T, q broker.Queue) (*servicebus.Namespace, *broker.Server) {
	t.Helper()
	q.Name = "commands"
	server, err := broker.New(broker.Options{Queues: []broker.Queue{q}})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	n, err := servicebus.Open(servicebus.Options{Address: server.ConnectionString()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(n.Close(context.Background()), server.Close()); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, broker.ErrServerClosed) {
			t.Error(err)
		}
	})
	return n, server
}

func sender(t *testing.T, n *servicebus.Namespace) *servicebus.Sender {
	t.Helper()
	s, err := n.Sender("commands")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func source(t *testing.T, n *servicebus.Namespace) *servicebus.Source {
	t.Helper()
	s, err := n.Source("commands")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func events(n int) []messages.Event {
	list := make([]messages.Event, n)
	for i := range list {
		list[i] = messages.Event{
			ID: fmt.Sprint("event-", i), Source: "/test", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", TraceState: "a=1",
			Command: messages.Command{Tenant: "contoso.example", User: fmt.Sprintf("user%d@contoso.example", i), SMSSignIn: new(true), Run: strings.Repeat("r", 60), Row: i + 1},
		}
	}
	return list
}

func receive(t *testing.T, s *servicebus.Source) messages.Delivery {
	t.Helper()
	for {
		list, err := s.Receive(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > 0 {
			return list[0]
		}
	}
}

func TestWhatIsSentIsReceived(t *testing.T) {
	n, _ := open(t, broker.Queue{})
	sent := events(1)
	if got, err := sender(t, n).Send(t.Context(), sent); got != 1 || err != nil {
		t.Fatalf("sent %d, error %v", got, err)
	}
	from := source(t, n)
	d := receive(t, from)
	got, err := messages.Decode(d.Encoded)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sent[0], got); diff != "" {
		t.Errorf("event (-sent +received):\n%s", diff)
	}
	if d.MessageID != sent[0].ID || d.Count != 1 || d.SequenceNumber == 0 || d.EnqueuedTime.IsZero() || time.Until(d.LockedUntil) < 50*time.Second {
		t.Errorf("delivery %+v", d)
	}
	if d.Properties["traceparent"] != sent[0].TraceParent || d.Properties["tracestate"] != "a=1" {
		t.Errorf("the application properties have no trace context: %v", d.Properties)
	}
	if err := from.Complete(t.Context(), d); err != nil {
		t.Error(err)
	}
}

// More than fits into one message of the service is sent in several, in order.
func TestManyAreSentInSeveralBatches(t *testing.T) {
	n, server := open(t, broker.Queue{})
	const many = 5000
	if got, err := sender(t, n).Send(t.Context(), events(many)); got != many || err != nil {
		t.Fatalf("sent %d, error %v", got, err)
	}
	counts, err := server.Counts("commands")
	if err != nil || counts.Active != many {
		t.Fatalf("%+v active, error %v; want %d", counts, err, many)
	}
	// What arrives between two calls azservicebus gives back, and it comes again
	// later: the order of the queue is in the sequence numbers.
	from := source(t, n)
	place := make(map[string]int64, many)
	for len(place) < many {
		list, err := from.Receive(t.Context(), many)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			place[d.MessageID] = d.SequenceNumber
		}
	}
	for i := 1; i < many; i++ {
		if before, after := place[fmt.Sprint("event-", i-1)], place[fmt.Sprint("event-", i)]; before >= after {
			t.Fatalf("event %d is number %d of the queue, event %d is number %d", i-1, before, i, after)
		}
	}
}

func TestAnEventThatCanNotBeEncodedEndsTheSending(t *testing.T) {
	n, _ := open(t, broker.Queue{})
	list := events(3)
	list[1].Command.User = ""
	if got, err := sender(t, n).Send(t.Context(), list); got != 0 || err == nil {
		t.Errorf("sent %d, error %v; want none and an error", got, err)
	}
}

func TestSettlements(t *testing.T) {
	n, server := open(t, broker.Queue{})
	if _, err := sender(t, n).Send(t.Context(), events(2)); err != nil {
		t.Fatal(err)
	}
	from := source(t, n)
	first := receive(t, from)
	if err := from.Abandon(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	again := receive(t, from)
	if again.MessageID != first.MessageID || again.Count != 2 {
		t.Errorf("after abandon: %s for the %d. time, want %s for the second", again.MessageID, again.Count, first.MessageID)
	}
	until, err := from.RenewLock(t.Context(), again)
	if err != nil || until.Before(first.LockedUntil) {
		t.Errorf("renewed until %v, error %v; it was locked until %v", until, err, first.LockedUntil)
	}
	if empty, err := from.Empty(t.Context()); empty || err != nil {
		t.Errorf("empty %v, error %v, with one locked and one waiting", empty, err)
	}
	if err := from.DeadLetter(t.Context(), again, messages.DeadLetter{
		Reason: "UnknownUser", Description: "No such user.", Properties: map[string]any{messages.TraceIDProperty: "0af7651916cd43dd8448eb211c80319c"},
	}); err != nil {
		t.Fatal(err)
	}
	if err := from.Complete(t.Context(), receive(t, from)); err != nil {
		t.Fatal(err)
	}
	if empty, err := from.Empty(t.Context()); !empty || err != nil {
		t.Errorf("empty %v, error %v, with nothing left", empty, err)
	}
	if counts, err := server.Counts("commands"); err != nil || counts != (broker.Counts{DeadLettered: 1}) {
		t.Errorf("counts %+v, error %v", counts, err)
	}
	var letters []servicebus.DeadLetter
	for d, err := range n.DeadLetters(t.Context(), "commands") {
		if err != nil {
			t.Fatal(err)
		}
		letters = append(letters, d)
	}
	if len(letters) != 1 || letters[0].Reason != "UnknownUser" || letters[0].Description != "No such user." ||
		letters[0].TraceID != "0af7651916cd43dd8448eb211c80319c" || letters[0].MessageID != first.MessageID {
		t.Errorf("dead letters %+v", letters)
	}
}

func TestALockThatIsOver(t *testing.T) {
	n, _ := open(t, broker.Queue{LockDuration: 100 * time.Millisecond})
	if _, err := sender(t, n).Send(t.Context(), events(1)); err != nil {
		t.Fatal(err)
	}
	from := source(t, n)
	late := receive(t, from)
	// It is handed out again only after the first lock is over.
	again := receive(t, from)
	if again.Count != 2 {
		t.Errorf("delivery count %d, want 2", again.Count)
	}
	for name, err := range map[string]error{
		"complete": from.Complete(t.Context(), late),
		"renew": func() error {
			_, err := from.RenewLock(t.Context(), late)
			return err
		}(),
	} {
		if !errors.Is(err, messages.ErrLockLost) {
			t.Errorf("%s: %v, want lock lost", name, err)
		}
	}
}

func TestDeadLettersArePagedAndCanBeStopped(t *testing.T) {
	n, _ := open(t, broker.Queue{MaxDeliveryCount: 1})
	const many = 600
	if _, err := sender(t, n).Send(t.Context(), events(many)); err != nil {
		t.Fatal(err)
	}
	from := source(t, n)
	for done := 0; done < many; {
		list, err := from.Receive(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range list {
			if err := from.Abandon(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			done++
		}
	}
	count, last := 0, int64(0)
	for d, err := range n.DeadLetters(t.Context(), "commands") {
		if err != nil {
			t.Fatal(err)
		}
		if d.Reason != "MaxDeliveryCountExceeded" || d.SequenceNumber <= last {
			t.Fatalf("dead letter %+v after sequence number %d", d, last)
		}
		count, last = count+1, d.SequenceNumber
	}
	if count != many {
		t.Errorf("%d dead letters, want %d", count, many)
	}
	for _, err := range n.DeadLetters(t.Context(), "commands") {
		if err != nil {
			t.Error(err)
		}
		break
	}
}

func TestQueuesThatCanNotBeUsed(t *testing.T) {
	n, server := open(t, broker.Queue{})
	missing, err := n.Source("missing")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := missing.Empty(t.Context()); !errors.Is(err, servicebus.ErrQueueNotFound) {
		t.Errorf("unknown queue: %v, want ErrQueueNotFound", err)
	}
	wrong, err := servicebus.Open(servicebus.Options{Address: strings.Replace(server.ConnectionString(), "SAS_KEY_VALUE", "wrong", 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close(t.Context())
	if _, err := sender(t, wrong).Send(t.Context(), events(1)); !errors.Is(err, servicebus.ErrUnauthorized) {
		t.Errorf("wrong key: %v, want ErrUnauthorized", err)
	}
}

func TestAddresses(t *testing.T) {
	const real = "Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKeyName=n;SharedAccessKey=k"
	for _, test := range []struct {
		address             string
		connection, locally bool
	}{
		{real, true, false},
		{" endpoint=sb://localhost;UseDevelopmentEmulator=True", true, true},
		{"contoso.servicebus.windows.net", false, false},
		{"", false, false},
	} {
		if got := servicebus.IsConnectionString(test.address); got != test.connection {
			t.Errorf("IsConnectionString(%q) = %v", test.address, got)
		}
		if got := servicebus.IsEmulator(test.address); got != test.locally {
			t.Errorf("IsEmulator(%q) = %v", test.address, got)
		}
	}
	for _, address := range []string{"", "contoso.servicebus.windows.net", "Endpoint=nonsense;SharedAccessKeyName=n;SharedAccessKey=secret-key"} {
		refused(t, servicebus.Options{Address: address})
	}
	// What is no connection string is not taken for a host, to be looked up and told of.
	for _, address := range []string{
		"SharedAccessKeyName=n;SharedAccessKey=secret-key", "Service Bus  Endpoint=sb://localhost;SharedAccessKeyName=n;SharedAccessKey=secret-key",
		"a\nEndpoint=sb://localhost;SharedAccessKey=secret-key", "secret-key=", "https://contoso.servicebus.windows.net:443/", "a/secret-key", "-a",
	} {
		refused(t, servicebus.Options{Address: address, Credential: token{}})
	}
	for _, address := range []string{"contoso.servicebus.windows.net", "localhost:5671", "127.0.0.1"} {
		n, err := servicebus.Open(servicebus.Options{Address: address, Credential: token{}})
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// refused opens an address that can't be, and holds the errors to keep its key.
func refused(t *testing.T, o servicebus.Options) {
	t.Helper()
	_, opening := servicebus.Open(o)
	_, managing := servicebus.OpenManager(o, "")
	for _, err := range []error{opening, managing} {
		if err == nil || strings.Contains(err.Error(), "secret-key") {
			t.Errorf("%q: error %v", o.Address, err)
		}
	}
}

func TestADeliveryFromElsewhereIsRefused(t *testing.T) {
	n, _ := open(t, broker.Queue{})
	from := source(t, n)
	if err := from.Complete(t.Context(), messages.Delivery{}); err == nil {
		t.Error("completed a message that was never received")
	}
}
