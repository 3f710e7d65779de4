package queue

import "time"

// Mode is how a message is taken.
type Mode int

const (
	// PeekLock holds the message for the receiver until it is settled or the
	// lock ends.
	PeekLock Mode = iota
	// ReceiveAndDelete removes the message at once.
	ReceiveAndDelete
)

// Take hands out the active message with the lowest sequence number. When
// there is none it returns false, and w, unless nil, is woken once there is.
func (q *Queue) Take(now time.Time, mode Mode, w *Waiter) (Delivery, bool) {
	q.enter(now)
	defer q.leave()
	q.forget(w)
	e := q.next()
	if e == nil {
		q.await(w)
		return Delivery{}, false
	}
	if mode == ReceiveAndDelete {
		q.index.remove(e)
		return Delivery{Message: e.message()}, true
	}
	l := q.hold(e, now)
	return Delivery{Message: e.message(), Token: l.token, LockedUntil: l.until}, true
}

// next removes the first active entry from where it waits and returns it.
// Returned entries come first: each of them was handed out before, so it is
// older than everything from the cursor on.
func (q *Queue) next() *entry {
	var e *entry
	switch {
	case q.returned.len() > 0:
		e = q.returned.min()
		q.returned.remove(e)
	case q.fresh > 0:
		e = q.index.at(q.cursor)
		q.cursor = e.seq + 1
		q.fresh--
	default:
		return nil
	}
	q.expiring.remove(e)
	return e
}

// hold locks an entry that is no longer active.
func (q *Queue) hold(e *entry, now time.Time) *lock {
	l := &lock{entry: e, token: newToken(), until: now.Add(q.config.LockDuration), inLocks: -1}
	e.state, e.lock = stateLocked, l
	q.locks[l.token] = l
	q.ending.push(l)
	return l
}

// unhold ends a lock and returns the entry, which is then in no place at all.
func (q *Queue) unhold(l *lock) *entry {
	delete(q.locks, l.token)
	q.ending.remove(l)
	l.entry.lock = nil
	return l.entry
}
