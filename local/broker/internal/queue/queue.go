package queue

import (
	"container/list"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Reasons that the queue itself gives when it dead-letters a message, as
// Service Bus spells them (service-bus-dead-letter-queues).
const (
	ReasonMaxDeliveryCount = "MaxDeliveryCountExceeded"
	ReasonExpired          = "TTLExpiredException"
	ReasonHops             = "MaxTransferHopCountExceeded"
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
	// ErrNotFound is returned for the sequence number of a message that is not
	// there, or not in the state that was asked for.
	ErrNotFound = errors.New("there is no such message")
	// ErrSessionLost is returned for a session whose lock the receiver does not
	// hold, or not any more.
	ErrSessionLost = errors.New("the lock on the session is lost")
	// ErrSessionLocked is returned for a session that another receiver holds.
	ErrSessionLocked = errors.New("the session is held by another receiver")
	// ErrSessionNeeded is returned for a message without a session in a queue
	// that needs one.
	ErrSessionNeeded = errors.New("the message has no session")
	// ErrRoom is returned for messages that are too large together.
	ErrRoom = errors.New("the messages are too large together")
	// ErrProperties is returned for a settlement with more properties than a
	// message may have. The lock stays.
	ErrProperties = errors.New("the properties of the message would be too large")
	// ErrDeadLetterQueue is returned for an attempt to dead-letter a message
	// that is in a dead-letter queue.
	ErrDeadLetterQueue = errors.New("a message of a dead-letter queue can't be dead-lettered")
	// ErrEnded is returned for a message to a queue that has ended.
	ErrEnded = errors.New("the queue has ended")
)

// Config is how a queue behaves. LockDuration and MaxDeliveryCount are required.
type Config struct {
	// LockDuration is how long a taken message is held for its receiver.
	LockDuration time.Duration
	// MaxDeliveryCount is how many deliveries a message gets: when that many
	// have failed it is dead-lettered.
	MaxDeliveryCount int
	// DeadLetterExpired sends messages that outlived their time to live to the
	// dead-letter queue instead of dropping them.
	DeadLetterExpired bool
	// TimeToLive bounds that of every message; 0 means no bound.
	TimeToLive time.Duration
	// Sessions makes the messages of a session, which every message must name,
	// go to one receiver at a time.
	Sessions bool
	// DuplicateWindow is how long message ids are remembered: a message with one
	// of them is taken for a duplicate and dropped. 0 means not at all.
	DuplicateWindow time.Duration
	// Partitioned takes for a duplicate only what has the same partition key too.
	Partitioned bool
	// Forward, when set, takes every message as it joins the queue, which then
	// keeps none; ForwardDead takes every message that is dead-lettered. A message
	// that is not taken is dead-lettered here, for what a Refusal says, or else with
	// the error as reason and description.
	// They are called in the order of the messages as far as one caller's go,
	// without the queue's mutex, and may call Arrive and Bury of other queues.
	Forward, ForwardDead func(time.Time, Passed) error
	// AnyHop has Forward take messages however many queues have passed them on: it is
	// for a queue whose dead letters nobody can receive.
	AnyHop bool
	// Store keeps the messages: the queue itself holds no payloads, and loses nothing
	// that the store has on disk. Nil is a Memory.
	Store Store
	// Weigh tells how many bytes properties take that settlements set on a message;
	// nil counts none. MaxProperties is the most of them, 0 for no bound.
	Weigh         func(map[string]any) int
	MaxProperties int
	// Alarm, when set, is called as soon as Expire is due earlier than was
	// known so far. It is called with the queue's mutex held: it must neither
	// block nor call the queue.
	Alarm func()
}

// Counts is how many messages a queue holds.
type Counts struct {
	Active       int // ready to be taken
	Deferred     int // to be taken by their sequence numbers
	Scheduled    int // yet to join the queue
	Locked       int // held by a receiver
	DeadLettered int // in the dead-letter queue, locked ones included
}

// Queue is one queue. Its methods may be called from any goroutine.
type Queue struct {
	config Config
	dead   *Queue // nil in a dead-letter queue
	store  Store

	mu       sync.Mutex
	changes  []Change // noted, and not saved yet
	lastSeq  int64
	index    tree[int64, *entry] // what has joined, by sequence number
	cursor   int64               // every fresh entry has a sequence number >= cursor
	fresh    int
	returned heap[*entry] // by sequence number
	expiring heap[*entry] // untaken entries with a time to live
	locks    map[Token]*lock
	ending   heap[*lock] // locks outside of sessions, by their end
	deferred int
	planned  tree[int64, *entry] // what is scheduled, by sequence number
	later    heap[*entry]        // the same, by the time at which it joins the queue
	volume   int64               // bytes of all of them
	history  history
	waiters  *list.List // of *Waiter
	sessions sessions
	passing  []passing
	passes   atomic.Bool // messages may be passed on
	unit     func()      // ends the unit of the operation; nil where it needs none
	ended    bool        // nothing goes in any more
	now      time.Time   // of the operation
	alarm    time.Time   // deadline that the owner knows of; zero: none
}

// New makes an empty queue and its dead-letter queue.
func New(config Config) *Queue {
	if config.Store == nil {
		config.Store = &Memory{}
	}
	q := newQueue(config)
	q.dead = newQueue(Config{
		LockDuration: config.LockDuration, Store: config.Store, Alarm: config.Alarm, Weigh: config.Weigh, MaxProperties: config.MaxProperties,
	})
	return q
}

func newQueue(config Config) *Queue {
	q := &Queue{
		config: config,
		store:  config.Store,
		cursor: 1,
		returned: heap[*entry]{
			less:  func(a, b *entry) bool { return a.seq < b.seq },
			place: func(e *entry) *int32 { return &e.inWaiting },
		},
		expiring: heap[*entry]{
			less:  func(a, b *entry) bool { return a.expiresAt < b.expiresAt },
			place: func(e *entry) *int32 { return &e.inExpiring },
		},
		ending: heap[*lock]{
			less:  func(a, b *lock) bool { return a.until.Before(b.until) },
			place: func(l *lock) *int32 { return &l.inLocks },
		},
		later: heap[*entry]{
			less: func(a, b *entry) bool {
				return a.enqueuedAt < b.enqueuedAt || a.enqueuedAt == b.enqueuedAt && a.seq < b.seq
			},
			place: func(e *entry) *int32 { return &e.inWaiting },
		},
		locks:    make(map[Token]*lock),
		history:  history{window: config.DuplicateWindow},
		waiters:  list.New(),
		sessions: newSessions(),
	}
	q.passes.Store(config.passes())
	return q
}

// passes tells whether messages may be passed on to other queues.
func (c Config) passes() bool { return c.Forward != nil || c.ForwardDead != nil }

// DeadLetters returns the dead-letter queue; nil for a dead-letter queue.
func (q *Queue) DeadLetters() *Queue { return q.dead }

// Enqueue appends the items in order and returns the sequence number of the
// first; the others follow without a gap. A duplicate has its number and is
// dropped. The error is nil, ErrSessionNeeded or ErrEnded, and then nothing is
// appended.
func (q *Queue) Enqueue(now time.Time, items ...Item) (int64, error) {
	q.enter(now)
	defer q.leave()
	return q.append(now, items)
}

// Arrive is Enqueue for a message that another queue passes on, to be called by its
// Forward or ForwardDead only: it is within that queue's unit.
func (q *Queue) Arrive(now time.Time, item Item) error {
	q.enterWithin(now)
	defer q.leave()
	_, err := q.append(now, []Item{item})
	return err
}

func (q *Queue) append(now time.Time, items []Item) (int64, error) {
	if q.ended {
		return 0, ErrEnded
	}
	if q.config.Sessions && slices.ContainsFunc(items, func(i Item) bool { return i.Session == nil }) {
		return 0, ErrSessionNeeded
	}
	first := q.lastSeq + 1
	for _, item := range items {
		q.lastSeq++
		switch {
		case q.repeats(q.identity(item), now):
		case item.EnqueueAt.After(now):
			q.schedule(q.lastSeq, item)
		default:
			q.admit(q.lastSeq, item, now)
		}
	}
	q.note(Change{Kind: ChangeLast, Sequence: q.lastSeq})
	return first, nil
}

// identity is what duplicates of an item are told by; empty where it has no id.
func (q *Queue) identity(i Item) string {
	if !q.config.Partitioned || i.MessageID == "" {
		return i.MessageID
	}
	return i.MessageID + "\x00" + i.PartitionKey
}

// forgotten is how many ids are forgotten at most for each that may be remembered:
// more than one, so that a burst that is over goes by and by.
const forgotten = 4

// repeats tells whether a message id is a duplicate, and remembers it.
func (q *Queue) repeats(id string, now time.Time) bool {
	q.forgetIDs(now, forgotten)
	repeated := q.history.repeats(id, now)
	if !repeated && id != "" && q.history.window > 0 {
		q.note(Change{Kind: ChangeHistory, ID: id, Time: now.Add(q.history.window)})
	}
	return repeated
}

// forgetIDs forgets at most limit message ids that are over.
func (q *Queue) forgetIDs(now time.Time, limit int) {
	for range limit {
		old, ok := q.history.forget(now)
		if !ok {
			return
		}
		q.note(Change{Kind: ChangeHistory, ID: old})
	}
}

// admit takes an item in.
func (q *Queue) admit(seq int64, item Item, now time.Time) {
	e := q.newEntry(seq, item, now)
	if q.config.Forward != nil {
		q.pass(e, item.Payload, false)
		return
	}
	q.join(e, item.Payload, item.TimeToLive, item.Session)
}

// join puts an entry with a sequence number above all that the index holds into
// its place.
func (q *Queue) join(e *entry, payload []byte, lives time.Duration, id *string) {
	if bound := q.config.TimeToLive; bound > 0 && (lives == 0 || lives > bound) {
		lives = bound
	}
	e.expiresAt = 0
	if lives > 0 {
		e.expiresAt = e.enqueuedAt.plus(lives)
		q.expiring.push(e)
	}
	q.list(e)
	if q.config.Sessions {
		q.joinSession(e, *id)
	} else {
		q.fresh++
	}
	q.put(e, payload)
}

// list puts an entry into the index.
func (q *Queue) list(e *entry) {
	q.index.insert(e.seq, e)
	q.volume += e.bytes()
}

// Peek returns up to limit messages in order, locked, deferred and scheduled ones
// included, from the sequence number on; with a session, of that one only. Beyond the
// first, their payloads take no more than room bytes.
func (q *Queue) Peek(now time.Time, id *string, from int64, limit, room int) []Message {
	q.enter(now)
	defer q.leave()
	trees := []*tree[int64, *entry]{&q.index, &q.planned}
	if id != nil {
		s := q.sessions.byID[*id]
		if s == nil {
			return nil
		}
		trees = []*tree[int64, *entry]{&s.all}
	}
	var found []Message
	for len(found) < limit {
		var next *entry
		for _, t := range trees {
			if _, e, ok := t.at(from); ok && (next == nil || e.seq < next.seq) {
				next = e
			}
		}
		if next == nil {
			break
		}
		if room -= int(next.size); room < 0 && len(found) > 0 {
			break
		}
		found = append(found, q.message(next))
		from = next.seq + 1
	}
	return found
}

// Counts returns how many messages the queue holds.
func (q *Queue) Counts(now time.Time) Counts {
	q.enter(now)
	defer q.leave()
	c := Counts{Active: q.available(), Deferred: q.deferred, Scheduled: q.later.len(), Locked: len(q.locks)}
	if q.dead != nil {
		dead := q.dead.Counts(now)
		c.DeadLettered = dead.Active + dead.Deferred + dead.Locked
	}
	return c
}

// available is the number of messages that can be taken.
func (q *Queue) available() int { return q.fresh + q.returned.len() + q.sessions.ready }

// Configure changes how the queue behaves from now on. Sessions and Alarm stay as they
// are, and so does the time for which an id is remembered that is already.
func (q *Queue) Configure(now time.Time, config Config) {
	q.enter(now)
	defer q.leave()
	config.Sessions, config.Alarm, config.Store = q.config.Sessions, q.config.Alarm, q.store
	q.config, q.history.window = config, config.DuplicateWindow
	q.passes.Store(config.passes())
	q.dead.mu.Lock()
	defer q.dead.mu.Unlock()
	q.dead.config.LockDuration = config.LockDuration
}

// End ends the queue and its dead-letter queue: they are empty, nothing goes in any
// more, locks are lost, and the store is told nothing. It is for a queue whose
// messages end with it.
func (q *Queue) End() {
	q.mu.Lock()
	q.empty()
	q.mu.Unlock()
	if q.dead != nil {
		q.dead.End()
	}
}

// empty lets go of everything. Whoever holds a lock, waits, or has a session finds
// that it is lost.
func (q *Queue) empty() {
	for _, h := range q.sessions.held.elems {
		h.of.holder = nil
	}
	blank := newQueue(q.config)
	q.ended = true
	q.index, q.fresh, q.deferred, q.volume = blank.index, 0, 0, 0
	q.returned, q.expiring, q.ending, q.later = blank.returned, blank.expiring, blank.ending, blank.later
	q.locks, q.planned, q.history = blank.locks, blank.planned, blank.history
	q.waiters, q.sessions = blank.waiters, blank.sessions
}

// enter starts an operation: it takes the mutex and does what is due, up to a bound.
// Where messages may be passed on, all of it is one unit.
func (q *Queue) enter(now time.Time) {
	unit := q.lock()
	q.unit, q.now = unit, now
	q.expire(now)
}

// enterWithin is enter for an operation within the unit of another.
func (q *Queue) enterWithin(now time.Time) {
	q.mu.Lock()
	q.now = now
	q.expire(now)
}

// lock takes the mutex, after it has begun a unit where one is needed. Nobody waits
// for the beginning of a unit with a mutex in hand: units that have begun may need
// it.
func (q *Queue) lock() (end func()) {
	for {
		passes := q.passes.Load()
		if passes {
			end = q.store.Begin()
		}
		q.mu.Lock()
		if passes == q.passes.Load() {
			return end
		}
		q.mu.Unlock() // it was configured anew in between
		if end != nil {
			end()
			end = nil
		}
	}
}

// leave ends an operation: what has changed is given to the store, waiters are
// woken, the alarm is set, the mutex is given back, and what is to be passed on is.
func (q *Queue) leave() {
	q.save()
	q.wake()
	q.ring()
	gone, end, now := q.passing, q.unit, q.now
	q.passing, q.unit = nil, nil
	q.mu.Unlock()
	for _, p := range gone {
		q.handOn(now, p)
	}
	if end != nil {
		end()
	}
}
