package messages_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/messages"
)

// dial serves one queue on loopback until the test ends and returns a client
// of it.
func dial(t *testing.T, queue string) *azservicebus.Client {
	t.Helper()
	server, err := broker.New(broker.Options{Queues: []broker.Queue{{Name: queue}}})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close broker: %v", err)
		}
		if err := <-served; !errors.Is(err, broker.ErrServerClosed) {
			t.Errorf("serve broker: %v", err)
		}
	})
	client, err := azservicebus.NewClientFromConnectionString(
		"Endpoint=sb://"+listener.Addr().String()+";SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(context.Background()); err != nil {
			t.Errorf("close client: %v", err)
		}
	})
	return client
}

// receive takes one message off the queue.
func receive(ctx context.Context, t *testing.T, client *azservicebus.Client, queue string) messages.Encoded {
	t.Helper()
	receiver, err := client.NewReceiverForQueue(queue, &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close(ctx)
	got, err := receiver.ReceiveMessages(ctx, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	return messages.Encoded{ContentType: *got[0].ContentType, Properties: got[0].ApplicationProperties, Body: got[0].Body}
}

// An event in either mode, and with attributes as native AMQP values, is the
// same event after it has been through AMQP.
func TestEventsTravelOverAMQP(t *testing.T) {
	const queue = "muster-events"
	client := dial(t, queue)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	event := wholeEvent()
	event.Time = event.Time.Truncate(time.Millisecond) // as far as an AMQP timestamp goes

	sendBinary := func(native bool) error {
		m, err := event.Binary()
		if err != nil {
			return err
		}
		if native {
			m.Properties["cloudEvents:time"] = event.Time
			m.Properties["cloudEvents:sequence"] = int64(7)
		}
		sender, err := client.NewSender(queue, nil)
		if err != nil {
			return err
		}
		defer sender.Close(ctx)
		return sender.SendMessage(ctx, message(event.ID, m), nil)
	}
	for _, test := range []struct {
		name string
		send func() error
	}{
		{"structured", func() error { return publish(ctx, client, queue, event) }},
		{"binary", func() error { return sendBinary(false) }},
		{"binary with native values", func() error { return sendBinary(true) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := test.send(); err != nil {
				t.Fatal(err)
			}
			got, err := messages.Decode(receive(ctx, t, client, queue))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(event, got); diff != "" {
				t.Errorf("event (-sent +received):\n%s", diff)
			}
		})
	}
}
