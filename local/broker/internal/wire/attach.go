package wire

import "fmt"

// Role tells which end of a link speaks (part 2, section 2.8.1).
type Role bool

// The roles.
const (
	RoleSender   Role = false
	RoleReceiver Role = true
)

// String returns "sender" or "receiver".
func (r Role) String() string {
	if r == RoleReceiver {
		return "receiver"
	}
	return "sender"
}

// SenderSettleMode is how the sender of a link settles (part 2, section 2.8.2).
// A null field means SenderMixed.
type SenderSettleMode uint8

// The settle modes of a sender.
const (
	SenderUnsettled SenderSettleMode = 0
	SenderSettled   SenderSettleMode = 1
	SenderMixed     SenderSettleMode = 2
)

// ReceiverSettleMode is when the receiver of a link settles (part 2, section
// 2.8.3). A null field means ReceiverFirst.
type ReceiverSettleMode uint8

// The settle modes of a receiver.
const (
	ReceiverFirst  ReceiverSettleMode = 0
	ReceiverSecond ReceiverSettleMode = 1
)

// Attach attaches a link to the session (part 2, section 2.7.3).
type Attach struct {
	Name          string // mandatory
	Handle        uint32
	Role          Role
	SndSettleMode Optional[SenderSettleMode]   // null: SenderMixed
	RcvSettleMode Optional[ReceiverSettleMode] // null: ReceiverFirst
	Source        *Source
	// Target and Coordinator are alternatives: at most one is set.
	Target      *Target
	Coordinator *Coordinator

	Unsettled            Map
	IncompleteUnsettled  bool
	InitialDeliveryCount Optional[uint32] // mandatory from a sender, yet some leave it out
	MaxMessageSize       Optional[uint64] // null or 0: no limit
	OfferedCapabilities  []Symbol
	DesiredCapabilities  []Symbol
	Properties           Map
}

// AppendBinary appends the described list.
func (p *Attach) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descAttach)
	c.string(p.Name)
	c.uint(p.Handle)
	c.bool(bool(p.Role))
	optional(&c, p.SndSettleMode, func(b []byte, v SenderSettleMode) []byte { return AppendUbyte(b, uint8(v)) })
	appendRcvSettleMode(&c, p.RcvSettleMode)
	if p.Source != nil {
		c.add(p.Source.AppendBinary(c.b))
	} else {
		c.null()
	}
	switch {
	case p.Target != nil:
		c.add(p.Target.AppendBinary(c.b))
	case p.Coordinator != nil:
		c.add(p.Coordinator.AppendBinary(c.b))
	default:
		c.null()
	}
	c.mapOrNull(p.Unsettled)
	c.boolOrNull(p.IncompleteUnsettled)
	optional(&c, p.InitialDeliveryCount, AppendUint)
	optional(&c, p.MaxMessageSize, AppendUlong)
	c.symbols(p.OfferedCapabilities)
	c.symbols(p.DesiredCapabilities)
	c.mapOrNull(p.Properties)
	return c.finish()
}

func (p *Attach) decode(f *fields) {
	p.Name = f.mustString("name")
	p.Handle = f.mustUint("handle")
	p.Role = Role(f.mustBool("role"))
	p.SndSettleMode = opt(f, "snd-settle-mode", readSndSettleMode)
	p.RcvSettleMode = opt(f, "rcv-settle-mode", readRcvSettleMode)
	if f.next() {
		p.Source = new(Source)
		f.d.composite(descSource, "source", p.Source)
	}
	p.decodeTarget(f)
	p.Unsettled = f.mapping("unsettled")
	p.IncompleteUnsettled = f.bool("incomplete-unsettled")
	p.InitialDeliveryCount = opt(f, "initial-delivery-count", (*fields).readUint)
	p.MaxMessageSize = opt(f, "max-message-size", (*fields).readUlong)
	p.OfferedCapabilities = f.symbols("offered-capabilities")
	p.DesiredCapabilities = f.symbols("desired-capabilities")
	p.Properties = f.mapping("properties")
}

func (p *Attach) decodeTarget(f *fields) {
	if !f.next() {
		return
	}
	at := f.d.pos
	switch descriptor := f.d.descriptor(); descriptor {
	case descTarget:
		p.Target = new(Target)
		f.d.compositeBody("target", p.Target)
	case descCoordinator:
		p.Coordinator = new(Coordinator)
		f.d.compositeBody("coordinator", p.Coordinator)
	default:
		f.d.fail(at, CondInvalidField, f.name("target"), "a target or a coordinator",
			fmt.Sprintf("descriptor 0x%02x", descriptor))
	}
}

func readSndSettleMode(f *fields, field string) SenderSettleMode {
	v := f.readUbyte(field)
	if v > uint8(SenderMixed) {
		f.outOfRange(field, "0, 1 or 2")
	}
	return SenderSettleMode(v)
}

func readRcvSettleMode(f *fields, field string) ReceiverSettleMode {
	v := f.readUbyte(field)
	if v > uint8(ReceiverSecond) {
		f.outOfRange(field, "0 or 1")
	}
	return ReceiverSettleMode(v)
}

func appendRcvSettleMode(c *composite, o Optional[ReceiverSettleMode]) {
	optional(c, o, func(b []byte, v ReceiverSettleMode) []byte { return AppendUbyte(b, uint8(v)) })
}

// Detach detaches a link (part 2, section 2.7.7).
type Detach struct {
	Handle uint32
	Closed bool   // the link is gone for good; go-amqp takes nothing else
	Error  *Error // nil: nothing went wrong
}

// AppendBinary appends the described list.
func (p *Detach) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descDetach)
	c.uint(p.Handle)
	c.boolOrNull(p.Closed)
	c.errorOrNull(p.Error)
	return c.finish()
}

func (p *Detach) decode(f *fields) {
	p.Handle = f.mustUint("handle")
	p.Closed = f.bool("closed")
	p.Error = f.error()
}
