package messages

import "time"

// The CloudEvents types of this contract. A breaking change is a new type
// (v2) beside these; a new optional member is not.
const (
	CommandType = "com.github.muster-mfa.command.v1"
	OutcomeType = "com.github.muster-mfa.outcome.v1"
)

// The content types of an encoded event: of structured mode (CloudEvents JSON
// format, section 3), and of binary mode, where it is the data's own.
const (
	StructuredContentType = "application/cloudevents+json; charset=utf-8"
	BinaryContentType     = "application/json"
)

// MaxBody is the longest message body that is read or written, in bytes. It
// leaves room in the smallest Service Bus message (256 KB) for the broker's
// own properties, and bounds the work that one message can cause.
const MaxBody = 64 << 10

// Event is a command with its envelope.
type Event struct {
	// ID names the event; together with Source it is unique. At most 128
	// characters, so that it can also be the Service Bus message id.
	ID string
	// Source says who publishes: a URI reference such as
	// "https://hr.contoso.example/joiners".
	Source string
	// Time is when the command came to be. The zero time means not said.
	Time time.Time
	// Command is the event's data.
	Command Command
	// TraceParent and TraceState are the W3C trace context of whoever
	// published the event (CloudEvents distributed tracing extension), empty
	// for none. They are carried as they came: an unusable trace context
	// never refuses a command.
	TraceParent string
	TraceState  string
}

// OutcomeEvent is an outcome with its envelope.
type OutcomeEvent struct {
	// ID and Source are as in [Event].
	ID     string
	Source string
	// Time is when the outcome was settled. The zero time means not said.
	Time time.Time
	// Outcome is the event's data.
	Outcome Outcome
}

// Encoded is an event as it travels over AMQP: what goes to the queue and what
// comes from it.
type Encoded struct {
	// ContentType is the AMQP property content-type.
	ContentType string
	// Properties are the AMQP application properties; nil in structured mode.
	Properties map[string]any
	// Body is the message's one data section.
	Body []byte
}
