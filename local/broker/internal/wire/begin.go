package wire

// Begin starts a session on the frame's channel (part 2, section 2.7.2).
type Begin struct {
	RemoteChannel       Optional[uint16] // set in an answer: the channel that the peer's begin came on
	NextOutgoingID      uint32
	IncomingWindow      uint32 // transfers
	OutgoingWindow      uint32 // transfers
	HandleMax           Optional[uint32]
	OfferedCapabilities []Symbol
	DesiredCapabilities []Symbol
	Properties          Map
}

// DefaultHandleMax is what a null handle-max of Begin stands for.
const DefaultHandleMax = 4294967295

// AppendBinary appends the described list.
func (p *Begin) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descBegin)
	optional(&c, p.RemoteChannel, AppendUshort)
	c.uint(p.NextOutgoingID)
	c.uint(p.IncomingWindow)
	c.uint(p.OutgoingWindow)
	optional(&c, p.HandleMax, AppendUint)
	c.symbols(p.OfferedCapabilities)
	c.symbols(p.DesiredCapabilities)
	c.mapOrNull(p.Properties)
	return c.finish()
}

func (p *Begin) decode(f *fields) {
	p.RemoteChannel = opt(f, "remote-channel", (*fields).readUshort)
	p.NextOutgoingID = f.mustUint("next-outgoing-id")
	p.IncomingWindow = f.mustUint("incoming-window")
	p.OutgoingWindow = f.mustUint("outgoing-window")
	p.HandleMax = opt(f, "handle-max", (*fields).readUint)
	p.OfferedCapabilities = f.symbols("offered-capabilities")
	p.DesiredCapabilities = f.symbols("desired-capabilities")
	p.Properties = f.mapping("properties")
}

// End ends the session (part 2, section 2.7.8).
type End struct {
	Error *Error // nil: nothing went wrong
}

// AppendBinary appends the described list.
func (p *End) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descEnd)
	c.errorOrNull(p.Error)
	return c.finish()
}

func (p *End) decode(f *fields) { p.Error = f.error() }
