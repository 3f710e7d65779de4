package broker

import (
	"errors"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// distributionCopy is how a source gives messages that stay where they are (part 3,
// section 3.5.7).
const distributionCopy wire.Symbol = "copy"

// attach makes a link, or refuses it by an attach without the terminus in
// question and a detach with the reason (part 2, section 2.6.3).
func (s *session) attach(a *wire.Attach) *wire.Error {
	switch {
	case s.links[a.Handle] != nil:
		return refuse(wire.CondHandleInUse, "handle %d is attached", a.Handle)
	case len(a.Name) > maxName:
		return refuse(wire.CondNotAllowed, "the name of a link has at most %d bytes", maxName)
	case a.Handle > handleMax:
		return refuse(wire.CondNotAllowed, "handle %d is beyond handle-max %d", a.Handle, handleMax)
	case s.conn.links >= 2*maxLinks: // the peer was refused as many, and goes on
		return refuse(wire.CondResourceLimitExceeded, "a connection has at most %d links", maxLinks)
	}
	l := &link{session: s, handle: a.Handle, name: a.Name, weight: weightOf(a)}
	s.links[a.Handle] = l
	s.conn.links++
	s.conn.weight += l.weight
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
	wait := false
	if a.Role == wire.RoleSender {
		fault = l.attachIncoming(a, reply)
	} else {
		wait, fault = l.attachOutgoing(a, reply)
	}
	switch {
	case fault != nil:
		l.refuseAttach(reply, fault)
	case wait:
		l.awaits(reply)
	default:
		s.answerAttach(reply)
		l.attached(reply)
	}
	return nil
}

// answerAttach answers an attach when it is certain which entities there are.
func (s *session) answerAttach(reply *wire.Attach) {
	s.writeAfter(s.conn.server.describedTicket(), reply)
}

// attached follows the reply that makes a link.
func (l *link) attached(reply *wire.Attach) {
	l.session.conn.log.Debug("link attached", "entity", l.address.path(), "role", reply.Role.String())
	if l.in != nil {
		l.in.grant()
	}
	if l.out != nil {
		l.session.conn.makeReady(l.out)
	}
}

// refuseAttach answers an attach with one that has no terminus where the peer's
// own isn't, and a detach.
func (l *link) refuseAttach(reply *wire.Attach, fault *wire.Error) {
	if reply.Role == wire.RoleReceiver {
		reply.Target = nil
	} else {
		reply.Source = nil
	}
	l.session.answerAttach(reply)
	l.refuse(fault)
}

// attachIncoming makes a link on which the peer sends.
func (l *link) attachIncoming(a *wire.Attach, reply *wire.Attach) *wire.Error {
	if fault := l.checkTarget(a); fault != nil {
		return fault
	}
	size := l.session.conn.server.options.MaxMessageSize
	if !l.address.management {
		size = l.session.conn.server.maxMessageSize(l.entity)
	}
	batch := min(size, max(maxBatchSize, l.session.conn.server.options.MaxMessageSize))
	reply.MaxMessageSize = wire.Some(uint64(size))
	if batch < size {
		reply.Properties = wire.Map{{Key: wire.Symbol(propertyMaxBatch), Value: uint64(batch)}}
	}
	if reply.Source == nil {
		reply.Source = &wire.Source{}
	}
	l.in = &incoming{link: l, maxSize: size, maxBatch: batch, deliveryCount: a.InitialDeliveryCount.Or(0), activity: activity{at: time.Now()}}
	switch {
	case l.address.cbs:
		l.in.accept = l.rpc(l.putToken)
	case l.address.management:
		l.in.accept = l.rpc(management{queue: l.node(), entity: l.entity, conn: l.session.conn, address: l.address}.handle)
	default:
		l.in.accept = l.entity.limited(l.enqueue(l.entity.queue))
	}
	return nil
}

func (l *link) checkTarget(a *wire.Attach) *wire.Error {
	switch {
	case a.Coordinator != nil:
		return notBuilt("transactions")
	case a.Target != nil && a.Target.Dynamic:
		return notBuilt("a dynamic target")
	case a.Target == nil || a.Target.Address == "":
		return refuse(wire.CondInvalidField, "a link needs a target address")
	}
	l.address = parseAddress(a.Target.Address)
	if fault := l.admit(a.Target.Address, RightSend); fault != nil {
		return fault
	}
	if l.address.deadLetter && !l.address.management {
		return refuse(wire.CondNotAllowed, "%s", textToDeadLetters)
	}
	if !l.address.management && l.entity != nil && l.entity.kind == kindSubscription {
		return refuse(wire.CondNotAllowed, "%s", textToSubscription)
	}
	return l.open(StatusSendDisabled)
}

// attachOutgoing makes a link on which the peer receives. It may have to wait for
// a session.
func (l *link) attachOutgoing(a *wire.Attach, reply *wire.Attach) (wait bool, fault *wire.Error) {
	reply.InitialDeliveryCount = wire.Some[uint32](0)
	if !a.SndSettleMode.Set {
		reply.SndSettleMode = wire.Some(wire.SenderUnsettled)
	}
	if fault := l.checkSource(a); fault != nil {
		return false, fault
	}
	// The reply has the filters that are in place (part 3, section 3.5.3): that of a
	// session is put there with it, and there are no others.
	source := *a.Source
	source.Filter = nil
	reply.Source = &source
	if reply.Target == nil {
		reply.Target = &wire.Target{}
	}
	if len(reply.Target.Address) > maxName {
		return false, refuse(wire.CondInvalidField, "an address has at most %d bytes", maxName)
	}
	l.out = &outgoing{link: l, settled: reply.SndSettleMode.Value == wire.SenderSettled, replyTo: reply.Target.Address}
	if l.address.cbs || l.address.management {
		l.out.settled = true
		if !a.SndSettleMode.Set {
			reply.SndSettleMode = wire.Some(wire.SenderSettled)
		}
		return false, nil
	}
	l.out.queue, l.out.otherwise = l.node(), source.DefaultOutcome
	if l.out.settled {
		l.out.mode = queue.ReceiveAndDelete
	}
	out := l.out
	woken := l.session.conn.woken
	l.out.waiter = queue.NewWaiter(func() { woken.add(out) })
	if l.sessionful() {
		return l.out.acceptSession(a, reply)
	}
	return false, nil
}

func (l *link) checkSource(a *wire.Attach) *wire.Error {
	if a.Source != nil && a.Source.Dynamic {
		return notBuilt("a dynamic source")
	}
	if a.Source != nil && a.Source.DistributionMode == distributionCopy {
		// Who only wants to look, and says of each message that it has seen it, would
		// take it from everybody else.
		return notBuilt("the distribution-mode copy")
	}
	if a.Source == nil || a.Source.Address == "" {
		return refuse(wire.CondInvalidField, "a link needs a source address")
	}
	l.address = parseAddress(a.Source.Address)
	if fault := l.admit(a.Source.Address, RightListen); fault != nil {
		return fault
	}
	if !l.address.management && l.entity != nil && l.entity.kind == kindTopic {
		return refuse(wire.CondNotAllowed, "messages can't be received from a topic; receive them from one of its subscriptions")
	}
	_, wants := a.Source.Filter.Get(keySessionFilter)
	switch sessionful := !l.address.cbs && !l.address.management && l.sessionful(); {
	case wants && !sessionful:
		return refuse(wire.CondNotAllowed,
			"A sessionful message receiver cannot be created on an entity that does not require sessions. "+
				"Ensure RequiresSession is set to true when creating a Queue or Subscription to enable sessionful behavior.")
	case !wants && sessionful:
		return refuse(wire.CondNotAllowed,
			"It is not possible for an entity that requires sessions to create a non-sessionful message receiver.")
	}
	if fault := l.open(StatusReceiveDisabled); fault != nil || l.entity == nil || l.address.management {
		return fault
	}
	return l.forwards()
}

// admit decides whether the peer may have a link to the address, which it wrote
// as given. What it may ask of a $management node is decided for each request.
func (l *link) admit(given string, wanted Rights) *wire.Error {
	c := l.session.conn
	if len(given) > maxName {
		return refuse(wire.CondInvalidField, "an address has at most %d bytes", maxName)
	}
	if c.links > maxLinks {
		return refuse(wire.CondResourceLimitExceeded, "a connection has at most %d links", maxLinks)
	}
	if l.address.cbs {
		return c.cbs.take(l, wanted)
	}
	if l.address.management {
		wanted = RightManage
	}
	if !c.may(l.address, wanted) {
		return refuse(wire.CondUnauthorizedAccess,
			"Unauthorized access. '%s' claim(s) are required to perform this operation on '%s'; "+
				"no token with one was put to $cbs on this connection.", wanted, given)
	}
	e, ok := c.server.find(l.address)
	if !ok || !e.join(l) {
		return refuse(wire.CondNotFound, "%s", notFound(given))
	}
	l.entity, l.right = e, wanted
	return nil
}

// find returns the entity of an address. An open server makes it where it is
// missing and can be.
func (s *Server) find(a address) (*entity, bool) {
	e, ok := s.catalog.find(a.entity)
	if ok || !s.options.Open {
		return e, ok
	}
	// Somebody else may make it in the same moment.
	if err := s.createQueue(Queue{Name: a.entity}); err != nil && !errors.Is(err, ErrEntityExists) {
		return nil, false
	}
	return s.catalog.find(a.entity)
}

// open refuses a link to an entity that is not open for it.
func (l *link) open(way Status) *wire.Error {
	if l.entity == nil || l.address.management {
		return nil
	}
	return l.entity.closed(way)
}

// closed refuses what an entity is not open for.
func (e *entity) closed(way Status) *wire.Error {
	switch s := e.described().Status; {
	case s == StatusSendDisabled && s == way:
		return refuse(condEntityDisabled, "Messaging entity '%s' is currently disabled for Send operations.", e.path)
	case s == StatusDisabled, s == way:
		return refuse(condEntityDisabled, "Messaging entity '%s' is currently disabled.", e.path)
	}
	return nil
}

// node returns the queue that the link's address names: the entity's own, its
// dead-letter queue, or that for transfers.
func (l *link) node() *queue.Queue {
	switch {
	case l.address.transfer:
		return l.session.conn.server.transfers
	case l.address.deadLetter:
		return l.entity.queue.DeadLetters()
	}
	return l.entity.queue
}

// sessionful tells whether messages at the link's address are received by session.
// Those of a dead-letter queue never are.
func (l *link) sessionful() bool { return l.entity.sessions() && !l.address.deadLetter }
