package queue

import (
	"fmt"
	"time"
)

// Complete removes a locked message. The error is nil or ErrLockLost.
func (q *Queue) Complete(now time.Time, t Token) error {
	q.enter(now)
	defer q.leave()
	l, ok := q.locks[t]
	if !ok {
		return ErrLockLost
	}
	q.index.remove(q.unhold(l))
	return nil
}

// Abandon gives a locked message back as a failed delivery and sets properties
// on it. The error is nil or ErrLockLost.
func (q *Queue) Abandon(now time.Time, t Token, properties map[string]any) error {
	q.enter(now)
	defer q.leave()
	l, ok := q.locks[t]
	if !ok {
		return ErrLockLost
	}
	e := q.unhold(l)
	e.overlay = overlaid(e.overlay, properties)
	q.fail(e, now)
	return nil
}

// Release gives a locked message back as if it had not been delivered. The
// error is nil or ErrLockLost.
func (q *Queue) Release(now time.Time, t Token) error {
	q.enter(now)
	defer q.leave()
	l, ok := q.locks[t]
	if !ok {
		return ErrLockLost
	}
	q.giveBack(q.unhold(l), now)
	return nil
}

// DeadLetter moves a locked message to the dead-letter queue, with reason and
// description as its properties besides those given. The error is nil,
// ErrLockLost or ErrDeadLetterQueue.
func (q *Queue) DeadLetter(now time.Time, t Token, reason, description string, properties map[string]any) error {
	q.enter(now)
	defer q.leave()
	l, ok := q.locks[t]
	switch {
	case !ok:
		return ErrLockLost
	case q.dead == nil:
		return ErrDeadLetterQueue
	}
	e := q.unhold(l)
	e.overlay = overlaid(e.overlay, properties)
	q.bury(e, now, reason, description)
	return nil
}

// Renew starts the lock anew and returns its end. The error is nil or
// ErrLockLost.
func (q *Queue) Renew(now time.Time, t Token) (time.Time, error) {
	q.enter(now)
	defer q.leave()
	l, ok := q.locks[t]
	if !ok {
		return time.Time{}, ErrLockLost
	}
	l.until = now.Add(q.config.LockDuration)
	q.ending.moved(l)
	return l.until, nil
}

// fail counts a failed delivery of an unlocked entry and gives it back, or
// buries it if that was its last. A dead-letter queue never buries.
func (q *Queue) fail(e *entry, now time.Time) {
	e.deliveries++
	if q.dead != nil && int(e.deliveries) >= q.config.MaxDeliveryCount {
		q.bury(e, now, ReasonMaxDeliveryCount, fmt.Sprintf(
			"Message could not be consumed after %d delivery attempts.", q.config.MaxDeliveryCount))
		return
	}
	q.giveBack(e, now)
}

// giveBack makes an unlocked entry active again, in its old place, unless its
// time to live is over.
func (q *Queue) giveBack(e *entry, now time.Time) {
	if e.expired(now) {
		q.drop(e, now)
		return
	}
	e.state = stateReturned
	q.returned.push(e)
	if !e.expiresAt.IsZero() {
		q.expiring.push(e)
	}
}

// bury moves an entry that is in no place but the index to the dead-letter
// queue, where it waits for ever.
func (q *Queue) bury(e *entry, now time.Time, reason, description string) {
	q.index.remove(e)
	e.expiresAt = time.Time{}
	e.overlay = overlaid(e.overlay, map[string]any{
		PropertyReason:      reason,
		PropertyDescription: description,
	})
	q.dead.enter(now)
	defer q.dead.leave()
	q.dead.index.insert(e)
	q.dead.giveBack(e, now)
}
