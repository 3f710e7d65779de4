package wire

import "fmt"

// Error conditions of part 2, section 2.8.15 to 2.8.18, and part 4.
const (
	CondInternalError         Symbol = "amqp:internal-error"
	CondNotFound              Symbol = "amqp:not-found"
	CondUnauthorizedAccess    Symbol = "amqp:unauthorized-access"
	CondDecodeError           Symbol = "amqp:decode-error"
	CondResourceLimitExceeded Symbol = "amqp:resource-limit-exceeded"
	CondNotAllowed            Symbol = "amqp:not-allowed"
	CondInvalidField          Symbol = "amqp:invalid-field"
	CondNotImplemented        Symbol = "amqp:not-implemented"
	CondResourceLocked        Symbol = "amqp:resource-locked"
	CondPreconditionFailed    Symbol = "amqp:precondition-failed"
	CondResourceDeleted       Symbol = "amqp:resource-deleted"
	CondIllegalState          Symbol = "amqp:illegal-state"
	CondFrameSizeTooSmall     Symbol = "amqp:frame-size-too-small"

	CondConnectionForced   Symbol = "amqp:connection:forced"
	CondFramingError       Symbol = "amqp:connection:framing-error"
	CondConnectionRedirect Symbol = "amqp:connection:redirect"

	CondWindowViolation  Symbol = "amqp:session:window-violation"
	CondErrantLink       Symbol = "amqp:session:errant-link"
	CondHandleInUse      Symbol = "amqp:session:handle-in-use"
	CondUnattachedHandle Symbol = "amqp:session:unattached-handle"

	CondDetachForced          Symbol = "amqp:link:detach-forced"
	CondTransferLimitExceeded Symbol = "amqp:link:transfer-limit-exceeded"
	CondMessageSizeExceeded   Symbol = "amqp:link:message-size-exceeded"
	CondLinkRedirect          Symbol = "amqp:link:redirect"
	CondLinkStolen            Symbol = "amqp:link:stolen"

	CondTransactionUnknownID Symbol = "amqp:transaction:unknown-id"
)

// DecodeError says where bytes from a peer stop being AMQP. It repeats nothing
// of what was read but the one format code in question, because a payload may
// hold what must not reach a log.
type DecodeError struct {
	// Condition is what to close the connection (or to refuse the delivery)
	// with: CondDecodeError for bytes that are not what the type demands,
	// CondInvalidField for a field that is missing or out of its domain,
	// CondFramingError for a broken frame.
	Condition Symbol
	// Offset counts bytes from the start of the frame, or of the slice that
	// was decoded.
	Offset int
	// Field names the composite and the field where that is known, such as
	// "attach.handle".
	Field string
	// Expected says what should have stood there.
	Expected string
	// Found says what stood there instead.
	Found string
}

// Error describes the fault in one line.
func (e *DecodeError) Error() string {
	s := fmt.Sprintf("decode AMQP: at byte %d", e.Offset)
	if e.Field != "" {
		s += " in " + e.Field
	}
	s += ": expected " + e.Expected
	if e.Found != "" {
		s += ", found " + e.Found
	}
	return s
}

// Peer returns the error as it is sent to the peer that caused it.
func (e *DecodeError) Peer() *Error {
	return &Error{Condition: e.Condition, Description: e.Error()}
}

// EncodeError says that a value has no AMQP encoding: a Go type outside the
// value model, an array whose elements are not of its type, or nesting that
// no decoder with the limits of this package would take.
type EncodeError struct {
	Problem string
}

// Error describes the fault in one line.
func (e *EncodeError) Error() string { return "encode AMQP: " + e.Problem }

// Error is the AMQP error composite (part 2, section 2.8.14). As a Go error it
// lets code deep inside the server say what the peer is to be told.
type Error struct {
	Condition   Symbol // mandatory
	Description string
	Info        Map
}

// Error returns condition and description.
func (e *Error) Error() string {
	if e.Description == "" {
		return string(e.Condition)
	}
	return string(e.Condition) + ": " + e.Description
}

// AppendBinary appends the described list.
func (e *Error) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descError)
	c.symbol(e.Condition)
	c.stringOrNull(e.Description)
	c.mapOrNull(e.Info)
	return c.finish()
}

func (e *Error) decode(f *fields) {
	e.Condition = f.mustSymbol("condition")
	e.Description = f.string("description")
	e.Info = f.mapping("info")
}

// error reads a null or an error composite.
func (f *fields) error() *Error {
	if !f.next() {
		return nil
	}
	e := new(Error)
	f.d.composite(descError, "error", e)
	return e
}
