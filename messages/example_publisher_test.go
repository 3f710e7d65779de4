package messages_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/messages"
)

// newJoiner is the command that an upstream identity system publishes when
// somebody joins: one phone, per-user MFA on, everything else left alone.
func newJoiner(id string, at time.Time) messages.Event {
	return messages.Event{
		ID:     id,
		Source: "https://hr.contoso.example/joiners",
		Time:   at,
		Command: messages.Command{
			Tenant:          "contoso.example",
			User:            "eva@contoso.example",
			Phones:          messages.Phones{messages.Mobile: "+31 612345678"},
			PerUserMFAState: messages.MFAEnabled,
		},
	}
}

// publish sends an event to a queue. The event's id becomes the message id, so
// that a queue with duplicate detection drops what is sent twice.
func publish(ctx context.Context, client *azservicebus.Client, queue string, event messages.Event) error {
	encoded, err := event.Structured()
	if err != nil {
		return fmt.Errorf("encode command: %w", err)
	}
	sender, err := client.NewSender(queue, nil)
	if err != nil {
		return fmt.Errorf("open sender: %w", err)
	}
	defer sender.Close(ctx)
	if err := sender.SendMessage(ctx, message(event.ID, encoded), nil); err != nil {
		return fmt.Errorf("send command: %w", err)
	}
	return nil
}

// message makes a Service Bus message of an encoded event in either mode.
func message(id string, encoded messages.Encoded) *azservicebus.Message {
	return &azservicebus.Message{
		MessageID:             &id,
		ContentType:           &encoded.ContentType,
		ApplicationProperties: encoded.Properties,
		Body:                  encoded.Body,
	}
}

// A publisher needs this package and azservicebus, and nothing else of ours.
// This prints what travels; with a client of azservicebus.NewClient,
// publish(ctx, client, "muster-events", event) sends it.
func Example_publisher() {
	event := newJoiner("joiner-4711", time.Date(2026, time.May, 4, 8, 30, 0, 0, time.UTC))
	encoded, err := event.Structured()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(encoded.ContentType)
	fmt.Println(string(encoded.Body))
	// Output:
	// application/cloudevents+json; charset=utf-8
	// {"specversion":"1.0","type":"com.github.muster-mfa.command.v1","id":"joiner-4711","source":"https://hr.contoso.example/joiners","time":"2026-05-04T08:30:00Z","datacontenttype":"application/json","dataschema":"https://muster-mfa.github.io/schemas/command.v1.json","data":{"tenant":"contoso.example","user":"eva@contoso.example","phones":{"mobile":"+31 612345678"},"perUserMfaState":"enabled"}}
}
