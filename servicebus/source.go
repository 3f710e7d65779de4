package servicebus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/messages"
)

// Source hands out the messages of one queue under a lock. Receive is for one
// goroutine; the other methods are safe for concurrent use.
type Source struct {
	queue    string
	receiver *azservicebus.Receiver
	watcher  *azservicebus.Receiver
}

// Source opens the queue for receiving.
func (n *Namespace) Source(queue string) (*Source, error) {
	receiver, err := n.client.NewReceiverForQueue(queue, nil)
	if err != nil {
		return nil, describe("open receiver", err)
	}
	// A receiver remembers how far it has peeked, so looking whether the queue
	// is empty has a receiver of its own.
	watcher, err := n.client.NewReceiverForQueue(queue, nil)
	if err != nil {
		return nil, describe("open receiver", err)
	}
	return &Source{queue: queue, receiver: receiver, watcher: watcher}, nil
}

// Queue is the queue's name.
func (s *Source) Queue() string { return s.queue }

// Receive waits for the first message and then returns it with at most limit-1
// others that are there. It may return none and no error: the link was lost and
// the next call opens it again.
func (s *Source) Receive(ctx context.Context, limit int) ([]messages.Delivery, error) {
	received, err := s.receiver.ReceiveMessages(ctx, limit, nil)
	if err != nil {
		return nil, describe("receive messages", err)
	}
	deliveries := make([]messages.Delivery, len(received))
	for i, m := range received {
		deliveries[i] = delivery(m)
	}
	return deliveries, nil
}

// Complete removes the message from the queue.
func (s *Source) Complete(ctx context.Context, d messages.Delivery) error {
	m, err := received(d)
	if err != nil {
		return err
	}
	if err := s.receiver.CompleteMessage(ctx, m, nil); err != nil {
		return describe("complete message", err)
	}
	return nil
}

// Abandon gives the message back at once. Service Bus counts the delivery.
func (s *Source) Abandon(ctx context.Context, d messages.Delivery) error {
	m, err := received(d)
	if err != nil {
		return err
	}
	if err := s.receiver.AbandonMessage(ctx, m, nil); err != nil {
		return describe("abandon message", err)
	}
	return nil
}

// DeadLetter moves the message to the dead-letter queue.
func (s *Source) DeadLetter(ctx context.Context, d messages.Delivery, why messages.DeadLetter) error {
	m, err := received(d)
	if err != nil {
		return err
	}
	if err := s.receiver.DeadLetterMessage(ctx, m, &azservicebus.DeadLetterOptions{
		Reason:             &why.Reason,
		ErrorDescription:   &why.Description,
		PropertiesToModify: why.Properties,
	}); err != nil {
		return describe("dead-letter message", err)
	}
	return nil
}

// RenewLock starts the lock's time anew and returns its new end.
func (s *Source) RenewLock(ctx context.Context, d messages.Delivery) (time.Time, error) {
	m, err := received(d)
	if err != nil {
		return time.Time{}, err
	}
	if err := s.receiver.RenewMessageLock(ctx, m, nil); err != nil {
		return time.Time{}, describe("renew message lock", err)
	}
	if m.LockedUntil == nil {
		return time.Time{}, errors.New("renew message lock: the reply has no end of the lock")
	}
	return *m.LockedUntil, nil
}

// Empty tells whether the queue holds no message that is to be handed out now or
// later: neither waiting, nor locked by anybody, nor scheduled. Deferred
// messages do not count, for nobody hands them out.
func (s *Source) Empty(ctx context.Context) (bool, error) {
	const page = 100
	from := int64(0)
	for {
		peeked, err := s.watcher.PeekMessages(ctx, page, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
		if err != nil {
			return false, describe("peek messages", err)
		}
		for _, m := range peeked {
			if m.State != azservicebus.MessageStateDeferred {
				return false, nil
			}
			from = *m.SequenceNumber + 1
		}
		if len(peeked) == 0 {
			return true, nil
		}
	}
}

// Close gives the links back. Messages still locked stay so until their locks end.
func (s *Source) Close(ctx context.Context) error {
	if err := errors.Join(s.receiver.Close(ctx), s.watcher.Close(ctx)); err != nil {
		return fmt.Errorf("close receiver: %w", err)
	}
	return nil
}

func delivery(m *azservicebus.ReceivedMessage) messages.Delivery {
	d := messages.Delivery{
		Encoded:   messages.Encoded{Properties: m.ApplicationProperties, Body: m.Body},
		MessageID: m.MessageID,
		Count:     int(m.DeliveryCount),
		Handle:    m,
	}
	if m.ContentType != nil {
		d.ContentType = *m.ContentType
	}
	if m.SequenceNumber != nil {
		d.SequenceNumber = *m.SequenceNumber
	}
	if m.EnqueuedTime != nil {
		d.EnqueuedTime = *m.EnqueuedTime
	}
	if m.LockedUntil != nil {
		d.LockedUntil = *m.LockedUntil
	}
	return d
}

func received(d messages.Delivery) (*azservicebus.ReceivedMessage, error) {
	m, ok := d.Handle.(*azservicebus.ReceivedMessage)
	if !ok {
		return nil, fmt.Errorf("settle message %d: it was not received from Service Bus", d.SequenceNumber)
	}
	return m, nil
}
