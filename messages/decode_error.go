package messages

// The reasons for which a message is refused. They are stable: the worker
// dead-letters with them, and publishers may act on them.
const (
	// ReasonMalformed: a CloudEvent of the right type which breaks a rule of
	// the envelope or of the command.
	ReasonMalformed = "MalformedCommand"
	// ReasonNotCloudEvent: no CloudEvent at all, such as bare data JSON.
	ReasonNotCloudEvent = "NotACloudEvent"
	// ReasonUnsupportedType: a CloudEvent of another type, specversion or
	// event format.
	ReasonUnsupportedType = "UnsupportedEventType"
	// ReasonTooLarge: the body is longer than [MaxBody].
	ReasonTooLarge = "CommandTooLarge"
	// ReasonMalformedOutcome is [DecodeOutcome]'s reason for a broken rule.
	ReasonMalformedOutcome = "MalformedOutcome"
)

// DecodeError says why a message is refused. No part of it repeats anything
// that the publisher wrote, not even the name of an unknown member: each could
// be a phone number or a user principal name.
type DecodeError struct {
	// Reason is one of the constants above.
	Reason string
	// Path points at the value, such as "$.data.phones.mobile" or
	// "$.data.authenticator.remove[2]". It is the same in both content modes.
	Path string
	// Problem completes the sentence that the path begins: "must be …".
	Problem string
}

// Error returns reason, path and problem on one line.
func (e *DecodeError) Error() string {
	return e.Reason + ": " + e.Path + " " + e.Problem
}
