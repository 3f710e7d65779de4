package queue

import (
	"slices"
	"time"
)

// scheduled is a message that is yet to join the queue. It is in no index: when
// its time has come it is appended as though it were sent at that instant, with
// a sequence number of that instant (service-bus message-sequencing, "Scheduled
// messages").
type scheduled struct {
	seq     int64
	item    Item
	inLater int32
}

func (s *scheduled) before(o *scheduled) bool {
	if !s.item.EnqueueAt.Equal(o.item.EnqueueAt) {
		return s.item.EnqueueAt.Before(o.item.EnqueueAt)
	}
	return s.seq < o.seq
}

// activate appends the messages whose time has come. Each counts from its own
// time, however late it is noticed.
func (q *Queue) activate(now time.Time) {
	for q.later.len() > 0 && !q.later.min().item.EnqueueAt.After(now) {
		s := q.later.min()
		q.later.remove(s)
		q.lastSeq++
		q.admit(q.lastSeq, s.item, s.item.EnqueueAt)
	}
}

// withScheduled joins the scheduled messages from the sequence number on to a
// page of the others.
func (q *Queue) withScheduled(page []Message, from int64, limit int) []Message {
	if q.later.len() == 0 {
		return page
	}
	for _, s := range q.later.elems {
		if s.seq >= from {
			page = append(page, Message{Sequence: s.seq, EnqueuedAt: s.item.EnqueueAt, Scheduled: true, Payload: s.item.Payload})
		}
	}
	slices.SortFunc(page, func(a, b Message) int { return int(a.Sequence - b.Sequence) })
	return page[:min(limit, len(page))]
}
