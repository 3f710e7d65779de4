package broker

import "time"

// use notes that somebody uses the entity, and with a subscription its topic.
func (e *entity) use(now time.Time) {
	e.mu.Lock()
	e.accessed = now
	sub := e.subscription
	deletes := e.description.AutoDeleteOnIdle != 0
	e.mu.Unlock()
	if deletes {
		signal(e.alarm)
	}
	if sub != nil {
		sub.topic.use(now)
	}
}

// accessedAt is when the entity was last used, zero for never.
func (e *entity) accessedAt() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.accessed
}

// untilIdle tells how long the entity may go unused before it is deleted. It is
// false while it may not be: it has no such time, or it is in use and somebody
// will ring the alarm when it is not.
func (e *entity) untilIdle(now time.Time) (left time.Duration, may bool) {
	for _, sub := range e.subscriptions() {
		if sub.attached() {
			return 0, false
		}
	}
	e.mu.Lock()
	limit, since := e.description.AutoDeleteOnIdle, e.since // not the time when nobody could use it
	for _, used := range []time.Time{e.updated, e.accessed} {
		if used.After(since) {
			since = used
		}
	}
	used := len(e.links) > 0
	e.mu.Unlock()
	switch {
	case limit == 0 || used:
		return 0, false
	case e.queue.Counts(now).Scheduled > 0:
		return limit, true
	}
	return since.Add(limit).Sub(now), true
}

func (e *entity) attached() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.links) > 0
}
