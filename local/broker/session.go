package broker

import "github.com/muster-mfa/muster/local/broker/internal/wire"

const (
	// handleMax is the highest link handle of a session.
	handleMax = 4095
	// sessionWindow is how many transfer frames a peer may be ahead of us; it
	// is opened anew when half of it is used up.
	sessionWindow = 5000
)

// session is one AMQP session.
type session struct {
	conn    *conn
	channel uint16
	ended   bool // we have sent an end and wait for the peer's

	nextIncoming   uint32 // transfer id that the peer's next transfer has
	incomingWindow uint32 // transfers that the peer may send

	nextOutgoing   uint32 // transfer id of our next transfer
	outgoingWindow uint32 // transfers that the peer takes
	nextDelivery   uint32
	unsettled      map[uint32]unsettled // by delivery id
	stale          int                  // how many of them are of links that both sides have detached
	shut, full     map[*outgoing]bool   // links that wait for the window, and for a settlement

	links map[uint32]*link // by handle, which is the same both ways

	waiting waiting // frames that wait for the disk
}

// begin starts a session.
func (c *conn) begin(channel uint16, b *wire.Begin) error {
	switch {
	case c.sessions[channel] != nil:
		return refuse(wire.CondNotAllowed, "channel %d has a session", channel)
	case channel > channelMax:
		return refuse(wire.CondFramingError, "channel %d is beyond channel-max %d", channel, channelMax)
	}
	c.weight += sessionWeight
	s := &session{
		conn:           c,
		channel:        channel,
		nextIncoming:   b.NextOutgoingID,
		incomingWindow: sessionWindow,
		outgoingWindow: b.IncomingWindow,
		unsettled:      make(map[uint32]unsettled),
		shut:           make(map[*outgoing]bool),
		full:           make(map[*outgoing]bool),
		links:          make(map[uint32]*link),
	}
	c.sessions[channel] = s
	c.succeed(s)
	s.write(&wire.Begin{
		RemoteChannel:  wire.Some(channel),
		NextOutgoingID: 0,
		IncomingWindow: sessionWindow,
		OutgoingWindow: sessionWindow,
		HandleMax:      wire.Some[uint32](handleMax),
	})
	return nil
}

// receive handles a frame of the session. An error ends the connection.
func (s *session) receive(f wire.Frame) error {
	if end, ok := f.Body.(*wire.End); ok {
		s.end(end)
		return nil
	}
	if s.ended { // the peer sent this before it saw our end
		return nil
	}
	var fault *wire.Error
	switch body := f.Body.(type) {
	case *wire.Attach:
		fault = s.attach(body)
	case *wire.Flow:
		fault = s.flow(body)
	case *wire.Transfer:
		fault = s.transfer(body, f.Payload)
	case *wire.Disposition:
		s.dispose(body)
	case *wire.Detach:
		fault = s.detach(body)
	default:
		return refuse(wire.CondNotAllowed, "unexpected frame")
	}
	if fault != nil {
		s.conn.report("session ended", "condition", string(fault.Condition), "description", fault.Description)
		s.drop()
		s.ended = true
		s.write(&wire.End{Error: fault})
	}
	return nil
}

// end answers the peer's end, unless it is an answer itself.
func (s *session) end(end *wire.End) {
	if end.Error != nil {
		s.conn.log.Debug("session ended by the peer", "condition", string(end.Error.Condition))
	}
	s.drop()
	if !s.ended {
		s.write(&wire.End{})
	}
	delete(s.conn.sessions, s.channel)
	s.conn.weight -= sessionWeight
}

// drop lets go of all links. Locks stay until they expire.
func (s *session) drop() {
	for _, l := range s.links {
		s.remove(l)
	}
	s.conn.weight -= int64(len(s.unsettled)) * unsettledWeight
	s.unsettled, s.stale = nil, 0
}

// remove forgets a link that both sides have detached, and what it had unsettled.
func (s *session) remove(l *link) {
	for _, out := range []*outgoing{l.out, l.left} {
		if out != nil {
			s.disown(out)
		}
	}
	l.left = nil
	l.drop()
	delete(s.links, l.handle)
	s.conn.links--
	s.conn.weight -= l.weight
}

// unblock has links try again that have waited.
func (c *conn) unblock(waiting map[*outgoing]bool) {
	for l := range waiting {
		c.makeReady(l)
	}
	clear(waiting)
}

// flow takes the peer's view of windows and credit.
func (s *session) flow(f *wire.Flow) *wire.Error {
	// A peer that has not seen our begin counts from our first id, which is 0.
	s.outgoingWindow = remaining(f.IncomingWindow, s.nextOutgoing-f.NextIncomingID.Or(0))
	if s.outgoingWindow > 0 {
		s.conn.unblock(s.shut)
	}
	if !f.Handle.Set {
		if f.Echo {
			s.write(s.window())
		}
		return nil
	}
	l, ok := s.links[f.Handle.Value]
	switch {
	case !ok:
		return refuse(wire.CondUnattachedHandle, "flow for handle %d, which is not attached", f.Handle.Value)
	case l.detached:
	case l.out != nil:
		l.out.flow(f)
	case f.Echo:
		l.in.grant()
	}
	return nil
}

// remaining is what is left of a peer's window or credit when sent of ours had
// not arrived as it granted it.
func remaining(granted, sent uint32) uint32 {
	if sent > granted {
		return 0
	}
	return granted - sent
}

// window is a flow with our view of the session and nothing about a link.
func (s *session) window() *wire.Flow {
	return &wire.Flow{
		NextIncomingID: wire.Some(s.nextIncoming),
		IncomingWindow: s.incomingWindow,
		NextOutgoingID: s.nextOutgoing,
		OutgoingWindow: sessionWindow,
	}
}

// transfer counts a transfer frame and gives it to its link. Frames are handled
// as they come, so the window is opened again before it could be violated.
func (s *session) transfer(t *wire.Transfer, payload []byte) *wire.Error {
	s.nextIncoming++
	s.incomingWindow--
	if s.incomingWindow <= sessionWindow/2 {
		s.incomingWindow = sessionWindow
		s.write(s.window())
	}
	l, ok := s.links[t.Handle]
	switch {
	case !ok:
		return refuse(wire.CondUnattachedHandle, "transfer for handle %d, which is not attached", t.Handle)
	case l.detached:
	case l.in == nil:
		l.end(refuse(wire.CondNotAllowed, "transfer to a receiving link"))
	default:
		l.in.transfer(t, payload)
	}
	return nil
}

// detach answers the peer's detach, unless it is an answer itself.
func (s *session) detach(d *wire.Detach) *wire.Error {
	l, ok := s.links[d.Handle]
	if !ok {
		return refuse(wire.CondUnattachedHandle, "detach of handle %d, which is not attached", d.Handle)
	}
	if d.Error != nil {
		s.conn.log.Debug("link detached by the peer", "condition", string(d.Error.Condition))
	}
	if l.out != nil && l.out.accepting != nil {
		// The peer gave up before it had an answer; it gets one first.
		reply := l.out.accepting.reply
		reply.Source = nil
		s.write(reply)
	}
	s.remove(l)
	if !l.detached {
		s.write(&wire.Detach{Handle: d.Handle, Closed: d.Closed})
	}
	return nil
}
