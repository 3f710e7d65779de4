package wire

import "fmt"

// Descriptors (numeric form) of the composite types: part 2, sections 2.7 and
// 2.8; part 3, sections 3.2, 3.4 and 3.5; part 4, section 4.5; part 5, section
// 5.3.3. All of them have the domain id 0x00000000.
const (
	descOpen        = 0x10
	descBegin       = 0x11
	descAttach      = 0x12
	descFlow        = 0x13
	descTransfer    = 0x14
	descDisposition = 0x15
	descDetach      = 0x16
	descEnd         = 0x17
	descClose       = 0x18
	descError       = 0x1d

	descReceived    = 0x23
	descAccepted    = 0x24
	descRejected    = 0x25
	descReleased    = 0x26
	descModified    = 0x27
	descSource      = 0x28
	descTarget      = 0x29
	descCoordinator = 0x30

	descSASLMechanisms = 0x40
	descSASLInit       = 0x41
	descSASLChallenge  = 0x42
	descSASLResponse   = 0x43
	descSASLOutcome    = 0x44

	descHeader                = 0x70
	descDeliveryAnnotations   = 0x71
	descMessageAnnotations    = 0x72
	descProperties            = 0x73
	descApplicationProperties = 0x74
	descData                  = 0x75
	descSequence              = 0x76
	descValue                 = 0x77
	descFooter                = 0x78

	unknownDescriptor = ^uint64(0)
)

// descriptorNames are the symbolic forms of the descriptors.
var descriptorNames = map[string]uint64{
	"amqp:open:list":                  descOpen,
	"amqp:begin:list":                 descBegin,
	"amqp:attach:list":                descAttach,
	"amqp:flow:list":                  descFlow,
	"amqp:transfer:list":              descTransfer,
	"amqp:disposition:list":           descDisposition,
	"amqp:detach:list":                descDetach,
	"amqp:end:list":                   descEnd,
	"amqp:close:list":                 descClose,
	"amqp:error:list":                 descError,
	"amqp:received:list":              descReceived,
	"amqp:accepted:list":              descAccepted,
	"amqp:rejected:list":              descRejected,
	"amqp:released:list":              descReleased,
	"amqp:modified:list":              descModified,
	"amqp:source:list":                descSource,
	"amqp:target:list":                descTarget,
	"amqp:coordinator:list":           descCoordinator,
	"amqp:sasl-mechanisms:list":       descSASLMechanisms,
	"amqp:sasl-init:list":             descSASLInit,
	"amqp:sasl-challenge:list":        descSASLChallenge,
	"amqp:sasl-response:list":         descSASLResponse,
	"amqp:sasl-outcome:list":          descSASLOutcome,
	"amqp:header:list":                descHeader,
	"amqp:delivery-annotations:map":   descDeliveryAnnotations,
	"amqp:message-annotations:map":    descMessageAnnotations,
	"amqp:properties:list":            descProperties,
	"amqp:application-properties:map": descApplicationProperties,
	"amqp:data:binary":                descData,
	"amqp:amqp-sequence:list":         descSequence,
	"amqp:amqp-value:*":               descValue,
	"amqp:footer:map":                 descFooter,
}

// Performative is the body of a frame: *Open, *Begin, *Attach, *Flow,
// *Transfer, *Disposition, *Detach, *End, *Close, or in a SASL frame
// *SASLMechanisms, *SASLInit, *SASLChallenge, *SASLResponse, *SASLOutcome.
type Performative interface {
	// AppendBinary appends the described list. It fails with an *EncodeError
	// on values outside the value model only.
	AppendBinary(b []byte) ([]byte, error)
	frameType() FrameType
	decodable
}

func (*Open) frameType() FrameType        { return FrameAMQP }
func (*Begin) frameType() FrameType       { return FrameAMQP }
func (*Attach) frameType() FrameType      { return FrameAMQP }
func (*Flow) frameType() FrameType        { return FrameAMQP }
func (*Transfer) frameType() FrameType    { return FrameAMQP }
func (*Disposition) frameType() FrameType { return FrameAMQP }
func (*Detach) frameType() FrameType      { return FrameAMQP }
func (*End) frameType() FrameType         { return FrameAMQP }
func (*Close) frameType() FrameType       { return FrameAMQP }

func (*SASLMechanisms) frameType() FrameType { return FrameSASL }
func (*SASLInit) frameType() FrameType       { return FrameSASL }
func (*SASLChallenge) frameType() FrameType  { return FrameSASL }
func (*SASLResponse) frameType() FrameType   { return FrameSASL }
func (*SASLOutcome) frameType() FrameType    { return FrameSASL }

// newPerformative returns an empty performative and its name.
func newPerformative(descriptor uint64) (Performative, string) {
	switch descriptor {
	case descTransfer:
		return new(Transfer), "transfer"
	case descDisposition:
		return new(Disposition), "disposition"
	case descFlow:
		return new(Flow), "flow"
	case descOpen:
		return new(Open), "open"
	case descBegin:
		return new(Begin), "begin"
	case descAttach:
		return new(Attach), "attach"
	case descDetach:
		return new(Detach), "detach"
	case descEnd:
		return new(End), "end"
	case descClose:
		return new(Close), "close"
	case descSASLMechanisms:
		return new(SASLMechanisms), "sasl-mechanisms"
	case descSASLInit:
		return new(SASLInit), "sasl-init"
	case descSASLChallenge:
		return new(SASLChallenge), "sasl-challenge"
	case descSASLResponse:
		return new(SASLResponse), "sasl-response"
	case descSASLOutcome:
		return new(SASLOutcome), "sasl-outcome"
	}
	return nil, ""
}

// DecodePerformative decodes the performative at the start of b and returns it
// with the number of bytes that it took; what follows is the payload. The
// delivery tag of a Transfer aliases b. The error is a *DecodeError.
func DecodePerformative(b []byte) (p Performative, n int, err error) {
	d := newDecoder(b)
	p = d.performative()
	if d.err != nil {
		return nil, 0, d.err
	}
	return p, d.pos, nil
}

func (d *decoder) performative() Performative {
	at := d.pos
	descriptor := d.descriptor()
	p, name := newPerformative(descriptor)
	if p == nil {
		d.fail(at, CondDecodeError, "", "a performative", fmt.Sprintf("descriptor 0x%02x", descriptor))
		return nil
	}
	d.compositeBody(name, p)
	return p
}
