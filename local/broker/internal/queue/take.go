package queue

import "time"

// Mode is how a message is taken.
type Mode int

const (
	// PeekLock holds the message for the receiver until it is settled or the
	// lock ends.
	PeekLock Mode = iota
	// ReceiveAndDelete removes the message at once, unless the store does not give
	// its payload back: then it is held as with PeekLock.
	ReceiveAndDelete
)

// Take hands out the active message with the lowest sequence number. When
// there is none it returns false, and w, unless nil, is woken once there is.
func (q *Queue) Take(now time.Time, mode Mode, w *Waiter) (Delivery, bool) {
	q.enter(now)
	defer q.leave()
	q.forget(w)
	e := q.next(now, q.first)
	if e == nil {
		w.stand(q.waiters)
		return Delivery{}, false
	}
	return q.hand(e, mode, nil, now), true
}

// hand gives an entry that is in no place but the index to a receiver.
func (q *Queue) hand(e *entry, mode Mode, s *Session, now time.Time) Delivery {
	m := q.message(e)
	if mode == ReceiveAndDelete && m.Payload != nil {
		q.forgetEntry(e)
		return Delivery{Message: m}
	}
	l := q.hold(e, s, now)
	m.Locked = true
	d := Delivery{Message: m, Token: l.token, LockedUntil: l.until}
	if s != nil {
		d.LockedUntil = s.until
	}
	return d
}

// forgetEntry ends an entry that is in no place but the index.
func (q *Queue) forgetEntry(e *entry) {
	q.index.remove(e.seq)
	q.volume -= e.bytes()
	q.leaveSession(e)
	q.note(Change{Kind: ChangeDelete, Sequence: e.seq})
}

// first returns the entry that is to be taken first, nil for none, outside of
// sessions. Returned entries come first: each of them was handed out before, so it is
// older than everything from the cursor on.
func (q *Queue) first() *entry {
	switch {
	case q.returned.len() > 0:
		return q.returned.min()
	case q.fresh > 0:
		_, e, _ := q.index.at(q.cursor)
		q.cursor = e.seq
		return e
	}
	return nil
}

// next takes what is first from where it waits and returns it; nil when there is
// none, or none that is safe yet. Of those that have outlived their time and are still
// there it drops some on the way. When they are too many it finds nothing: Expire will
// be called, and whoever waits is woken.
func (q *Queue) next(now time.Time, first func() *entry) *entry {
	for range slice {
		e := first()
		if e == nil || !q.safe(e) {
			return nil
		}
		if q.withdraw(e); !q.expires(e) || !e.expiresAt.over(now) {
			return e
		}
		q.drop(e, now)
	}
	return nil
}

// hold locks an entry that is in no place but the index, in a session or, where
// that is nil, by itself.
func (q *Queue) hold(e *entry, s *Session, now time.Time) *lock {
	l := &lock{entry: e, token: newToken(), session: s, inLocks: -1}
	e.state, e.lock = stateLocked, l
	q.locks[l.token] = l
	if s != nil {
		s.locks[l] = true
		return l
	}
	l.until = now.Add(q.config.LockDuration)
	q.ending.push(l)
	return l
}

// unhold ends a lock and returns the entry, which is then in no place at all.
func (q *Queue) unhold(l *lock) *entry {
	delete(q.locks, l.token)
	if l.session != nil {
		delete(l.session.locks, l)
	}
	q.ending.remove(l)
	l.entry.lock = nil
	return l.entry
}
