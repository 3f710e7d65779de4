package messages

import (
	"errors"
	"time"
)

// Delivery is one message that a queue has handed out under a lock.
type Delivery struct {
	Encoded
	// MessageID is the queue's id of the message, as the publisher set it.
	MessageID string
	// SequenceNumber is the message's place in its queue.
	SequenceNumber int64
	// Count is how often the message has been handed out, this time included.
	Count int
	// EnqueuedTime is when the queue accepted the message.
	EnqueuedTime time.Time
	// LockedUntil is when the lock ends unless it is renewed.
	LockedUntil time.Time
	// Handle is what the client of the queue needs to settle the message; it
	// means nothing to anybody else.
	Handle any
}

// DeadLetter says why a message is set aside for good.
type DeadLetter struct {
	// Reason is a stable code.
	Reason string
	// Description is a sentence for a person, free of personal data.
	Description string
	// Properties are added to the message's application properties.
	Properties map[string]any
}

// ErrLockLost is wrapped by the error of a settlement or renewal that came too
// late: the message is somebody else's by now, or will be.
var ErrLockLost = errors.New("message lock lost")

// TraceIDProperty is the application property that holds the trace id of a
// command that was dead-lettered, as 32 hexadecimal digits.
const TraceIDProperty = "trace-id"
