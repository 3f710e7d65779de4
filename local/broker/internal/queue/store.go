package queue

import (
	"fmt"
	"iter"
	"time"
)

// Store keeps what a queue would lose with the process. Its methods but Begin are
// called with the queue's mutex held: they must not wait for a disk that writes.
// Queues that pass messages on to each other have stores that are parts of one.
type Store interface {
	// Begin has everything that is appended from now on, to any part, until end is
	// called be kept together: all of it or, if the process ends, none.
	Begin() (end func())
	// Append notes changes in their order: all of them or, if the process ends,
	// none. The slice is the queue's again when it returns.
	Append(changes []Change)
	// Load returns the payload of a message that was put and not deleted, nil if
	// it can't.
	Load(dead bool, sequence int64) []byte
	// Safe tells whether a message that was put will be there whatever happens. If
	// not, ready is called once when it may be, with no lock of the store held.
	Safe(dead bool, sequence int64, ready func()) bool
}

// ChangeKind says what a Change does.
type ChangeKind uint8

// The kinds of change.
const (
	ChangePut     ChangeKind = iota // a message, with its Record
	ChangeState                     // Deliveries, Deferred and Overlay of a message
	ChangeDelete                    // a message
	ChangeSession                   // State of the session ID as of Time; nil for none
	ChangeHistory                   // the message id ID is remembered until Time; zero: not any more
	ChangeLast                      // Sequence is the last number that was given
)

// Change is one thing that a Store must keep.
type Change struct {
	Kind     ChangeKind
	Dead     bool // in the dead-letter queue
	Sequence int64
	Record   Record
	ID       string
	State    []byte
	Time     time.Time
}

// Record is what is kept of a message.
type Record struct {
	EnqueuedAt time.Time
	ExpiresAt  time.Time // zero: never
	Deliveries int
	Deferred   bool
	Hops       int
	Session    *string
	Overlay    map[string]any
	Payload    []byte
	// Scheduled is a message that joins the queue at EnqueuedAt.
	Scheduled bool
}

// note records a change for the store.
func (q *Queue) note(c Change) {
	if q.ended {
		return
	}
	c.Dead = c.Dead || q.dead == nil
	q.changes = append(q.changes, c)
}

// maxChanges is how many changes a queue has room for when it does nothing.
const maxChanges = 64

// save gives the store what was noted.
func (q *Queue) save() {
	if len(q.changes) > 0 {
		q.store.Append(q.changes)
		clear(q.changes)
		if q.changes = q.changes[:0]; cap(q.changes) > maxChanges {
			q.changes = nil
		}
	}
}

// safe tells whether an entry may be handed out: whoever saw one that is lost with
// the process would find its sequence number on another message later. Of one that
// is not safe yet the waiters hear when it is.
func (q *Queue) safe(e *entry) bool {
	return q.store.Safe(q.dead == nil, e.seq, q.settled)
}

// settled is called by the store when more of what it was given is safe.
func (q *Queue) settled() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sessions.called = append(q.sessions.called, q.sessions.early...)
	q.sessions.early = nil
	q.wake()
}

// record is what is kept of an entry, the payload left out.
func (e *entry) record() Record {
	r := Record{
		EnqueuedAt: e.enqueuedAt.time(), ExpiresAt: e.expiresAt.time(), Deliveries: int(e.deliveries), Deferred: e.deferred,
		Scheduled: e.state == stateScheduled, Hops: int(e.hops), Overlay: e.overlay,
	}
	if e.session != nil {
		r.Session = &e.session.id
	}
	return r
}

// put notes a new entry, whose payload the store has from then on.
func (q *Queue) put(e *entry, payload []byte) {
	r := e.record()
	r.Payload = payload
	q.note(Change{Kind: ChangePut, Sequence: e.seq, Record: r})
}

// payload returns the payload of an entry.
func (q *Queue) payload(e *entry) []byte { return q.store.Load(q.dead == nil, e.seq) }

// Saved is what a store has kept of a queue and its dead-letter queue.
type Saved struct {
	Last int64
	// Messages are read one by one: there may be millions. Those of the queue, and
	// those of the dead-letter queue, are in ascending order of their sequence
	// numbers.
	Messages iter.Seq2[SavedMessage, error]
	Sessions []SavedSession
	History  []SavedID // in ascending order of time
}

// SavedMessage is a message without its payload, whose size is known.
type SavedMessage struct {
	Dead     bool
	Sequence int64
	Size     int
	Record   Record
}

// SavedSession is the state of a session.
type SavedSession struct {
	ID      string
	State   []byte
	Changed time.Time
}

// SavedID is a message id that is remembered.
type SavedID struct {
	ID    string
	Until time.Time
}

// Restore fills an empty queue. Locks did not outlive the process: what was locked
// can be taken. The error is that of reading the messages.
func (q *Queue) Restore(now time.Time, saved Saved) error {
	q.mu.Lock()
	q.now = now
	defer q.leave()
	q.dead.mu.Lock()
	defer q.dead.leave()
	q.lastSeq = saved.Last
	for _, s := range saved.Sessions {
		q.sessions.setState(q.sessions.get(s.ID), s.State, s.Changed)
	}
	for _, id := range saved.History {
		q.history.remember(id.ID, id.Until)
	}
	defer func() { q.cursor = q.lastSeq + 1 }()
	for m, err := range saved.Messages {
		if err != nil {
			return fmt.Errorf("restore messages: %w", err)
		}
		q.lastSeq = max(q.lastSeq, m.Sequence)
		if m.Dead {
			q.dead.restore(m)
		} else {
			q.restore(m)
		}
	}
	return nil
}

func (q *Queue) restore(m SavedMessage) {
	r := m.Record
	e := q.newEntry(m.Sequence, Item{Overlay: r.Overlay, Hops: r.Hops}, r.EnqueuedAt)
	e.size, e.expiresAt, e.deliveries, e.deferred = int32(m.Size), instantOf(r.ExpiresAt), int32(r.Deliveries), r.Deferred
	if r.Scheduled {
		q.plan(e, r.Session)
		return
	}
	q.list(e)
	if q.config.Sessions && r.Session != nil {
		q.enlist(e, *r.Session)
	}
	switch {
	case e.deferred:
		e.state = stateDeferred
		q.deferred++
		return
	case e.session != nil:
		e.state = stateWaiting
		q.sessions.push(e)
	default:
		// Not fresh: among those, none may be deferred.
		e.state = stateWaiting
		q.returned.push(e)
	}
	if q.expires(e) {
		q.expiring.push(e)
	}
}
