package wire

// Flow updates the flow control of a session, and of a link when Handle is set
// (part 2, section 2.7.4).
type Flow struct {
	NextIncomingID Optional[uint32] // null only before the peer's begin was seen
	IncomingWindow uint32
	NextOutgoingID uint32
	OutgoingWindow uint32
	Handle         Optional[uint32]
	DeliveryCount  Optional[uint32]
	LinkCredit     Optional[uint32]
	Available      Optional[uint32]
	Drain          bool
	Echo           bool
	Properties     Map
}

// AppendBinary appends the described list.
func (p *Flow) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descFlow)
	optional(&c, p.NextIncomingID, AppendUint)
	c.uint(p.IncomingWindow)
	c.uint(p.NextOutgoingID)
	c.uint(p.OutgoingWindow)
	optional(&c, p.Handle, AppendUint)
	optional(&c, p.DeliveryCount, AppendUint)
	optional(&c, p.LinkCredit, AppendUint)
	optional(&c, p.Available, AppendUint)
	c.boolOrNull(p.Drain)
	c.boolOrNull(p.Echo)
	c.mapOrNull(p.Properties)
	return c.finish()
}

func (p *Flow) decode(f *fields) {
	p.NextIncomingID = opt(f, "next-incoming-id", (*fields).readUint)
	p.IncomingWindow = f.mustUint("incoming-window")
	p.NextOutgoingID = f.mustUint("next-outgoing-id")
	p.OutgoingWindow = f.mustUint("outgoing-window")
	p.Handle = opt(f, "handle", (*fields).readUint)
	p.DeliveryCount = opt(f, "delivery-count", (*fields).readUint)
	p.LinkCredit = opt(f, "link-credit", (*fields).readUint)
	p.Available = opt(f, "available", (*fields).readUint)
	p.Drain = f.bool("drain")
	p.Echo = f.bool("echo")
	p.Properties = f.mapping("properties")
}
