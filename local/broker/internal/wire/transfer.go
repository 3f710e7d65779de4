package wire

import "bytes"

// maxDeliveryTag bounds a delivery tag (part 2, section 2.8.7).
const maxDeliveryTag = 32

// Transfer carries a message or a part of it (part 2, section 2.7.5). The
// payload is not in it: it follows the performative in the frame.
type Transfer struct {
	Handle uint32
	// DeliveryID, DeliveryTag and MessageFormat are demanded on the first
	// transfer of a delivery and may be null on those that continue it.
	DeliveryID Optional[uint32]
	// DeliveryTag is nil for null. After decoding it aliases the bytes that
	// were decoded: Clone before the next frame is read.
	DeliveryTag   []byte
	MessageFormat Optional[uint32]
	// Settled is false when the field is null. It is written also when it is
	// false.
	Settled       bool
	More          bool // further transfers belong to this delivery
	RcvSettleMode Optional[ReceiverSettleMode]
	State         DeliveryState
	Resume        bool
	Aborted       bool // the delivery is void, and so is this payload
	Batchable     bool
}

// AppendBinary appends the described list.
func (p *Transfer) AppendBinary(b []byte) ([]byte, error) {
	c := beginComposite(b, descTransfer)
	c.uint(p.Handle)
	optional(&c, p.DeliveryID, AppendUint)
	c.binaryOrNull(p.DeliveryTag)
	optional(&c, p.MessageFormat, AppendUint)
	c.bool(p.Settled)
	c.boolOrNull(p.More)
	appendRcvSettleMode(&c, p.RcvSettleMode)
	c.state(p.State)
	c.boolOrNull(p.Resume)
	c.boolOrNull(p.Aborted)
	c.boolOrNull(p.Batchable)
	return c.finish()
}

func (p *Transfer) decode(f *fields) {
	p.Handle = f.mustUint("handle")
	p.DeliveryID = opt(f, "delivery-id", (*fields).readUint)
	p.DeliveryTag = f.alias("delivery-tag")
	if len(p.DeliveryTag) > maxDeliveryTag {
		f.outOfRange("delivery-tag", "at most 32 bytes")
	}
	p.MessageFormat = opt(f, "message-format", (*fields).readUint)
	p.Settled = f.bool("settled")
	p.More = f.bool("more")
	p.RcvSettleMode = opt(f, "rcv-settle-mode", readRcvSettleMode)
	p.State = f.state("state")
	p.Resume = f.bool("resume")
	p.Aborted = f.bool("aborted")
	p.Batchable = f.bool("batchable")
}

// Clone returns a copy that aliases nothing.
func (p *Transfer) Clone() *Transfer {
	c := *p
	c.DeliveryTag = bytes.Clone(p.DeliveryTag)
	return &c
}

// Continuation returns the transfer for the frames after the first of the
// same delivery.
func (p *Transfer) Continuation() *Transfer {
	return &Transfer{Handle: p.Handle, Settled: p.Settled, More: p.More, Batchable: p.Batchable}
}
