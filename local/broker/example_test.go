package broker_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/local/broker"
)

// A broker inside somebody else's test: an ephemeral port on loopback, one
// queue, and the official client with nothing but the connection string.
func ExampleServer() {
	server, err := broker.New(broker.Options{Queues: []broker.Queue{{Name: "commands"}}})
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go server.Serve(listener)
	defer server.Close()

	ctx := context.Background()
	client, err := azservicebus.NewClientFromConnectionString(server.ConnectionString(), nil)
	if err != nil {
		panic(err)
	}
	defer client.Close(ctx)
	sender, err := client.NewSender("commands", nil)
	if err != nil {
		panic(err)
	}
	if err := sender.SendMessage(ctx, &azservicebus.Message{Body: []byte("hello")}, nil); err != nil {
		panic(err)
	}
	counts, err := server.Counts("commands")
	if err != nil {
		panic(err)
	}
	fmt.Println(counts.Active, "message waits")
	// Output: 1 message waits
}

// A topic whose subscriptions want different messages, by a correlation filter and by
// SQL; the same could be made through the management API.
func ExampleServer_CreateTopic() {
	server, client := exampleServer(broker.Options{})
	defer server.Close()
	defer client.Close(context.Background())
	subject := "joiner"
	err := server.CreateTopic(broker.Topic{Name: "people", Subscriptions: []broker.Subscription{
		{Name: "all"},
		{Name: "joiners", Rules: []broker.Rule{{Name: "new", Correlation: &broker.CorrelationFilter{Label: &subject}}}},
		{Name: "abroad", Rules: []broker.Rule{{Name: "far", SQL: "region <> 'NL' AND sys.Label IN ('joiner', 'mover')"}}},
	}})
	if err != nil {
		panic(err)
	}
	exampleSend(client, "people",
		&azservicebus.Message{Subject: &subject, ApplicationProperties: map[string]any{"region": "NL"}},
		&azservicebus.Message{Subject: &subject, ApplicationProperties: map[string]any{"region": "DK"}},
		&azservicebus.Message{ApplicationProperties: map[string]any{"region": "DK"}},
	)
	for _, name := range []string{"all", "joiners", "abroad"} {
		counts, err := server.Counts("people/Subscriptions/" + name)
		if err != nil {
			panic(err)
		}
		fmt.Println(name, counts.Active)
	}
	// Output:
	// all 3
	// joiners 2
	// abroad 1
}

// With a folder, everything that was acknowledged is there for the next server.
func ExampleOptions_data() {
	folder, err := os.MkdirTemp("", "broker")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	options := broker.Options{Data: folder, Queues: []broker.Queue{{Name: "commands"}}}
	server, client := exampleServer(options)
	exampleSend(client, "commands", &azservicebus.Message{Body: []byte("hello")})
	client.Close(context.Background())
	server.Close()

	next, err := broker.New(options)
	if err != nil {
		panic(err)
	}
	defer next.Close()
	counts, err := next.Counts("commands")
	if err != nil {
		panic(err)
	}
	fmt.Println(counts.Active, "message is still there")
	// Output: 1 message is still there
}

// A bad day for the client under test: its links are detached, and then the entity
// is busy twice. The same seed makes the same choices.
func ExampleServer_Inject() {
	server, client := exampleServer(broker.Options{Queues: []broker.Queue{{Name: "commands"}}})
	defer server.Close()
	defer client.Close(context.Background())
	for _, fault := range []broker.Fault{{Kind: broker.FaultDetachLinks}, {Kind: broker.FaultBusy, Entity: "commands", Count: 2, Seed: 7}} {
		if err := server.Inject(fault); err != nil {
			panic(err)
		}
	}
	exampleSend(client, "commands", &azservicebus.Message{Body: []byte("hello")})
	counts, err := server.Counts("commands")
	if err != nil {
		panic(err)
	}
	fmt.Println("the client got over it:", counts.Active)
	// Output: the client got over it: 1
}

// exampleServer runs a server and connects a client that tries again at once.
func exampleServer(options broker.Options) (*broker.Server, *azservicebus.Client) {
	server, err := broker.New(options)
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go server.Serve(listener)
	client, err := azservicebus.NewClientFromConnectionString(server.ConnectionString(), &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{RetryDelay: time.Millisecond},
	})
	if err != nil {
		panic(err)
	}
	return server, client
}

func exampleSend(client *azservicebus.Client, entity string, messages ...*azservicebus.Message) {
	ctx := context.Background()
	sender, err := client.NewSender(entity, nil)
	if err != nil {
		panic(err)
	}
	defer sender.Close(ctx)
	for _, m := range messages {
		if err := sender.SendMessage(ctx, m, nil); err != nil {
			panic(err)
		}
	}
}
