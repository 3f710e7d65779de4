package servicebus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/messages"
)

// Sender puts commands into one queue. It is safe for concurrent use; commands
// of one call keep their order.
type Sender struct {
	queue  string
	sender *azservicebus.Sender
}

// Sender opens the queue for sending.
func (n *Namespace) Sender(queue string) (*Sender, error) {
	sender, err := n.client.NewSender(queue, nil)
	if err != nil {
		return nil, describe("open sender", err)
	}
	return &Sender{queue: queue, sender: sender}, nil
}

// Queue is the queue's name.
func (s *Sender) Queue() string { return s.queue }

// Send puts the events into the queue in their order, in as few batches as the
// service's message size allows. It returns how many of them, from the first on,
// the service has accepted; when an error comes with it, the fate of the next
// ones is not known.
func (s *Sender) Send(ctx context.Context, events []messages.Event) (int, error) {
	sent := 0
	for sent < len(events) {
		batch, err := s.sender.NewMessageBatch(ctx, nil)
		if err != nil {
			return sent, describe("create batch", err)
		}
		n, err := fill(batch, events[sent:])
		if err != nil {
			return sent, err
		}
		if err := s.sender.SendMessageBatch(ctx, batch, nil); err != nil {
			return sent, describe("send batch", err)
		}
		sent += n
	}
	return sent, nil
}

// fill adds events until the batch takes no more and returns their number.
func fill(batch *azservicebus.MessageBatch, events []messages.Event) (int, error) {
	for i, e := range events {
		m, err := message(e)
		if err != nil {
			return i, err
		}
		err = batch.AddMessage(m, nil)
		if errors.Is(err, azservicebus.ErrMessageTooLarge) && i > 0 {
			return i, nil
		}
		if err != nil {
			return i, fmt.Errorf("add command %s to batch: %w", e.ID, err)
		}
	}
	return len(events), nil
}

// SendAt puts an event into the queue that joins it at that time; until then
// nobody receives it. Where the time has passed already it joins at once.
func (s *Sender) SendAt(ctx context.Context, e messages.Event, at time.Time) error {
	m, err := message(e)
	if err != nil {
		return err
	}
	m.ScheduledEnqueueTime = &at
	if err := s.sender.SendMessage(ctx, m, nil); err != nil {
		return describe("send scheduled message", err)
	}
	return nil
}

// SendEncoded puts one message into the queue as it is.
func (s *Sender) SendEncoded(ctx context.Context, id string, e messages.Encoded) error {
	if err := s.sender.SendMessage(ctx, raw(id, e), nil); err != nil {
		return describe("send message", err)
	}
	return nil
}

// Close gives the link back.
func (s *Sender) Close(ctx context.Context) error {
	if err := s.sender.Close(ctx); err != nil {
		return fmt.Errorf("close sender: %w", err)
	}
	return nil
}

// message gives the event's id to the message, so that a queue with duplicate
// detection drops a command that was sent twice. The trace context stands in
// the application properties too, where readers that know no CloudEvents look.
func message(e messages.Event) (*azservicebus.Message, error) {
	encoded, err := e.Structured()
	if err != nil {
		return nil, fmt.Errorf("encode command: %w", err)
	}
	m := raw(e.ID, encoded)
	if e.TraceParent != "" {
		properties := map[string]any{"traceparent": e.TraceParent}
		if e.TraceState != "" {
			properties["tracestate"] = e.TraceState
		}
		for k, v := range encoded.Properties {
			properties[k] = v
		}
		m.ApplicationProperties = properties
	}
	return m, nil
}

func raw(id string, e messages.Encoded) *azservicebus.Message {
	return &azservicebus.Message{
		ApplicationProperties: e.Properties,
		Body:                  e.Body,
		ContentType:           &e.ContentType,
		MessageID:             &id,
	}
}
