package messages

import "strings"

// Decode reads a command event in either content mode of the CloudEvents AMQP
// binding: structured where the content type begins with
// application/cloudevents, binary otherwise. The error is a [*DecodeError].
// Nothing in the event refers to m afterwards.
func Decode(m Encoded) (Event, error) {
	e, fault := decode(&m)
	if fault != nil {
		return Event{}, fault
	}
	return e, nil
}

func decode(m *Encoded) (Event, *DecodeError) {
	if len(m.Body) > MaxBody {
		return Event{}, tooLarge(ReasonTooLarge)
	}
	r := reader{body: m.Body, reason: ReasonMalformed}
	var (
		h header
		c Command
	)
	switch media := mediaType(m.ContentType); {
	case media == "application/cloudevents+json":
		h, c = r.structured(CommandType), r.command()
	case strings.HasPrefix(media, "application/cloudevents"):
		return Event{}, r.unsupportedFormat()
	default:
		h, c = r.binary(m), r.command()
		r.end()
	}
	if r.fault == nil {
		r.fault = checkCommand("$.data", &c)
	}
	return Event{
		ID: h.id, Source: h.source, Time: h.time, Command: c,
		TraceParent: h.traceParent, TraceState: h.traceState,
	}, r.fault
}

func (r *reader) unsupportedFormat() *DecodeError {
	return &DecodeError{Reason: ReasonUnsupportedType, Path: "$",
		Problem: "is in a CloudEvents format that is not read: use application/cloudevents+json, one event per message"}
}
