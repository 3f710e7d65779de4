package wire

// Disposition tells the peer the state of deliveries (part 2, section 2.7.6).
type Disposition struct {
	Role      Role // of the end that sends this
	First     uint32
	Last      Optional[uint32] // null: the same as First
	Settled   bool
	State     DeliveryState
	Batchable bool
}

// AppendBinary appends the described list.
func (p *Disposition) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descDisposition)
	c.bool(bool(p.Role))
	c.uint(p.First)
	optional(&c, p.Last, AppendUint)
	c.boolOrNull(p.Settled)
	c.state(p.State)
	c.boolOrNull(p.Batchable)
	return c.finish()
}

func (p *Disposition) decode(f *fields) {
	p.Role = Role(f.mustBool("role"))
	p.First = f.mustUint("first")
	p.Last = opt(f, "last", (*fields).readUint)
	p.Settled = f.bool("settled")
	p.State = f.state("state")
	p.Batchable = f.bool("batchable")
}
