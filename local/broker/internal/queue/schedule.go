package queue

import "time"

// A scheduled message is in no index but that of its kind: when its time has come it
// is appended as though it were sent at that instant, with a sequence number of that
// instant (service-bus message-sequencing, "Scheduled messages").

// schedule keeps an item for its time.
func (q *Queue) schedule(seq int64, item Item) {
	e := q.newEntry(seq, item, item.EnqueueAt)
	if item.TimeToLive > 0 {
		e.expiresAt = e.enqueuedAt.plus(item.TimeToLive)
	}
	q.plan(e, item.Session)
	q.put(e, item.Payload)
}

// plan puts an entry among those that are scheduled.
func (q *Queue) plan(e *entry, id *string) {
	e.state = stateScheduled
	q.later.push(e)
	q.planned.insert(e.seq, e)
	q.volume += e.bytes()
	if q.config.Sessions {
		q.enlist(e, *id)
	}
}

// unplan takes an entry out of those that are scheduled, and of its session, which it
// returns the id of.
func (q *Queue) unplan(e *entry) (id *string) {
	q.later.remove(e)
	q.planned.remove(e.seq)
	q.volume -= e.bytes()
	if e.session != nil {
		id = &e.session.id
		q.leaveSession(e)
	}
	return id
}

// Cancel drops scheduled messages. The error is nil, or ErrNotFound if one of
// them has joined the queue or never was, and then none is dropped.
func (q *Queue) Cancel(now time.Time, sequences ...int64) error {
	q.enter(now)
	defer q.leave()
	for _, seq := range sequences {
		if _, there := q.planned.get(seq); !there {
			return ErrNotFound
		}
	}
	for _, seq := range sequences {
		if e, there := q.planned.get(seq); there { // a number may be named twice
			q.unplan(e)
			q.note(Change{Kind: ChangeDelete, Sequence: seq})
		}
	}
	return nil
}

// activate appends messages whose time has come, at most limit of them. Each counts
// from its own time, however late it is noticed.
func (q *Queue) activate(now time.Time, limit int) {
	for ; limit > 0 && q.later.len() > 0 && q.later.min().enqueuedAt.over(now); limit-- {
		e := q.later.min()
		payload := q.payload(e)
		id := q.unplan(e)
		e.state = stateFresh
		q.note(Change{Kind: ChangeDelete, Sequence: e.seq})
		if q.config.Forward != nil {
			q.pass(e, payload, false)
			continue
		}
		q.lastSeq++
		q.note(Change{Kind: ChangeLast, Sequence: q.lastSeq})
		e.seq = q.lastSeq
		lives := time.Duration(0)
		if e.expiresAt != 0 {
			lives = time.Duration(e.expiresAt - e.enqueuedAt)
		}
		q.join(e, payload, lives, id)
	}
	q.save() // what has just joined may be taken or expire at once, and the store has it then
}
