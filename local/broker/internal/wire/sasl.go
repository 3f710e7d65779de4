package wire

// SASLMechanisms is the server's list of mechanisms (part 5, section 5.3.3.1).
type SASLMechanisms struct {
	Mechanisms []Symbol // in order of preference
}

// AppendBinary appends the described list.
func (p *SASLMechanisms) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descSASLMechanisms)
	c.symbols(p.Mechanisms)
	return c.finish()
}

func (p *SASLMechanisms) decode(f *fields) { p.Mechanisms = f.symbols("sasl-server-mechanisms") }

// SASLInit is the client's choice (part 5, section 5.3.3.2).
type SASLInit struct {
	Mechanism       Symbol
	InitialResponse []byte // nil: null
	Hostname        string
}

// AppendBinary appends the described list.
func (p *SASLInit) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descSASLInit)
	c.symbol(p.Mechanism)
	c.binaryOrNull(p.InitialResponse)
	c.stringOrNull(p.Hostname)
	return c.finish()
}

func (p *SASLInit) decode(f *fields) {
	p.Mechanism = f.mustSymbol("mechanism")
	p.InitialResponse = f.binary("initial-response")
	p.Hostname = f.string("hostname")
}

// SASLChallenge carries security data of the server (part 5, section 5.3.3.3).
type SASLChallenge struct {
	Challenge []byte // nil and empty are written alike
}

// AppendBinary appends the described list.
func (p *SASLChallenge) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descSASLChallenge)
	c.wrote(AppendBinary(c.b, p.Challenge))
	return c.finish()
}

func (p *SASLChallenge) decode(f *fields) { p.Challenge = f.mustBinary("challenge") }

// SASLResponse carries security data of the client (part 5, section 5.3.3.4).
type SASLResponse struct {
	Response []byte // nil and empty are written alike
}

// AppendBinary appends the described list.
func (p *SASLResponse) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descSASLResponse)
	c.wrote(AppendBinary(c.b, p.Response))
	return c.finish()
}

func (p *SASLResponse) decode(f *fields) { p.Response = f.mustBinary("response") }

// SASLCode is the result of the dialogue (part 5, section 5.3.3.6).
type SASLCode uint8

// The results.
const (
	SASLOK      SASLCode = 0
	SASLAuth    SASLCode = 1 // wrong credentials
	SASLSys     SASLCode = 2 // system error
	SASLSysPerm SASLCode = 3 // system error that will last
	SASLSysTemp SASLCode = 4 // system error that may pass
)

// SASLOutcome ends the dialogue (part 5, section 5.3.3.5).
type SASLOutcome struct {
	Code           SASLCode
	AdditionalData []byte // nil: null
}

// AppendBinary appends the described list.
func (p *SASLOutcome) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descSASLOutcome)
	c.ubyte(uint8(p.Code))
	c.binaryOrNull(p.AdditionalData)
	return c.finish()
}

func (p *SASLOutcome) decode(f *fields) {
	p.Code = SASLCode(must(f, "code", (*fields).readUbyte))
	if p.Code > SASLSysTemp {
		f.outOfRange("code", "0 to 4")
	}
	p.AdditionalData = f.binary("additional-data")
}
