package broker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"go.uber.org/goleak"

	"github.com/muster-mfa/muster/local/broker"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		if err := serveUntilStopped(os.Getenv(childFolder), os.Getenv(childAddress)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// patience bounds every test that talks to a server, so that a hang is a
// failure.
const patience = 30 * time.Second

// durable has every server keep what it has on disk: MUSTERTEST_DURABLE=1 runs the
// same tests on the other store.
var durable = os.Getenv("MUSTERTEST_DURABLE") != ""

// oneQueue are options with a queue named q.
var oneQueue = broker.Options{Queues: []broker.Queue{{Name: "q"}}}

// start runs a server on loopback until the test is over.
func start(tb testing.TB, options broker.Options) *broker.Server {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return startOn(tb, l, options)
}

func startOn(tb testing.TB, l net.Listener, options broker.Options) *broker.Server {
	tb.Helper()
	if durable && options.Data == "" && options.Now == nil {
		options.Data = tb.TempDir()
	}
	s, err := broker.New(options)
	if err != nil {
		tb.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close server: %v", err)
		}
		if err := <-served; !errors.Is(err, broker.ErrServerClosed) {
			tb.Errorf("serve: %v, want ErrServerClosed", err)
		}
	})
	return s
}

// deadline returns a context that ends when a test has hung.
func deadline(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	tb.Cleanup(cancel)
	return ctx
}

// connect makes a client that is closed when the test is over.
func connect(tb testing.TB, s *broker.Server) *azservicebus.Client {
	tb.Helper()
	return connectAs(tb, s, s.ConnectionString(), azservicebus.ClientOptions{})
}

func connectTo(tb testing.TB, connectionString string, options *azservicebus.ClientOptions) *azservicebus.Client {
	tb.Helper()
	client, err := azservicebus.NewClientFromConnectionString(connectionString, options)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := client.Close(ctx); err != nil {
			tb.Errorf("close client: %v", err)
		}
	})
	return client
}

// send sends bodies one by one.
func send(tb testing.TB, client *azservicebus.Client, queue string, bodies ...string) {
	tb.Helper()
	sender, err := client.NewSender(queue, nil)
	if err != nil {
		tb.Fatal(err)
	}
	ctx := deadline(tb)
	for _, body := range bodies {
		if err := sender.SendMessage(ctx, &azservicebus.Message{Body: []byte(body)}, nil); err != nil {
			tb.Fatal(err)
		}
	}
	if err := sender.Close(ctx); err != nil {
		tb.Fatal(err)
	}
}

// receiver opens a receiver on queue q.
func receiver(tb testing.TB, client *azservicebus.Client, options *azservicebus.ReceiverOptions) *azservicebus.Receiver {
	tb.Helper()
	r, err := client.NewReceiverForQueue("q", options)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// receive receives exactly n messages. It gives the client time to collect
// them in one call: what comes between two calls the client releases, and that
// changes the order.
func receive(tb testing.TB, r *azservicebus.Receiver, n int) []*azservicebus.ReceivedMessage {
	tb.Helper()
	ctx := deadline(tb)
	var all []*azservicebus.ReceivedMessage
	for len(all) < n {
		messages, err := r.ReceiveMessages(ctx, n-len(all), &azservicebus.ReceiveMessagesOptions{TimeAfterFirstMessage: patience})
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, messages...)
	}
	return all
}

func receiveOne(tb testing.TB, r *azservicebus.Receiver) *azservicebus.ReceivedMessage {
	tb.Helper()
	return receive(tb, r, 1)[0]
}

// receiveLater receives one message in the background; the channel yields its
// body, or "" after an error.
func receiveLater(tb testing.TB, r *azservicebus.Receiver) <-chan string {
	tb.Helper()
	ctx := deadline(tb)
	body := make(chan string, 1)
	go func() {
		messages, err := r.ReceiveMessages(ctx, 1, nil)
		if err != nil || len(messages) != 1 {
			tb.Errorf("received %d messages, %v", len(messages), err)
			body <- ""
			return
		}
		body <- string(messages[0].Body)
	}()
	return body
}

// deadLetters opens a receiver on the dead-letter queue of q.
func deadLetters(tb testing.TB, client *azservicebus.Client) *azservicebus.Receiver {
	tb.Helper()
	return receiver(tb, client, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
}

// wantCounts compares the counts of queue q.
func wantCounts(tb testing.TB, s *broker.Server, want broker.Counts) {
	tb.Helper()
	got, err := s.Counts("q")
	if err != nil {
		tb.Fatal(err)
	}
	if got != want {
		tb.Errorf("counts = %+v, want %+v", got, want)
	}
}

// wantCode demands an azservicebus.Error with the code.
func wantCode(tb testing.TB, err error, want azservicebus.Code) {
	tb.Helper()
	var coded *azservicebus.Error
	if !errors.As(err, &coded) || coded.Code != want {
		tb.Errorf("error = %v, want code %q", err, want)
	}
}
