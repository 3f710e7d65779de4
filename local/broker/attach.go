package broker

import (
	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// attach makes a link, or refuses it by an attach without the terminus in
// question and a detach with the reason (part 2, section 2.6.3).
func (s *session) attach(a *wire.Attach) *wire.Error {
	switch {
	case s.links[a.Handle] != nil:
		return refuse(wire.CondHandleInUse, "handle %d is attached", a.Handle)
	case a.Handle > handleMax:
		return refuse(wire.CondNotAllowed, "handle %d is beyond handle-max %d", a.Handle, handleMax)
	}
	l := &link{session: s, handle: a.Handle}
	s.links[a.Handle] = l
	s.conn.links++
	reply := &wire.Attach{
		Name:          a.Name,
		Handle:        a.Handle,
		Role:          !a.Role,
		SndSettleMode: wire.Some(a.SndSettleMode.Or(wire.SenderMixed)),
		RcvSettleMode: wire.Some(a.RcvSettleMode.Or(wire.ReceiverFirst)),
		Source:        a.Source,
		Target:        a.Target,
	}
	var fault *wire.Error
	if a.Role == wire.RoleSender {
		fault = l.attachIncoming(a, reply)
	} else {
		fault = l.attachOutgoing(a, reply)
	}
	s.write(reply)
	if fault != nil {
		l.refuse(fault)
		return nil
	}
	s.conn.log.Debug("link attached", "entity", l.address.path(), "role", reply.Role.String())
	if l.in != nil {
		l.in.grant()
	}
	return nil
}

// attachIncoming makes a link on which the peer sends.
func (l *link) attachIncoming(a *wire.Attach, reply *wire.Attach) *wire.Error {
	size := l.session.conn.server.options.MaxMessageSize
	reply.MaxMessageSize = wire.Some(uint64(size))
	fault := l.checkTarget(a)
	if fault != nil {
		reply.Target = nil
		return fault
	}
	if reply.Source == nil {
		reply.Source = &wire.Source{}
	}
	l.in = &incoming{link: l, maxSize: size, deliveryCount: a.InitialDeliveryCount.Or(0)}
	switch {
	case l.address.cbs:
		l.in.accept = l.rpc(l.putToken)
	case l.address.management:
		q, _ := l.session.conn.server.find(l.address)
		l.in.accept = l.rpc(management{queue: q, server: l.session.conn.server}.handle)
	default:
		q, _ := l.session.conn.server.find(l.address)
		l.in.accept = l.enqueue(q)
	}
	return nil
}

func (l *link) checkTarget(a *wire.Attach) *wire.Error {
	switch {
	case a.Coordinator != nil:
		return notBuilt("transactions")
	case a.Target == nil || a.Target.Address == "":
		return refuse(wire.CondInvalidField, "a link needs a target address")
	}
	l.address = parseAddress(a.Target.Address)
	if fault := l.admit(a.Target.Address); fault != nil {
		return fault
	}
	if l.address.deadLetter && !l.address.management {
		return refuse(wire.CondNotAllowed, "messages can't be sent to a dead-letter queue")
	}
	return nil
}

// attachOutgoing makes a link on which the peer receives.
func (l *link) attachOutgoing(a *wire.Attach, reply *wire.Attach) *wire.Error {
	reply.InitialDeliveryCount = wire.Some[uint32](0)
	if !a.SndSettleMode.Set {
		reply.SndSettleMode = wire.Some(wire.SenderUnsettled)
	}
	fault := l.checkSource(a)
	if fault != nil {
		reply.Source = nil
		return fault
	}
	if reply.Target == nil {
		reply.Target = &wire.Target{}
	}
	l.out = &outgoing{link: l, settled: reply.SndSettleMode.Value == wire.SenderSettled, replyTo: reply.Target.Address}
	if l.address.cbs || l.address.management {
		l.out.settled = true
		return nil
	}
	l.out.queue, _ = l.session.conn.server.find(l.address)
	if l.out.settled {
		l.out.mode = queue.ReceiveAndDelete
	}
	out := l.out
	woken := l.session.conn.woken
	l.out.waiter = queue.NewWaiter(func() { woken.add(out) })
	return nil
}

// keySessionFilter names the filter by which a receiver asks for a session.
const keySessionFilter = "com.microsoft:session-filter"

func (l *link) checkSource(a *wire.Attach) *wire.Error {
	if a.Source == nil || a.Source.Address == "" {
		return refuse(wire.CondInvalidField, "a link needs a source address")
	}
	l.address = parseAddress(a.Source.Address)
	if fault := l.admit(a.Source.Address); fault != nil {
		return fault
	}
	if _, wants := a.Source.Filter.Get(keySessionFilter); wants {
		return refuse(wire.CondNotAllowed,
			"A sessionful message receiver cannot be created on an entity that does not require sessions.")
	}
	return nil
}

// admit decides whether the peer may have a link to the address, which it
// wrote as given.
func (l *link) admit(given string) *wire.Error {
	c := l.session.conn
	if c.links > maxLinks {
		return refuse(wire.CondResourceLimitExceeded, "a connection has at most %d links", maxLinks)
	}
	if l.address.cbs {
		return nil
	}
	if !c.trusted && !c.grants.allow(l.address, c.server.options.Now()) {
		return refuse(wire.CondUnauthorizedAccess,
			"Unauthorized access. No valid token for '%s' was put to $cbs on this connection.", given)
	}
	if _, ok := c.server.find(l.address); !ok {
		return refuse(wire.CondNotFound, "%s", notFound(given))
	}
	return nil
}

// find returns the queue that an address names.
func (s *Server) find(a address) (*queue.Queue, bool) {
	e, ok := s.entities[a.entity]
	if !ok {
		return nil, false
	}
	return e.node(a), true
}
