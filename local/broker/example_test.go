package broker_test

import (
	"context"
	"fmt"
	"net"

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
