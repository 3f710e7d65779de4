package queue

import "time"

// Expire does what is due: scheduled messages join, locks end, messages outlive their
// time, and ids of which there can be no duplicate any more are forgotten. It returns
// when it wants to be called again; false means not before the next alarm. Other
// operations do the same work on their way; Expire is for the time when nobody calls.
func (q *Queue) Expire(now time.Time) (next time.Time, ok bool) {
	q.enter(now)
	q.forgetIDs(now, slice)
	q.alarm = q.deadline()
	next = q.alarm
	q.leave()
	return next, !next.IsZero()
}

// slice bounds how many messages join or expire, and how many ids are forgotten, in one
// operation: where a million are due at once, others get their turn in between. What is
// left is done by Expire, which asks to be called again at once.
const slice = 1000

func (q *Queue) expire(now time.Time) {
	q.activate(now, slice)
	for q.ending.len() > 0 && !q.ending.min().until.After(now) {
		q.fail(q.unhold(q.ending.min()), now)
	}
	for s := q.sessions.overdue(now); s != nil; s = q.sessions.overdue(now) {
		q.endSession(s, now, true)
	}
	for i := 0; i < slice && q.expiring.len() > 0 && q.expiring.min().expiresAt.over(now); i++ {
		e := q.expiring.min()
		q.withdraw(e)
		q.drop(e, now)
	}
}

// LoseLocks ends all locks, on messages and on sessions, as if their time were
// over.
func (q *Queue) LoseLocks(now time.Time) {
	q.enter(now)
	defer q.leave()
	for q.ending.len() > 0 {
		q.fail(q.unhold(q.ending.min()), now)
	}
	for q.sessions.held.len() > 0 {
		q.endSession(q.sessions.held.min(), now, true)
	}
}

// withdraw takes an active entry out of where it waits.
func (q *Queue) withdraw(e *entry) {
	q.expiring.remove(e)
	switch {
	case e.session != nil:
		q.sessions.remove(e)
	case e.state == stateWaiting:
		q.returned.remove(e)
	default:
		q.fresh--
		if e.seq == q.cursor { // as first has left it
			q.cursor++
		}
	}
}

// DeleteBatch deletes at most limit active messages that joined the queue no later
// than a time, the oldest first; with a session, of that one only, and otherwise of
// none that somebody holds. It returns how many.
func (q *Queue) DeleteBatch(now time.Time, id *string, until time.Time, limit int) int {
	q.enter(now)
	defer q.leave()
	deleted := 0
	for ; deleted < limit; deleted++ {
		e := q.first()
		switch {
		case id != nil:
			e = q.sessions.firstOf(*id)
		case q.config.Sessions:
			e = q.sessions.first()
		}
		// Messages join in the order of their numbers, so what follows is later.
		if e == nil || e.enqueuedAt > instantOf(until) {
			break
		}
		q.withdraw(e)
		q.forgetEntry(e)
	}
	return deleted
}

// drop ends an entry that outlived its time and is in no place but the index.
func (q *Queue) drop(e *entry, now time.Time) {
	if q.config.DeadLetterExpired {
		q.lay(e, because(ReasonExpired, "The message expired and was dead lettered."))
		q.bury(e, now)
		return
	}
	q.forgetEntry(e)
}

// deadline returns when the next thing is due, zero when nothing is.
func (q *Queue) deadline() time.Time {
	var next time.Time
	sooner := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	if q.ending.len() > 0 {
		sooner(q.ending.min().until)
	}
	if q.sessions.held.len() > 0 {
		sooner(q.sessions.held.min().until)
	}
	if q.expiring.len() > 0 {
		sooner(q.expiring.min().expiresAt.time())
	}
	if q.later.len() > 0 {
		sooner(q.later.min().enqueuedAt.time())
	}
	if due := q.history.due(); !due.IsZero() {
		sooner(due)
	}
	return next
}

// ring tells the owner about a deadline that is earlier than the one it knows.
// A deadline that moved away is not worth a call: the owner comes for nothing
// once and learns the new one.
func (q *Queue) ring() {
	next := q.deadline()
	if next.IsZero() || !q.alarm.IsZero() && !next.Before(q.alarm) {
		return
	}
	q.alarm = next
	if q.config.Alarm != nil {
		q.config.Alarm()
	}
}
