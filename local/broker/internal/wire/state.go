package wire

// DeliveryState is the state of a delivery or its outcome: Accepted, Released,
// *Rejected, *Modified, *Received (part 3, section 3.4), or a Described of any
// other kind, such as the states of transactions, which is kept as it came.
type DeliveryState interface {
	AppendBinary(b []byte) ([]byte, error)
	deliveryState()
}

func (Accepted) deliveryState()  {}
func (Released) deliveryState()  {}
func (*Rejected) deliveryState() {}
func (*Modified) deliveryState() {}
func (*Received) deliveryState() {}
func (Described) deliveryState() {}

// Accepted is the outcome of a message that was processed.
type Accepted struct{}

// AppendBinary appends the described list.
func (Accepted) AppendBinary(b []byte) ([]byte, error) {
	return append(b, codeDescribed, codeSmallUlong, descAccepted, codeList0), nil
}

func (Accepted) decode(*fields) {}

// Released is the outcome of a message that was not and will not be processed
// by this receiver.
type Released struct{}

// AppendBinary appends the described list.
func (Released) AppendBinary(b []byte) ([]byte, error) {
	return append(b, codeDescribed, codeSmallUlong, descReleased, codeList0), nil
}

func (Released) decode(*fields) {}

// Rejected is the outcome of a message that is invalid.
type Rejected struct {
	Error *Error
}

// AppendBinary appends the described list.
func (s *Rejected) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descRejected)
	c.errorOrNull(s.Error)
	return c.finish()
}

func (s *Rejected) decode(f *fields) { s.Error = f.error() }

// Modified is the outcome of a message that goes back with changes.
type Modified struct {
	DeliveryFailed     bool
	UndeliverableHere  bool
	MessageAnnotations Map
}

// AppendBinary appends the described list.
func (s *Modified) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descModified)
	c.boolOrNull(s.DeliveryFailed)
	c.boolOrNull(s.UndeliverableHere)
	c.mapOrNull(s.MessageAnnotations)
	return c.finish()
}

func (s *Modified) decode(f *fields) {
	s.DeliveryFailed = f.bool("delivery-failed")
	s.UndeliverableHere = f.bool("undeliverable-here")
	s.MessageAnnotations = f.mapping("message-annotations")
}

// Received is the state of a message of which a part has arrived.
type Received struct {
	SectionNumber uint32
	SectionOffset uint64
}

// AppendBinary appends the described list.
func (s *Received) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descReceived)
	c.uint(s.SectionNumber)
	c.ulong(s.SectionOffset)
	return c.finish()
}

func (s *Received) decode(f *fields) {
	s.SectionNumber = f.mustUint("section-number")
	s.SectionOffset = f.mustUlong("section-offset")
}

// AppendBinary appends the described value.
func (v Described) AppendBinary(b []byte) ([]byte, error) { return AppendValue(b, v) }

// state reads a delivery state, nil for null.
func (f *fields) state(field string) DeliveryState {
	if !f.next() {
		return nil
	}
	d := f.d
	at := d.pos
	var s DeliveryState
	switch d.descriptor() {
	case descAccepted:
		s = Accepted{}
		d.compositeBody("accepted", Accepted{})
	case descReleased:
		s = Released{}
		d.compositeBody("released", Released{})
	case descRejected:
		v := new(Rejected)
		s = v
		d.compositeBody("rejected", v)
	case descModified:
		v := new(Modified)
		s = v
		d.compositeBody("modified", v)
	case descReceived:
		v := new(Received)
		s = v
		d.compositeBody("received", v)
	default:
		return f.unknownState(field, at)
	}
	return s
}

// unknownState reads the value at offset at again, now whatever it is.
func (f *fields) unknownState(field string, at int) DeliveryState {
	if f.d.err != nil {
		return nil
	}
	f.d.pos = at
	v, ok := f.d.value().(Described)
	if !ok {
		f.outOfRange(field, "a described value")
		return nil
	}
	return v
}
