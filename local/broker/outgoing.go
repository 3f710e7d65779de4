package broker

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// maxReplies and maxReplyBytes bound the replies of one link that wait for
// credit or for the peer to read.
const (
	maxReplies    = 1000
	maxReplyBytes = 16 << 20
	// maxRepliesBytes is for all links of a connection together.
	maxRepliesBytes = 64 << 20
	// maxSending bounds what of begun deliveries is still to be sent on a
	// connection: no other begins meanwhile.
	maxSending = 4 << 20
)

// outgoing is a link on which the peer receives: messages of a queue, or
// replies to requests.
type outgoing struct {
	link    *link
	settled bool // deliveries are sent settled

	// otherwise is the outcome of what is settled without one (part 3, section 3.5.3,
	// default-outcome), nil for none.
	otherwise wire.DeliveryState

	queue  *queue.Queue // nil on a link for replies
	mode   queue.Mode
	waiter *queue.Waiter

	accepting *accepting     // nil but while the attach waits for a session
	holds     *queue.Session // nil outside of a session
	lost      atomic.Bool    // the lock on the session ended; set by the queue

	replyTo    string   // the peer's name for this end, for replies
	replies    []answer // those that wait for credit
	replyBytes int

	deliveryCount uint32
	credit        uint32
	drain         bool
	ready         bool // listed in conn.ready
	woken         bool // by the queue, and has not taken a message since
	gone          bool // no longer attached
	disowned      bool // its deliveries can't be settled any more but by token
	unsettled     int  // deliveries of the session's that are this link's

	transfer *wire.Transfer // the delivery that is not complete yet
	rest     []byte         // what of it is still to be sent
	restsOn  uint64         // ticket that it waits for
}

// answer is an encoded reply, with the ticket of what it rests on.
type answer struct {
	message []byte
	ticket  uint64
}

// drop ends the link's interest in its queue. What it was sent stays locked
// until it is settled or the lock expires; but a session is given back.
func (l *outgoing) drop() {
	l.gone = true
	delete(l.link.session.shut, l)
	delete(l.link.session.full, l)
	delete(l.link.session.conn.crowded, l)
	l.link.session.conn.replyBytes -= l.replyBytes
	l.sent(len(l.rest))
	l.rest, l.replies, l.replyBytes = nil, nil, 0
	if l.accepting != nil && l.accepting.timer != nil {
		l.accepting.timer.Stop()
	}
	l.leave()
	if l.holds != nil {
		l.queue.CloseSession(l.now(), l.holds)
	}
}

// leave ends the link's wait for a message, if it waits.
func (l *outgoing) leave() {
	switch {
	case l.queue == nil:
	case l.holds != nil:
		l.queue.Rest(l.now(), l.holds)
	default:
		l.queue.Leave(l.now(), l.waiter)
	}
}

// flow takes the peer's credit, which is absolute: it counts from the
// delivery-count that the peer had seen.
func (l *outgoing) flow(f *wire.Flow) {
	l.credit = remaining(f.LinkCredit.Or(0), l.deliveryCount-f.DeliveryCount.Or(0))
	l.drain = f.Drain
	if l.credit == 0 && l.accepting == nil {
		l.leave()
	}
	l.link.session.conn.makeReady(l)
	if f.Echo && !f.Drain && l.accepting == nil { // or there is no link yet to tell of
		l.tell()
	}
}

// tell sends the link's state to the peer.
func (l *outgoing) tell() {
	f := l.link.session.window()
	f.Handle = wire.Some(l.link.handle)
	f.DeliveryCount = wire.Some(l.deliveryCount)
	f.LinkCredit = wire.Some(l.credit)
	f.Drain = l.drain
	l.link.session.write(f)
}

// makeReady lists a link that may have something to send.
func (c *conn) makeReady(l *outgoing) {
	if !l.ready && !l.gone {
		l.ready = true
		c.ready = append(c.ready, l)
	}
}

// deliver sends from all links that are ready, in turns, until they have
// nothing more or the peer has enough to read.
func (c *conn) deliver() {
	backlog, _ := c.outbox.backlog()
	for len(c.ready) > 0 && backlog+len(c.out)+c.waits < pauseAt {
		l := c.ready[0]
		c.ready[0] = nil
		c.ready = c.ready[1:]
		l.ready = false
		if !l.gone && l.send() {
			c.makeReady(l)
		}
	}
	c.ready = slices.DeleteFunc(c.ready, func(l *outgoing) bool {
		l.pass()
		return l.gone
	})
}

// pass leaves the message, or the session, that the link was woken for to another
// receiver, because the peer can't take it now.
func (l *outgoing) pass() {
	if l.woken {
		l.woken = false
		l.leave()
	}
}

// send sends one transfer frame if it can, and tells whether there may be
// another.
func (l *outgoing) send() bool {
	s := l.link.session
	switch {
	case l.accepting != nil:
		l.tryAccept()
		return false
	case l.lost.Load():
		l.link.refuse(refuse(condSessionLockLost, "%s", textSessionLost))
		return false
	}
	if l.credit == 0 && l.rest == nil {
		l.exhausted() // which a flow tells, for which there is no window
		return false
	}
	if s.outgoingWindow == 0 {
		l.pass()
		s.shut[l] = true
		return false // until the next flow of the session
	}
	if l.rest == nil && !l.next() {
		return false
	}
	n := 0
	encoded := s.append(l.restsOn, func(b []byte) (out []byte, err error) {
		out, n, err = wire.AppendTransfer(b, s.channel, l.transfer, l.rest, s.conn.frameSize)
		return out, err
	})
	if !encoded {
		l.sent(len(l.rest))
		l.rest = nil
		return true
	}
	l.sent(n)
	s.nextOutgoing++
	s.outgoingWindow--
	if n < len(l.rest) {
		l.transfer, l.rest = l.transfer.Continuation(), l.rest[n:]
	} else {
		l.transfer, l.rest = nil, nil
	}
	return true
}

// next begins a delivery, for which there is credit, if supply allows.
func (l *outgoing) next() bool {
	s := l.link.session
	switch {
	case l.queue == nil && len(l.replies) > 0:
		reply := l.replies[0]
		l.replies[0] = answer{}
		l.replies = l.replies[1:]
		l.replyBytes -= len(reply.message)
		s.conn.replyBytes -= len(reply.message)
		l.restsOn = reply.ticket
		l.begin(reply.message, []byte{0})
		return true
	case l.queue == nil:
		l.exhausted()
		return false
	case !l.settled && len(s.unsettled)-s.stale >= maxUnsettled:
		l.pass()
		l.exhausted() // a peer that drains may not settle before it has its answer
		s.full[l] = true
		return false // until the next settlement
	case s.conn.sending >= maxSending:
		l.pass()
		s.conn.crowded[l] = true
		return false // until there is room
	}
	return l.take()
}

// take begins the delivery of the queue's next message that can be read.
func (l *outgoing) take() bool {
	s := l.link.session
	l.woken = false
	d, payload, ok := l.takeNext()
	if !ok {
		l.exhausted()
		return false
	}
	if _, strikes := s.conn.server.faults.strikes(FaultDuplicate, l.link.entity.path); strikes && d.Token != (queue.Token{}) {
		_ = l.queue.Abandon(l.now(), d.Token, nil) // it was taken just now
	}
	if l.mode == queue.ReceiveAndDelete {
		l.restsOn = l.link.entity.ticket()
	}
	tag := guid(d.Token)
	if !l.settled {
		s.hold(l, d.Token)
	}
	l.begin(payload, tag[:])
	return true
}

func (l *outgoing) takeNext() (d queue.Delivery, payload []byte, ok bool) {
	for {
		if l.holds == nil {
			d, ok = l.queue.Take(l.now(), l.mode, l.waiter)
		} else {
			// Of a lock that is lost the queue tells by itself.
			d, ok, _ = l.queue.TakeFrom(l.now(), l.holds, l.mode, l.waiter)
		}
		if !ok {
			return d, nil, false
		}
		var err error
		if payload, err = delivered(d); err == nil {
			return d, payload, true
		}
		// Messages are checked when they come in, so this one can't be sent by
		// anybody, or the disk fails; its deliveries run out and it is
		// dead-lettered. Those behind it do not wait for that.
		l.link.session.conn.log.Error("message could not be encoded", "sequence", d.Sequence, "error", err)
	}
}

func (l *outgoing) begin(payload, tag []byte) {
	s := l.link.session
	l.transfer = &wire.Transfer{
		Handle:        l.link.handle,
		DeliveryID:    wire.Some(s.nextDelivery),
		DeliveryTag:   tag,
		MessageFormat: wire.Some(wire.MessageFormat),
		Settled:       l.settled,
	}
	l.rest = payload
	s.conn.sending += len(payload)
	s.nextDelivery++
	l.deliveryCount++
	l.credit--
}

// sent counts what of a delivery need not be sent any more.
func (l *outgoing) sent(n int) {
	c := l.link.session.conn
	c.sending -= n
	if c.sending < maxSending {
		c.unblock(c.crowded)
	}
}

// exhausted ends a drain: the credit that could not be used is used up (part
// 2, section 2.6.7). The peer is told even if there was none left.
func (l *outgoing) exhausted() {
	if !l.drain {
		return
	}
	l.deliveryCount += l.credit
	l.credit = 0
	l.tell()
	l.drain = false
	l.leave()
}

func (l *outgoing) now() time.Time { return l.link.session.conn.server.options.Now() }
