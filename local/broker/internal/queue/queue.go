package queue

import (
	"container/list"
	"errors"
	"sync"
	"time"
)

// Reasons that the queue itself gives when it dead-letters a message, as
// Service Bus spells them (service-bus-dead-letter-queues).
const (
	ReasonMaxDeliveryCount = "MaxDeliveryCountExceeded"
	ReasonExpired          = "TTLExpiredException"
)

// Names of the properties that a dead-lettered message carries.
const (
	PropertyReason      = "DeadLetterReason"
	PropertyDescription = "DeadLetterErrorDescription"
)

var (
	// ErrLockLost is returned for a token that holds no message: it expired,
	// was settled before, or never was.
	ErrLockLost = errors.New("the lock is lost")
	// ErrDeadLetterQueue is returned for an attempt to dead-letter a message
	// that is in a dead-letter queue.
	ErrDeadLetterQueue = errors.New("a message of a dead-letter queue can't be dead-lettered")
)

// Config is how a queue behaves. All fields but Alarm are required.
type Config struct {
	// LockDuration is how long a taken message is held for its receiver.
	LockDuration time.Duration
	// MaxDeliveryCount is how many deliveries a message gets: when that many
	// have failed it is dead-lettered.
	MaxDeliveryCount int
	// DeadLetterExpired sends messages that outlived their time to live to the
	// dead-letter queue instead of dropping them.
	DeadLetterExpired bool
	// Alarm, when set, is called as soon as Expire is due earlier than was
	// known so far. It is called with the queue's mutex held: it must neither
	// block nor call the queue.
	Alarm func()
}

// Counts is how many messages a queue holds.
type Counts struct {
	Active       int // ready to be taken
	Scheduled    int // yet to join the queue
	Locked       int // held by a receiver
	DeadLettered int // in the dead-letter queue, locked ones included
}

// Queue is one queue. Its methods may be called from any goroutine.
type Queue struct {
	config Config
	dead   *Queue // nil in a dead-letter queue

	mu       sync.Mutex
	lastSeq  int64
	index    index
	cursor   int64 // every fresh entry has a sequence number >= cursor
	fresh    int
	returned heap[*entry] // by sequence number
	expiring heap[*entry] // untaken entries with a time to live
	locks    map[Token]*lock
	ending   heap[*lock]      // all locks, by their end
	later    heap[*scheduled] // by the time at which they join the queue
	waiters  *list.List       // of *Waiter
	alarm    time.Time        // deadline that the owner knows of; zero: none
}

// New makes an empty queue and its dead-letter queue.
func New(config Config) *Queue {
	q := newQueue(config)
	q.dead = newQueue(Config{LockDuration: config.LockDuration, Alarm: config.Alarm})
	return q
}

func newQueue(config Config) *Queue {
	return &Queue{
		config: config,
		cursor: 1,
		returned: heap[*entry]{
			less:  func(a, b *entry) bool { return a.seq < b.seq },
			place: func(e *entry) *int32 { return &e.inReturned },
		},
		expiring: heap[*entry]{
			less:  func(a, b *entry) bool { return a.expiresAt.Before(b.expiresAt) },
			place: func(e *entry) *int32 { return &e.inExpiring },
		},
		ending: heap[*lock]{
			less:  func(a, b *lock) bool { return a.until.Before(b.until) },
			place: func(l *lock) *int32 { return &l.inLocks },
		},
		later: heap[*scheduled]{
			less:  (*scheduled).before,
			place: func(s *scheduled) *int32 { return &s.inLater },
		},
		locks:   make(map[Token]*lock),
		waiters: list.New(),
	}
}

// DeadLetters returns the dead-letter queue; nil for a dead-letter queue.
func (q *Queue) DeadLetters() *Queue { return q.dead }

// Enqueue appends the items in order and returns the sequence number of the
// first; the others follow without a gap.
func (q *Queue) Enqueue(now time.Time, items ...Item) int64 {
	q.enter(now)
	defer q.leave()
	first := q.lastSeq + 1
	for _, item := range items {
		q.lastSeq++
		if item.EnqueueAt.After(now) {
			q.later.push(&scheduled{seq: q.lastSeq, item: item, inLater: -1})
			continue
		}
		q.admit(q.lastSeq, item, now)
	}
	return first
}

// admit puts an item with a sequence number above all that the index holds into
// its place.
func (q *Queue) admit(seq int64, item Item, now time.Time) {
	e := &entry{
		seq:        seq,
		inReturned: -1,
		inExpiring: -1,
		enqueuedAt: now,
		payload:    item.Payload,
	}
	if item.TimeToLive > 0 {
		e.expiresAt = now.Add(item.TimeToLive)
		q.expiring.push(e)
	}
	q.index.insert(e)
	q.fresh++
}

// Peek returns up to limit messages in order, locked and scheduled ones
// included, from the sequence number on.
func (q *Queue) Peek(now time.Time, from int64, limit int) []Message {
	q.enter(now)
	defer q.leave()
	var found []Message
	if limit <= 0 {
		return nil
	}
	q.index.from(max(from, 0), func(e *entry) bool {
		found = append(found, e.message())
		return len(found) < limit
	})
	return q.withScheduled(found, from, limit)
}

// Counts returns how many messages the queue holds.
func (q *Queue) Counts(now time.Time) Counts {
	q.enter(now)
	defer q.leave()
	c := Counts{Active: q.available(), Scheduled: q.later.len(), Locked: len(q.locks)}
	if q.dead != nil {
		dead := q.dead.Counts(now)
		c.DeadLettered = dead.Active + dead.Locked
	}
	return c
}

// available is the number of messages that can be taken.
func (q *Queue) available() int { return q.fresh + q.returned.len() }

// enter starts an operation: it takes the mutex and does what is due.
func (q *Queue) enter(now time.Time) {
	q.mu.Lock()
	q.expire(now)
}

// leave ends an operation: waiters are woken, the alarm is set, the mutex is
// given back.
func (q *Queue) leave() {
	q.wake()
	q.ring()
	q.mu.Unlock()
}
