package broker

import (
	"errors"
	"math"
	"sync/atomic"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

const (
	// keySessionFilter names the filter by which a receiver asks for a session:
	// its id, or null for the next one that has messages.
	keySessionFilter = "com.microsoft:session-filter"
	// propertyTimeout is how long a receiver waits for the next session, in
	// milliseconds (uint, but any integer will do).
	propertyTimeout = "com.microsoft:timeout"
	// propertyLockedUntil is the end of the lock on a session, in .NET ticks
	// (long).
	propertyLockedUntil = "com.microsoft:locked-until-utc"

	acceptTimeout = time.Minute
)

// accepting is an attach that waits for a session: until there is one, the peer
// has no answer.
type accepting struct {
	reply   *wire.Attach
	filter  any // as the peer wrote it
	timer   *time.Timer
	overdue atomic.Bool
}

// asksForSession returns the session filter of a source. A plain string stands
// for itself; the official clients write it with or without a descriptor.
func asksForSession(s *wire.Source) (filter any, id string, named bool, fault *wire.Error) {
	filter, _ = s.Filter.Get(keySessionFilter)
	value := filter
	if d, described := filter.(wire.Described); described {
		value = d.Value
	}
	switch v := value.(type) {
	case nil:
		return filter, "", false, nil
	case string:
		if idLength(v) > maxIDLength {
			return nil, "", false, refuse(wire.CondNotAllowed, "A session id has at most %d characters.", maxIDLength)
		}
		return filter, v, true, nil
	}
	return nil, "", false, refuse(wire.CondInvalidField, "%s must be a string or null", keySessionFilter)
}

// acceptSession locks the session that an attach asks for and completes the reply,
// or says that it must wait.
func (l *outgoing) acceptSession(a *wire.Attach, reply *wire.Attach) (wait bool, fault *wire.Error) {
	filter, id, named, fault := asksForSession(a.Source)
	if fault != nil {
		return false, fault
	}
	l.accepting = &accepting{reply: reply, filter: filter}
	if named {
		s, until, err := l.queue.Accept(l.now(), id, l.sessionLost)
		if errors.Is(err, queue.ErrSessionLocked) {
			return false, refuse(condSessionCannotBeLocked,
				"The requested session '%s' cannot be accepted. It may be locked by another receiver.", id)
		}
		l.accepted(s, until)
		return false, nil
	}
	if l.acceptNext() {
		return false, nil
	}
	timeout := acceptTimeout
	if ms, err := integer(a.Properties, propertyTimeout); err == nil {
		timeout = time.Duration(min(max(ms, 0), math.MaxUint32)) * time.Millisecond
	}
	waiting, woken := l.accepting, l.link.session.conn.woken
	waiting.timer = time.AfterFunc(timeout, func() {
		waiting.overdue.Store(true)
		woken.add(l)
	})
	return true, nil
}

// acceptNext locks the next session if there is one.
func (l *outgoing) acceptNext() bool {
	s, until := l.queue.AcceptNext(l.now(), l.waiter, l.sessionLost)
	if s == nil {
		return false
	}
	l.accepted(s, until)
	return true
}

// sessionLost is called by the queue, on any goroutine.
func (l *outgoing) sessionLost() {
	l.lost.Store(true)
	l.link.session.conn.woken.add(l)
}

// accepted takes the session and completes the attach that waited for it.
func (l *outgoing) accepted(s *queue.Session, until time.Time) {
	a := l.accepting
	l.accepting, l.holds = nil, s
	if a.timer != nil {
		a.timer.Stop()
	}
	var filter any = s.ID()
	if d, described := a.filter.(wire.Described); described {
		filter = wire.Described{Descriptor: d.Descriptor, Value: s.ID()}
	}
	source := *a.reply.Source
	source.Filter = source.Filter.With(wire.Symbol(keySessionFilter), filter)
	a.reply.Source = &source
	a.reply.Properties = a.reply.Properties.With(wire.Symbol(propertyLockedUntil), ticks(until))
}

// tryAccept answers an attach that waits, if there is an answer by now.
func (l *outgoing) tryAccept() {
	waiting := l.accepting
	link := l.link
	switch {
	case l.acceptNext():
		link.session.answerAttach(waiting.reply)
		link.attached(waiting.reply)
	case waiting.overdue.Load():
		link.refuseAttach(waiting.reply, refuse(condTimeout, "There was no session to accept within the time that the receiver gave."))
	}
}

// ticks is a time as .NET counts it: in steps of 100 ns since the year 1.
func ticks(t time.Time) int64 {
	const unixEpoch = 621_355_968_000_000_000
	return t.UnixNano()/100 + unixEpoch
}
