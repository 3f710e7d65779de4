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
	item    Item // without the payload where the store has it
	size    int
	inLater int32
}

func (s *scheduled) before(o *scheduled) bool {
	if !s.item.EnqueueAt.Equal(o.item.EnqueueAt) {
		return s.item.EnqueueAt.Before(o.item.EnqueueAt)
	}
	return s.seq < o.seq
}

func (q *Queue) schedule(seq int64, item Item) {
	s := &scheduled{seq: seq, item: item, size: len(item.Payload), inLater: -1}
	q.plan(s)
	if q.store == nil {
		return
	}
	q.note(Change{Kind: ChangePut, Sequence: seq, Record: Record{
		EnqueueAt: item.EnqueueAt, TimeToLive: item.TimeToLive, MessageID: item.MessageID, Session: item.Session, Overlay: item.Overlay,
		Hops: item.Hops, Payload: item.Payload,
	}})
	s.item.Payload = nil
}

func (q *Queue) plan(s *scheduled) {
	q.later.push(s)
	q.planned[s.seq] = s
	q.volume += int64(s.size)
}

// itemOf returns a scheduled message with its payload.
func (q *Queue) itemOf(s *scheduled) Item {
	item := s.item
	if item.Payload == nil && q.store != nil {
		item.Payload = q.store.Load(false, s.seq)
	}
	return item
}

// Cancel drops scheduled messages. The error is nil, or ErrNotFound if one of
// them has joined the queue or never was, and then none is dropped.
func (q *Queue) Cancel(now time.Time, sequences ...int64) error {
	q.enter(now)
	defer q.leave()
	for _, seq := range sequences {
		if q.planned[seq] == nil {
			return ErrNotFound
		}
	}
	for _, seq := range sequences {
		if s := q.planned[seq]; s != nil { // a number may be named twice
			q.unschedule(s)
			q.note(Change{Kind: ChangeDelete, Sequence: seq})
		}
	}
	return nil
}

func (q *Queue) unschedule(s *scheduled) {
	q.later.remove(s)
	delete(q.planned, s.seq)
	q.volume -= int64(s.size)
}

// activate appends the messages whose time has come. Each counts from its own
// time, however late it is noticed.
func (q *Queue) activate(now time.Time) {
	for q.later.len() > 0 && !q.later.min().item.EnqueueAt.After(now) {
		s := q.later.min()
		item := q.itemOf(s)
		q.unschedule(s)
		q.note(Change{Kind: ChangeDelete, Sequence: s.seq})
		if q.config.Forward != nil {
			q.pass(s.seq, item, false)
			continue
		}
		q.lastSeq++
		q.note(Change{Kind: ChangeLast, Sequence: q.lastSeq})
		q.admit(q.lastSeq, item, item.EnqueueAt)
	}
	q.save() // what has just joined may be taken or expire at once, and the store has it then
}

// withScheduled joins the scheduled messages from the sequence number on to a
// page of the others.
func (q *Queue) withScheduled(page []Message, id *string, from int64, limit int) []Message {
	if q.later.len() == 0 {
		return page
	}
	for _, s := range q.later.elems {
		if s.seq >= from && (id == nil || q.config.Sessions && *s.item.Session == *id) {
			page = append(page, Message{Sequence: s.seq, EnqueuedAt: s.item.EnqueueAt, Scheduled: true, Payload: q.itemOf(s).Payload, Overlay: s.item.Overlay})
		}
	}
	slices.SortFunc(page, func(a, b Message) int { return int(a.Sequence - b.Sequence) })
	return page[:min(limit, len(page))]
}
