package broker_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

func TestOptionsReportEveryFault(t *testing.T) {
	_, err := broker.New(broker.Options{
		Queues: []broker.Queue{
			{Name: "a"}, {Name: "A"}, {Name: ""}, {Name: "a//b"}, {Name: "b/$management"},
			{Name: "long", LockDuration: time.Hour}, {Name: "count", MaxDeliveryCount: -1},
		},
		Keys:           []broker.Key{{Name: "empty"}, {Name: "twice", Value: "a"}, {Name: "twice", Value: "b"}},
		MaxMessageSize: -1,
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`"A": the name is used twice`, `queue ""`, `"a//b"`, `"b/$management"`, `"long": LockDuration`,
		`"count": MaxDeliveryCount`, `key "empty"`, `key "twice"`, `MaxMessageSize -1`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error:\n%v", want, err)
		}
	}
}

func TestCountsOfUnknownQueue(t *testing.T) {
	s := start(t, oneQueue)
	if _, err := s.Counts("nothing"); !errors.Is(err, broker.ErrUnknownEntity) {
		t.Errorf("counts = %v, want ErrUnknownEntity", err)
	}
}

func TestConnectionString(t *testing.T) {
	keys := []broker.Key{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}
	s := startOn(t, newPipes(), broker.Options{Keys: keys})
	want := "Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=a;SharedAccessKey=1;UseDevelopmentEmulator=true"
	if got := s.ConnectionString(); got != want {
		t.Errorf("connection string = %q, want %q", got, want)
	}
	stopped, err := broker.New(broker.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := stopped.Close(); err != nil {
		t.Fatal(err)
	}
	if got := stopped.ConnectionString(); got != "" {
		t.Errorf("connection string of a stopped server = %q", got)
	}
	if err := stopped.Serve(newPipes()); !errors.Is(err, broker.ErrServerClosed) {
		t.Errorf("serve after close = %v, want ErrServerClosed", err)
	}
}

func TestListenOnAllAddresses(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	s := startOn(t, l, oneQueue)
	send(t, connect(t, s), "q", "x")
	wantCounts(t, s, broker.Counts{Active: 1})
}

func TestClientReopens(t *testing.T) {
	s := start(t, oneQueue)
	for range 5 {
		client := connect(t, s)
		r := receiver(t, client, nil)
		send(t, client, "q", "x")
		if err := r.CompleteMessage(deadline(t), receiveOne(t, r), nil); err != nil {
			t.Fatal(err)
		}
		if err := client.Close(deadline(t)); err != nil {
			t.Fatal(err)
		}
	}
	wantCounts(t, s, broker.Counts{})
}

func TestShutdownAnswersFirst(t *testing.T) {
	s := start(t, oneQueue)
	p := openPeer(t, s)
	p.begin()
	p.sender(0)
	p.transfer(delivery(0, 0), text("x"))
	expect[*wire.Disposition](p)
	done := make(chan error)
	go func() { done <- s.Shutdown(deadline(t)) }()
	c := expect[*wire.Close](p)
	if c.Error == nil || c.Error.Condition != wire.CondConnectionForced {
		t.Errorf("close = %v, want amqp:connection:forced", c.Error)
	}
	p.send(0, &wire.Close{})
	if err := <-done; err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestShutdownWithClients(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	r := receiver(t, client, nil)
	send(t, client, "q", "x")
	receiveOne(t, r)
	waiting := make(chan error)
	ctx, cancel := context.WithCancel(deadline(t))
	go func() {
		_, err := r.ReceiveMessages(ctx, 1, nil)
		waiting <- err
	}()
	if err := s.Shutdown(deadline(t)); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	cancel()
	<-waiting
}

// TestShutdownCutsOff has a peer that neither reads nor answers.
func TestShutdownCutsOff(t *testing.T) {
	s := start(t, oneQueue)
	openPeer(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown = %v, want the error of its context", err)
	}
}

// TestShutdownDuringHandshake has a peer that connects and says nothing.
func TestShutdownDuringHandshake(t *testing.T) {
	s := start(t, oneQueue)
	p := dialPeer(t, s)
	p.header(wire.ProtocolAMQP) // so that the server has surely accepted
	if err := s.Shutdown(deadline(t)); err != nil {
		t.Errorf("shutdown: %v", err)
	}
}

func TestSendAfterReceiverOfAnotherClientClosed(t *testing.T) {
	s := start(t, oneQueue)
	gone := connect(t, s)
	ctx, cancel := context.WithCancel(deadline(t))
	waiting := make(chan struct{})
	r := receiver(t, gone, nil)
	go func() {
		defer close(waiting)
		_, _ = r.ReceiveMessages(ctx, 1, nil)
	}()
	stays := receiver(t, connect(t, s), nil)
	got := receiveLater(t, stays)
	cancel()
	<-waiting
	if err := gone.Close(deadline(t)); err != nil {
		t.Fatal(err)
	}
	send(t, connect(t, s), "q", "x")
	if body := <-got; body != "x" {
		t.Errorf("received %q", body)
	}
}
