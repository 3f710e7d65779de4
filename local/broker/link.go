package broker

import "github.com/muster-mfa/muster/local/broker/internal/wire"

// link is one end of a link, in one of two directions: the peer sends (in) or
// receives (out). A refused link has neither.
type link struct {
	session  *session
	name     string
	handle   uint32
	address  address
	entity   *entity // nil for $cbs and of a link that was refused
	right    Rights  // one of these is needed on the address
	weight   int64   // what it is taken for, in bytes
	detached bool    // we have sent a detach and wait for the peer's

	in  *incoming
	out *outgoing
	// left is the outgoing link that we have detached, while the peer may settle what
	// it has of it because it doesn't know yet.
	left *outgoing
}

// refuse detaches the link with an error.
func (l *link) refuse(fault *wire.Error) {
	l.session.conn.report("link detached", "entity", l.address.path(),
		"condition", string(fault.Condition), "description", fault.Description)
	l.left = l.out
	l.drop()
	l.detached = true
	l.session.write(&wire.Detach{Handle: l.handle, Closed: true, Error: fault})
	l.name, l.address = "", address{} // they may be long, and the peer may never answer
}

// end detaches the link for a reason that is not its peer's, if it is not gone or
// refused already. One that waits for a session is refused.
func (l *link) end(fault *wire.Error) {
	switch {
	case l.in == nil && l.out == nil:
	case l.out != nil && l.out.accepting != nil:
		l.refuseAttach(l.out.accepting.reply, fault)
	default:
		l.refuse(fault)
	}
}

// drop lets go of what the link holds.
func (l *link) drop() {
	if l.out != nil {
		l.out.drop()
	}
	if l.in != nil {
		l.in.forget()
	}
	l.in, l.out = nil, nil
	l.session.conn.cbs.leave(l)
	if l.entity != nil {
		l.entity.leave(l)
	}
}
