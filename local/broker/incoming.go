package broker

import "github.com/muster-mfa/muster/local/broker/internal/wire"

// incomingCredit is how many messages a sender may be ahead of us. Credit is
// topped up when half of it is used.
const incomingCredit = 1000

// incoming is a link on which the peer sends.
type incoming struct {
	link     *link
	maxSize  int // of a message, in bytes
	maxBatch int // of a batch
	// accept takes a whole message. The error is told to the sender.
	accept func(payload []byte, format uint32) *wire.Error

	deliveryCount uint32
	credit        uint32
	activity      activity
	partial       *partial // the delivery that is not complete yet
}

// grant tops up the peer's credit.
func (l *incoming) grant() {
	l.credit = incomingCredit
	f := l.link.session.window()
	f.Handle = wire.Some(l.link.handle)
	f.DeliveryCount = wire.Some(l.deliveryCount)
	f.LinkCredit = wire.Some(l.credit)
	l.link.session.write(f)
}

// transfer takes one frame of a delivery.
func (l *incoming) transfer(t *wire.Transfer, payload []byte) {
	l.activity.used = true
	if t.Aborted {
		payload = nil // it means nothing (part 2, section 2.7.5)
	}
	p, fault := l.assemble(t, payload)
	if fault == nil && t.More && !t.Aborted {
		if fault = l.keep(p); fault == nil {
			return
		}
		l.settle(p.id, &wire.Rejected{Error: fault})
	}
	if fault != nil {
		l.link.refuse(fault)
		return
	}
	l.forget()
	if !t.Aborted {
		l.finish(p)
	}
	if l.link.in == nil { // the message was such that the link is gone
		return
	}
	l.deliveryCount++
	l.credit--
	if l.credit <= incomingCredit/2 {
		l.grant()
	}
}

// assemble returns the delivery that a transfer belongs to, with its payload
// added.
func (l *incoming) assemble(t *wire.Transfer, payload []byte) (*partial, *wire.Error) {
	p := l.partial
	switch {
	case p != nil && t.DeliveryID.Set && t.DeliveryID.Value != p.id:
		return nil, refuse(wire.CondNotAllowed, "delivery %d began before delivery %d was complete", t.DeliveryID.Value, p.id)
	case p != nil:
		p.payload = append(p.payload, payload...)
	case !t.DeliveryID.Set || t.DeliveryTag == nil:
		return nil, refuse(wire.CondInvalidField, "the first transfer of a delivery needs a delivery-id and a delivery-tag")
	case l.credit == 0:
		return nil, refuse(wire.CondTransferLimitExceeded, "transfer beyond the link's credit")
	default:
		p = &partial{id: t.DeliveryID.Value, format: t.MessageFormat.Or(wire.MessageFormat), payload: payload}
	}
	limit := l.maxSize
	if p.format == wire.MessageFormatBatch {
		limit = l.maxBatch
	}
	if len(p.payload) > limit {
		fault := refuse(wire.CondMessageSizeExceeded, "The message exceeds the maximum size of %d bytes.", limit)
		// The JavaScript client waits for the fate of its message even when the link goes.
		l.settle(p.id, &wire.Rejected{Error: fault})
		return nil, fault
	}
	p.settled = p.settled || t.Settled
	if _, other := t.State.(wire.Described); other {
		p.transactional = true
	}
	return p, nil
}

// finish has a whole message accepted and tells the sender what became of it.
// The sender of a settled message can be told only by losing its link.
func (l *incoming) finish(p *partial) {
	fault := notBuilt("transactions")
	if !p.transactional {
		fault = l.accept(p.payload, p.format)
	}
	switch {
	case fault == nil && p.settled:
		l.link.session.conn.note(l.ticket())
	case fault == nil:
		l.link.session.writeAfter(l.ticket(), disposed(p.id, wire.Accepted{}))
	case p.settled:
		l.link.refuse(fault)
	default:
		l.link.session.overtake(disposed(p.id, &wire.Rejected{Error: fault}))
	}
}

// ticket is that of what was done with the messages of the link. Requests are
// answered by messages, which rest on what was done themselves.
func (l *incoming) ticket() uint64 {
	if l.link.address.management {
		return 0
	}
	return l.link.entity.ticket()
}

func (l *incoming) settle(id uint32, state wire.DeliveryState) {
	l.link.session.write(disposed(id, state))
}

// disposed tells the sender what became of its message.
func disposed(id uint32, state wire.DeliveryState) *wire.Disposition {
	return &wire.Disposition{Role: wire.RoleReceiver, First: id, Last: wire.Some(id), Settled: true, State: state}
}
