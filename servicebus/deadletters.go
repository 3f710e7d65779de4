package servicebus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/messages"
)

// DeadLetter is a message that was set aside. Its body is left out: it names a
// user and may hold numbers.
type DeadLetter struct {
	SequenceNumber int64     `json:"sequenceNumber"`
	MessageID      string    `json:"messageId"`
	Reason         string    `json:"reason"`
	Description    string    `json:"description"`
	TraceID        string    `json:"traceId,omitempty"`
	EnqueuedTime   time.Time `json:"enqueuedTime"`
	DeliveryCount  int       `json:"deliveryCount"`
}

// DeadLetters looks at every message in the queue's dead-letter queue, oldest
// first, without taking any. The sequence ends after the first error.
func (n *Namespace) DeadLetters(ctx context.Context, queue string) iter.Seq2[DeadLetter, error] {
	return func(yield func(DeadLetter, error) bool) {
		if err := n.deadLetters(ctx, queue, yield); err != nil && !errors.Is(err, errStopped) {
			yield(DeadLetter{}, err)
		}
	}
}

// errStopped ends the walk because the reader of the sequence wants no more.
var errStopped = errors.New("stopped")

func (n *Namespace) deadLetters(ctx context.Context, queue string, yield func(DeadLetter, error) bool) (err error) {
	receiver, err := n.client.NewReceiverForQueue(queue, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	if err != nil {
		return describe("open dead-letter queue", err)
	}
	defer func() {
		if closing := receiver.Close(context.WithoutCancel(ctx)); closing != nil && err == nil {
			err = fmt.Errorf("close dead-letter queue: %w", closing)
		}
	}()
	const page = 250
	from := int64(0)
	for {
		peeked, err := receiver.PeekMessages(ctx, page, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &from})
		if err != nil {
			return describe("peek dead-letter queue", err)
		}
		if len(peeked) == 0 {
			return nil
		}
		for _, m := range peeked {
			from = *m.SequenceNumber + 1
			if !yield(deadLetter(m), nil) {
				return errStopped
			}
		}
	}
}

func deadLetter(m *azservicebus.ReceivedMessage) DeadLetter {
	d := delivery(m)
	dl := DeadLetter{
		SequenceNumber: d.SequenceNumber,
		MessageID:      d.MessageID,
		EnqueuedTime:   d.EnqueuedTime,
		DeliveryCount:  d.Count,
	}
	if m.DeadLetterReason != nil {
		dl.Reason = *m.DeadLetterReason
	}
	if m.DeadLetterErrorDescription != nil {
		dl.Description = *m.DeadLetterErrorDescription
	}
	dl.TraceID, _ = m.ApplicationProperties[messages.TraceIDProperty].(string)
	return dl
}
