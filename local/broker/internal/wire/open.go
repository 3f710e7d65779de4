package wire

// Values that a null field of Open stands for (part 2, section 2.7.1).
const (
	DefaultMaxFrameSize = 4294967295
	DefaultChannelMax   = 65535
)

// Open negotiates the connection (part 2, section 2.7.1).
type Open struct {
	ContainerID         string // mandatory
	Hostname            string // as the client dialled it, with the port if it used one
	MaxFrameSize        Optional[uint32]
	ChannelMax          Optional[uint16]
	IdleTimeout         Optional[uint32] // milliseconds
	OutgoingLocales     []Symbol
	IncomingLocales     []Symbol
	OfferedCapabilities []Symbol
	DesiredCapabilities []Symbol
	Properties          Map
}

// AppendBinary appends the described list.
func (p *Open) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descOpen)
	c.string(p.ContainerID)
	c.stringOrNull(p.Hostname)
	optional(&c, p.MaxFrameSize, AppendUint)
	optional(&c, p.ChannelMax, AppendUshort)
	optional(&c, p.IdleTimeout, AppendUint)
	c.symbols(p.OutgoingLocales)
	c.symbols(p.IncomingLocales)
	c.symbols(p.OfferedCapabilities)
	c.symbols(p.DesiredCapabilities)
	c.mapOrNull(p.Properties)
	return c.finish()
}

func (p *Open) decode(f *fields) {
	p.ContainerID = f.mustString("container-id")
	p.Hostname = f.string("hostname")
	p.MaxFrameSize = opt(f, "max-frame-size", (*fields).readUint)
	p.ChannelMax = opt(f, "channel-max", (*fields).readUshort)
	p.IdleTimeout = opt(f, "idle-time-out", (*fields).readUint)
	p.OutgoingLocales = f.symbols("outgoing-locales")
	p.IncomingLocales = f.symbols("incoming-locales")
	p.OfferedCapabilities = f.symbols("offered-capabilities")
	p.DesiredCapabilities = f.symbols("desired-capabilities")
	p.Properties = f.mapping("properties")
}

// Close ends the connection (part 2, section 2.7.9).
type Close struct {
	Error *Error // nil: nothing went wrong
}

// AppendBinary appends the described list.
func (p *Close) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descClose)
	c.errorOrNull(p.Error)
	return c.finish()
}

func (p *Close) decode(f *fields) { p.Error = f.error() }
