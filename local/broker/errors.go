package broker

import (
	"fmt"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// Error conditions that Service Bus adds to those of AMQP.
const (
	condDeadLetter    wire.Symbol = "com.microsoft:dead-letter"
	condLockLost      wire.Symbol = "com.microsoft:message-lock-lost"
	condArgumentError wire.Symbol = "com.microsoft:argument-error"

	condEntityDisabled        wire.Symbol = "com.microsoft:entity-disabled"
	condEntityExists          wire.Symbol = "com.microsoft:entity-already-exists"
	condMessageNotFound       wire.Symbol = "com.microsoft:message-not-found"
	condSessionCannotBeLocked wire.Symbol = "com.microsoft:session-cannot-be-locked"
	condSessionLockLost       wire.Symbol = "com.microsoft:session-lock-lost"
	condServerBusy            wire.Symbol = "com.microsoft:server-busy"
	condTimeout               wire.Symbol = "com.microsoft:timeout"
)

// textLockLost is what Service Bus says about a lock that is gone; clients'
// tests look for it.
const textLockLost = "The lock supplied is invalid. Either the lock expired, or the message has already been removed from the queue."

// textSessionLost is what Service Bus says about a session that is not held any
// more.
const textSessionLost = "The session lock has expired on the MessageSession. Accept a new MessageSession."

// What is said about messages that are sent to where they can only be received.
const (
	textToDeadLetters  = "messages can't be sent to a dead-letter queue"
	textToSubscription = "messages can't be sent to a subscription; send them to its topic"
)

// textTooMuch is for a request whose reply would be too large.
const textTooMuch = "The messages are too large together. Ask for fewer of them at once."

// textProperties is for a settlement that sets more properties than a message may
// have.
const textProperties = "The properties of the message would exceed the maximum size of the header."

// refuse makes the error that a peer is told.
func refuse(condition wire.Symbol, format string, args ...any) *wire.Error {
	return &wire.Error{Condition: condition, Description: fmt.Sprintf(format, args...)}
}

// notBuilt refuses a feature of Service Bus that this broker does not have.
// The condition is not-allowed rather than not-implemented, because
// azservicebus gives up on the former at once, while it answers the latter by
// reconnecting and trying again.
func notBuilt(feature string) *wire.Error {
	return refuse(wire.CondNotAllowed, "%s: not supported by this broker", feature)
}

// notFound is the text by which clients recognise a missing entity.
func notFound(name string) string {
	return fmt.Sprintf("The messaging entity '%s' could not be found. status-code: 404", name)
}

// exists is the text by which clients recognise an entity that is there already.
func exists(name string) string {
	return fmt.Sprintf("The messaging entity '%s' already exists.", name)
}
