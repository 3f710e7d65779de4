package wire

// Durable values of a terminus (part 3, section 3.5.5). Other values are
// refused when decoding.
const (
	TerminusNone           uint32 = 0
	TerminusConfiguration  uint32 = 1
	TerminusUnsettledState uint32 = 2
)

// Source is where the messages of a link come from (part 3, section 3.5.3).
type Source struct {
	Address               string // "" is written as null
	Durable               uint32
	ExpiryPolicy          Symbol // "": the default, session-end
	Timeout               uint32 // seconds
	Dynamic               bool
	DynamicNodeProperties Map
	DistributionMode      Symbol
	// Filter maps a symbol to a Described, whose descriptor names the kind
	// of filter.
	Filter         Map
	DefaultOutcome DeliveryState
	Outcomes       []Symbol
	Capabilities   []Symbol
}

// AppendBinary appends the described list.
func (s *Source) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descSource)
	c.stringOrNull(s.Address)
	c.uintOrNull(s.Durable)
	c.symbolOrNull(s.ExpiryPolicy)
	c.uintOrNull(s.Timeout)
	c.boolOrNull(s.Dynamic)
	c.mapOrNull(s.DynamicNodeProperties)
	c.symbolOrNull(s.DistributionMode)
	c.mapOrNull(s.Filter)
	c.state(s.DefaultOutcome)
	c.symbols(s.Outcomes)
	c.symbols(s.Capabilities)
	return c.finish()
}

func (s *Source) decode(f *fields) {
	s.Address = f.string("address")
	s.Durable = f.durable()
	s.ExpiryPolicy = f.symbol("expiry-policy")
	s.Timeout = f.uint("timeout")
	s.Dynamic = f.bool("dynamic")
	s.DynamicNodeProperties = f.mapping("dynamic-node-properties")
	s.DistributionMode = f.symbol("distribution-mode")
	s.Filter = f.mapping("filter")
	s.DefaultOutcome = f.state("default-outcome")
	s.Outcomes = f.symbols("outcomes")
	s.Capabilities = f.symbols("capabilities")
}

// Target is where the messages of a link go to (part 3, section 3.5.4).
type Target struct {
	Address               string // "" is written as null
	Durable               uint32
	ExpiryPolicy          Symbol // "": the default, session-end
	Timeout               uint32 // seconds
	Dynamic               bool
	DynamicNodeProperties Map
	Capabilities          []Symbol
}

// AppendBinary appends the described list.
func (t *Target) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descTarget)
	c.stringOrNull(t.Address)
	c.uintOrNull(t.Durable)
	c.symbolOrNull(t.ExpiryPolicy)
	c.uintOrNull(t.Timeout)
	c.boolOrNull(t.Dynamic)
	c.mapOrNull(t.DynamicNodeProperties)
	c.symbols(t.Capabilities)
	return c.finish()
}

func (t *Target) decode(f *fields) {
	t.Address = f.string("address")
	t.Durable = f.durable()
	t.ExpiryPolicy = f.symbol("expiry-policy")
	t.Timeout = f.uint("timeout")
	t.Dynamic = f.bool("dynamic")
	t.DynamicNodeProperties = f.mapping("dynamic-node-properties")
	t.Capabilities = f.symbols("capabilities")
}

func (f *fields) durable() uint32 {
	v := f.uint("durable")
	if v > TerminusUnsettledState {
		f.outOfRange("durable", "0, 1 or 2")
	}
	return v
}

// Coordinator is the target of a link to a transaction coordinator (part 4,
// section 4.5.1). A server without transactions recognises it to refuse it.
type Coordinator struct {
	Capabilities []Symbol
}

// AppendBinary appends the described list.
func (t *Coordinator) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descCoordinator)
	c.symbols(t.Capabilities)
	return c.finish()
}

func (t *Coordinator) decode(f *fields) { t.Capabilities = f.symbols("capabilities") }
