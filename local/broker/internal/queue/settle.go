package queue

import (
	"fmt"
	"time"
)

// Complete removes a locked message. The error is nil or ErrLockLost.
func (q *Queue) Complete(now time.Time, t Token) error {
	return q.settle(now, t, nil, q.forgetEntry)
}

// Abandon gives a locked message back as a failed delivery and sets properties
// on it. The error is nil, ErrLockLost or ErrProperties.
func (q *Queue) Abandon(now time.Time, t Token, properties map[string]any) error {
	return q.settle(now, t, properties, func(e *entry) { q.fail(e, now) })
}

// Release gives a locked message back as if it had not been delivered. The
// error is nil or ErrLockLost.
func (q *Queue) Release(now time.Time, t Token) error {
	return q.settle(now, t, nil, func(e *entry) { q.giveBack(e, now) })
}

// Defer puts a locked message aside until it is asked for by its sequence number,
// and sets properties on it. It counts as a failed delivery, and may be the last one
// (the clients' tests of the service). The error is nil, ErrLockLost or
// ErrProperties.
func (q *Queue) Defer(now time.Time, t Token, properties map[string]any) error {
	return q.settle(now, t, properties, func(e *entry) {
		if s := e.session; s != nil && !e.deferred {
			s.active--
			q.sessions.settle(s)
		}
		e.deferred = true
		q.fail(e, now)
	})
}

// settle ends a lock, sets properties on the message, and does something with it.
func (q *Queue) settle(now time.Time, t Token, properties map[string]any, do func(*entry)) error {
	q.enter(now)
	defer q.leave()
	l, ok := q.locks[t]
	if !ok {
		return ErrLockLost
	}
	if !q.bears(l.entry, properties) {
		return ErrProperties
	}
	e := q.unhold(l)
	q.lay(e, properties)
	do(e)
	return nil
}

// DeadLetter moves a locked message to the dead-letter queue and sets properties on
// it, PropertyReason and PropertyDescription among them if the receiver gives any.
// The error is nil, ErrLockLost, ErrProperties or ErrDeadLetterQueue.
func (q *Queue) DeadLetter(now time.Time, t Token, properties map[string]any) error {
	if q.dead == nil {
		return q.refuseDeadLetter(now, t)
	}
	return q.settle(now, t, properties, func(e *entry) { q.bury(e, now) })
}

// refuseDeadLetter tells why a message of a dead-letter queue can't be
// dead-lettered.
func (q *Queue) refuseDeadLetter(now time.Time, t Token) error {
	q.enter(now)
	defer q.leave()
	if q.locks[t] == nil {
		return ErrLockLost
	}
	return ErrDeadLetterQueue
}

// Renew starts the lock anew and returns its end; in a session there is nothing
// to renew but the lock on the session. The error is nil or ErrLockLost.
func (q *Queue) Renew(now time.Time, t Token) (time.Time, error) {
	q.enter(now)
	defer q.leave()
	l, ok := q.locks[t]
	if !ok {
		return time.Time{}, ErrLockLost
	}
	if l.session != nil {
		return l.session.until, nil
	}
	l.until = now.Add(q.config.LockDuration)
	q.ending.moved(l)
	return l.until, nil
}

// fail counts a failed delivery of an unlocked entry and gives it back, or
// buries it if that was its last. A dead-letter queue neither counts nor buries: a
// dead letter keeps the count that it came with.
func (q *Queue) fail(e *entry, now time.Time) {
	e.changed = true
	if q.dead == nil {
		q.giveBack(e, now)
		return
	}
	e.deliveries++
	if int(e.deliveries) >= q.config.MaxDeliveryCount {
		q.lay(e, because(ReasonMaxDeliveryCount, fmt.Sprintf(
			"Message could not be consumed after %d delivery attempts.", q.config.MaxDeliveryCount)))
		q.bury(e, now)
		return
	}
	q.giveBack(e, now)
}

// because are the properties that say why a message was dead-lettered.
func because(reason, description string) map[string]any {
	return map[string]any{PropertyReason: reason, PropertyDescription: description}
}

// giveBack makes an unlocked entry active again, in its old place, unless its
// time to live is over. A deferred one is deferred again: those outlive their
// time.
func (q *Queue) giveBack(e *entry, now time.Time) {
	if !e.deferred && q.expires(e) && e.expiresAt.over(now) {
		q.drop(e, now)
		return
	}
	if e.changed {
		q.note(Change{Kind: ChangeState, Sequence: e.seq, Record: e.record()})
		e.changed = false
	}
	if e.deferred {
		e.state = stateDeferred
		q.deferred++
		return
	}
	e.state = stateWaiting
	if e.session != nil {
		q.sessions.push(e)
	} else {
		q.returned.push(e)
	}
	if q.expires(e) {
		q.expiring.push(e)
	}
}

// expires tells whether an entry has an end that counts: that of a dead letter is
// only told to receivers.
func (q *Queue) expires(e *entry) bool { return q.dead != nil && e.expiresAt != 0 }

// Bury puts a message that another queue passes on, and that never joined this one,
// into its dead-letter queue. It is called as Arrive is.
func (q *Queue) Bury(now time.Time, item Item, reason, description string) {
	q.enterWithin(now)
	defer q.leave()
	if q.ended {
		return
	}
	q.lastSeq++
	q.note(Change{Kind: ChangeLast, Sequence: q.lastSeq})
	item.Overlay = overlaid(item.Overlay, because(reason, description))
	q.inter(q.newEntry(q.lastSeq, item, now), item.Payload, now)
}

// bury moves an entry that is in no place but the index to the dead-letter
// queue, where it waits for ever.
func (q *Queue) bury(e *entry, now time.Time) {
	payload := q.payload(e)
	q.forgetEntry(e)
	q.inter(e, payload, now)
}

// inter dead-letters an entry that is in no place.
func (q *Queue) inter(e *entry, payload []byte, now time.Time) {
	e.deferred = false
	if q.config.ForwardDead != nil {
		q.pass(e, payload, true)
		return
	}
	q.toDead(e, payload, now)
}

// toDead puts an entry that is in no place into the dead-letter queue.
func (q *Queue) toDead(e *entry, payload []byte, now time.Time) {
	q.dead.enter(now)
	defer q.dead.leave()
	q.dead.list(e)
	q.dead.put(e, payload)
	e.changed = false
	q.dead.giveBack(e, now)
	// While nobody can take it yet: a deletion must not overtake what puts it there.
	q.changes = append(q.changes, q.dead.changes...)
	clear(q.dead.changes)
	q.dead.changes = q.dead.changes[:0]
	q.save()
}
