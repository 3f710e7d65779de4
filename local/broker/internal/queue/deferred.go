package queue

import "time"

// TakeDeferred hands out the deferred messages with these sequence numbers, in
// that order. In a queue with sessions, they must be of the session with the id,
// which somebody must hold. The error is nil, ErrNotFound if one of them is not
// there or not deferred, ErrSessionLost, or ErrRoom if there are several and their
// payloads take more than room bytes; then none is handed out.
func (q *Queue) TakeDeferred(now time.Time, mode Mode, id string, room int, sequences ...int64) ([]Delivery, error) {
	q.enter(now)
	defer q.leave()
	var holder *Session
	if q.config.Sessions {
		if holder = q.sessions.holder(id); holder == nil {
			return nil, ErrSessionLost
		}
	}
	entries := make([]*entry, len(sequences))
	asked := make(map[int64]bool, len(sequences))
	for i, seq := range sequences {
		e, there := q.index.get(seq)
		if !there || e.state != stateDeferred || asked[seq] || holder != nil && e.session != holder.of {
			return nil, ErrNotFound
		}
		if room -= int(e.size); room < 0 && i > 0 {
			return nil, ErrRoom
		}
		entries[i], asked[seq] = e, true
	}
	taken := make([]Delivery, len(entries))
	for i, e := range entries {
		q.deferred--
		taken[i] = q.hand(e, mode, holder, now)
	}
	return taken, nil
}
