package wire

import (
	"fmt"
	"iter"
)

// BodyKind tells what the body of a message is made of.
type BodyKind uint8

// The kinds of body (part 3, section 3.2). A message without a body and one with
// sections of several kinds are outside the specification, but clients send them:
// go-amqp writes all that its Message has.
const (
	BodyNone BodyKind = iota
	BodyData
	BodySequence
	BodyValue
	BodyMixed
)

// String returns the name of the kind.
func (k BodyKind) String() string {
	if k == BodyMixed {
		return "mixed"
	}
	if k < BodyData || k > BodyValue {
		return "none"
	}
	return sectionName(descData + uint64(k-BodyData))
}

// Message is a view on an encoded message: each field holds the bytes of one
// section, descriptor included, exactly as they came, or nil where there is no
// such section. All of them alias the payload that was split. Nothing inside a
// section is looked at before one of the Parse methods asks for it.
type Message struct {
	Header                []byte
	DeliveryAnnotations   []byte
	MessageAnnotations    []byte
	Properties            []byte
	ApplicationProperties []byte
	// Body holds all body sections; BodyKind and BodySections tell what
	// and how many they are.
	Body         []byte
	BodyKind     BodyKind
	BodySections int
	Footer       []byte
}

// Split finds the sections of an encoded message. Sections out of order and
// sections that occur twice are refused, as are bytes that belong to no section. Only
// a footer may stand before the body, where rhea writes it. A body of several kinds is
// taken, as Microsoft.Azure.Amqp takes it, in the order data, amqp-sequence,
// amqp-value. The error is a *DecodeError.
func Split(payload []byte) (Message, error) {
	var (
		m    Message
		d    = newDecoder(payload)
		last = uint64(0)
	)
	for d.pos < d.end {
		at := d.pos
		descriptor := d.section()
		if d.err != nil {
			return Message{}, d.err
		}
		if descriptor == descFooter && m.Footer != nil {
			last = descFooter
		}
		if descriptor < last || descriptor == last && descriptor != descData && descriptor != descSequence {
			d.fail(at, CondDecodeError, "message", "a section that may follow section "+sectionName(last), sectionName(descriptor))
			return Message{}, d.err
		}
		if descriptor != descFooter || m.BodyKind != BodyNone {
			last = descriptor
		}
		m.put(descriptor, payload, at, d.pos)
	}
	return m, nil
}

// section passes over one section and returns its descriptor.
func (d *decoder) section() uint64 {
	at := d.pos
	descriptor := d.descriptor()
	want, known := sectionType(descriptor)
	if !known {
		d.fail(at, CondDecodeError, "message", "a message section", fmt.Sprintf("descriptor 0x%02x", descriptor))
		return 0
	}
	at = d.pos
	if got := d.skip(); want != 0 && got != want && d.err == nil {
		d.fail(at, CondDecodeError, "message."+sectionName(descriptor), "a "+want.String(), "another type")
	}
	return descriptor
}

// put notes that a section stands at payload[from:to].
func (m *Message) put(descriptor uint64, payload []byte, from, to int) {
	b := payload[from:to:to]
	switch descriptor {
	case descHeader:
		m.Header = b
	case descDeliveryAnnotations:
		m.DeliveryAnnotations = b
	case descMessageAnnotations:
		m.MessageAnnotations = b
	case descProperties:
		m.Properties = b
	case descApplicationProperties:
		m.ApplicationProperties = b
	case descFooter:
		m.Footer = b
	default:
		m.putBody(BodyKind(descriptor-descData)+BodyData, payload, from, to)
	}
}

func (m *Message) putBody(kind BodyKind, payload []byte, from, to int) {
	if m.BodyKind != BodyNone && m.BodyKind != kind {
		kind = BodyMixed
	}
	m.BodyKind = kind
	m.BodySections++
	// Body sections stand side by side, so the body grows at its end.
	start := from - len(m.Body)
	m.Body = payload[start:to:to]
}

// sectionType returns the primitive type of a section, 0 for any type.
func sectionType(descriptor uint64) (t Type, known bool) {
	switch descriptor {
	case descHeader, descProperties, descSequence:
		return TypeList, true
	case descDeliveryAnnotations, descMessageAnnotations, descApplicationProperties, descFooter:
		return TypeMap, true
	case descData:
		return TypeBinary, true
	case descValue:
		return 0, true
	}
	return 0, false
}

var sectionNames = [...]string{
	"header", "delivery-annotations", "message-annotations", "properties", "application-properties",
	"data", "amqp-sequence", "amqp-value", "footer",
}

func sectionName(descriptor uint64) string { return sectionNames[descriptor-descHeader] }

// Len returns the size of the whole message in bytes.
func (m *Message) Len() int {
	return len(m.Header) + len(m.DeliveryAnnotations) + len(m.MessageAnnotations) + len(m.Properties) +
		len(m.ApplicationProperties) + len(m.Body) + len(m.Footer)
}

// AppendTo appends all sections as they are.
func (m *Message) AppendTo(b []byte) []byte {
	b = append(b, m.Header...)
	b = append(b, m.DeliveryAnnotations...)
	b = append(b, m.MessageAnnotations...)
	b = append(b, m.Properties...)
	b = append(b, m.ApplicationProperties...)
	b = append(b, m.Body...)
	return append(b, m.Footer...)
}

// ParseHeader decodes the header; a message without one has the zero Header.
func (m *Message) ParseHeader() (Header, error) {
	var h Header
	err := parseList(m.Header, descHeader, "header", &h)
	return h, err
}

// ParseProperties decodes the properties; a message without them has the zero
// Properties.
func (m *Message) ParseProperties() (Properties, error) {
	var p Properties
	err := parseList(m.Properties, descProperties, "properties", &p)
	return p, err
}

// ParseDeliveryAnnotations decodes the delivery annotations, nil when there are
// none.
func (m *Message) ParseDeliveryAnnotations() (Map, error) { return parseMap(m.DeliveryAnnotations) }

// ParseMessageAnnotations decodes the message annotations, nil when there are
// none.
func (m *Message) ParseMessageAnnotations() (Map, error) { return parseMap(m.MessageAnnotations) }

// ParseApplicationProperties decodes the application properties, nil when there
// are none.
func (m *Message) ParseApplicationProperties() (Map, error) {
	return parseMap(m.ApplicationProperties)
}

// ParseFooter decodes the footer, nil when there is none.
func (m *Message) ParseFooter() (Map, error) { return parseMap(m.Footer) }

// parseList decodes a section that is a composite. Offsets in errors count from
// the start of the section.
func parseList(section []byte, descriptor uint64, name string, v decodable) error {
	if section == nil {
		return nil
	}
	d := newDecoder(section)
	d.composite(descriptor, name, v)
	return d.fault()
}

// parseMap decodes a section whose type Split has checked to be a map.
func parseMap(section []byte) (Map, error) {
	if section == nil {
		return nil, nil
	}
	d := newDecoder(section)
	d.descriptor()
	m, _ := d.value().(Map)
	if d.err != nil {
		return nil, d.err
	}
	return m, nil
}

// Data yields the content of each data section. It aliases the payload.
func (m *Message) Data() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for d := range m.body(descData) {
			if b := d.variable(d.code()); d.err != nil || !yield(b) {
				return
			}
		}
	}
}

// Sequences decodes the amqp-sequence sections, nil when the body has none.
func (m *Message) Sequences() ([]List, error) {
	var ls []List
	for d := range m.body(descSequence) {
		l, _ := d.value().(List)
		if d.err != nil {
			return nil, d.err
		}
		ls = append(ls, l)
	}
	return ls, nil
}

// Value decodes the amqp-value section, nil when the body has none (and when it
// is null).
func (m *Message) Value() (any, error) {
	for d := range m.body(descValue) {
		v := d.value()
		if d.err != nil {
			return nil, d.err
		}
		return v, nil
	}
	return nil, nil
}

// body yields a decoder at the content of each body section of one kind, to be read
// by whom it is given to.
func (m *Message) body(descriptor uint64) iter.Seq[*decoder] {
	return func(yield func(*decoder) bool) {
		d := newDecoder(m.Body)
		for d.pos < d.end && d.err == nil {
			switch {
			case d.descriptor() != descriptor:
				d.skip()
			case !yield(&d):
				return
			}
		}
	}
}
