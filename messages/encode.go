package messages

import "time"

// No encoding checks the length of its body: the limits of the values add up to
// less than MaxBody.

// Structured encodes the event in structured mode: one JSON document with the
// content type application/cloudevents+json. The error is the [*DecodeError]
// with which [Decode] would refuse the message.
func (e Event) Structured() (Encoded, error) {
	h, fault := e.check()
	if fault != nil {
		return Encoded{}, fault
	}
	b := appendEnvelope(make([]byte, 0, e.sizeHint()), CommandType, CommandSchemaURI, &h)
	b = append(appendCommand(b, &e.Command), '}')
	return Encoded{ContentType: StructuredContentType, Body: b}, nil
}

// Binary encodes the event in binary mode: the body is the data's JSON and the
// attributes are application properties with the prefix "cloudEvents:". The
// error is the [*DecodeError] with which [Decode] would refuse the message.
func (e Event) Binary() (Encoded, error) {
	h, fault := e.check()
	if fault != nil {
		return Encoded{}, fault
	}
	b := appendCommand(make([]byte, 0, e.sizeHint()), &e.Command)
	return Encoded{ContentType: BinaryContentType, Properties: h.properties(), Body: b}, nil
}

func (e *Event) check() (header, *DecodeError) {
	h := header{id: e.ID, source: e.Source, time: e.Time, traceParent: e.TraceParent, traceState: e.TraceState}
	if fault := h.check(ReasonMalformed); fault != nil {
		return h, fault
	}
	return h, checkCommand("$.data", &e.Command)
}

// check finds the first fault of a header that is to be written.
func (h *header) check(malformed string) *DecodeError {
	for _, attribute := range [...]struct {
		index int
		text  string
	}{
		{attrID, h.id}, {attrSource, h.source}, {attrTraceParent, h.traceParent}, {attrTraceState, h.traceState},
	} {
		rule := &attributeRules[attribute.index]
		if attribute.text == "" && !rule.required {
			continue
		}
		if problem := rule.problem(attribute.text); problem != "" {
			return rule.fault(malformed, problem)
		}
	}
	if !writable(h.time) {
		return attributeRules[attrTime].fault(malformed, "must lie in the years 0 to 9999")
	}
	return nil
}

// sizeHint is a length that the body of an ordinary event does not exceed, so
// that writing it takes one allocation.
func (e *Event) sizeHint() int {
	c := &e.Command
	size := 512 + len(time.RFC3339Nano) + len(e.ID) + len(e.Source) + len(e.TraceParent) + len(e.TraceState) +
		len(c.Tenant) + len(c.User) + len(c.Run)
	for _, number := range c.Phones {
		size += len(number)
	}
	for _, id := range c.Authenticator.Remove {
		size += len(id) + len(`"",`)
	}
	for _, name := range c.Authenticator.RemoveNamed {
		size += len(name) + len(`"",`)
	}
	if c.Expect != nil {
		size += 256
	}
	return size
}
