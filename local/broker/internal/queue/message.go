package queue

import (
	"math/rand/v2"
	"time"
)

// state tells where a message of a queue stands.
type state int8

// A fresh message was never taken, a waiting one has its place in a heap of those
// that can be: it was taken and came back, or it belongs to a session. A locked
// one is held by a receiver, a deferred one waits to be asked for by its sequence
// number, and a scheduled one is yet to join the queue. To the outside, the first two
// are both active.
const (
	stateFresh state = iota
	stateWaiting
	stateLocked
	stateDeferred
	stateScheduled
)

// Token names one lock on one message: the 16 bytes of an RFC 9562 version 4
// UUID in network order. Every lock gets a new one.
type Token [16]byte

// newToken draws a token. Tokens are names, not secrets: whoever may settle is
// decided before a token is looked at, so the runtime's generator is enough.
func newToken() Token {
	var t Token
	hi, lo := rand.Uint64(), rand.Uint64()
	for i := range 8 {
		t[i] = byte(hi >> (8 * i))
		t[8+i] = byte(lo >> (8 * i))
	}
	t[6] = t[6]&0x0f | 0x40
	t[8] = t[8]&0x3f | 0x80
	return t
}

// Item is a message on its way in.
type Item struct {
	// Payload is kept as it is. The queue never looks inside and never writes
	// to it; the caller must not either.
	Payload []byte
	// TimeToLive is how long the message may wait to be taken; 0 means for ever.
	TimeToLive time.Duration
	// EnqueueAt is when the message joins the queue; at once where it is not in
	// the future.
	EnqueueAt time.Time
	// MessageID is what duplicates are told by; empty for a message that is none.
	MessageID string
	// PartitionKey is looked at by a partitioned queue.
	PartitionKey string
	// Overlay holds properties to be laid over those of the payload.
	Overlay map[string]any
	// Hops is how many queues have passed the message on.
	Hops int
	// Session is the session that the message belongs to; nil for none. A queue
	// without sessions doesn't look at it.
	Session *string
}

// Message is what a queue knows of one message.
type Message struct {
	// Sequence is unique in the queue and its dead-letter queue, starts at 1,
	// and stays with the message when it comes back or is dead-lettered.
	Sequence int64
	// EnqueuedAt is when the queue accepted the message.
	EnqueuedAt time.Time
	// ExpiresAt is when an untaken message is dropped; zero means never. A dead
	// letter outlives it.
	ExpiresAt time.Time
	// DeliveryCount is the number of deliveries that failed so far.
	DeliveryCount int
	// Locked tells whether a receiver holds the message at the moment.
	Locked bool
	// Deferred tells that the message waits to be asked for by its Sequence, or was
	// and will again unless the receiver that holds it settles it otherwise.
	Deferred bool
	// Scheduled tells that the message is yet to join the queue, at EnqueuedAt.
	// It then gets another Sequence.
	Scheduled bool
	// Payload is the Item's payload. It must not be changed.
	Payload []byte
	// Overlay holds the properties that settlements set on the message since
	// it was sent; nil when none did. It must not be changed.
	Overlay map[string]any
}

// Delivery is a message that was taken.
type Delivery struct {
	Message
	// Token settles the delivery; zero where the message was removed at once.
	Token Token
	// LockedUntil is when the lock ends, which in a session is the end of the lock
	// on the session; zero where there is none.
	LockedUntil time.Time
}

// entry is a message of a queue. There may be millions, so it is kept small: the
// order of its fields leaves no gaps.
type entry struct {
	seq        int64
	enqueuedAt instant // or when it joins, while it is scheduled
	expiresAt  instant
	overlay    map[string]any
	lock       *lock
	session    *session // nil where there is none
	size       int32    // of the payload
	weight     int32    // of the overlay
	deliveries int32
	// Positions are -1 while the entry is not in the heap in question.
	inWaiting  int32 // in the heap of its session, or in Queue.returned, or in Queue.later
	inExpiring int32
	state      state
	hops       int8
	deferred   bool // comes back as deferred
	changed    bool // in a way that the store does not know yet
}

// newEntry makes an entry of an item that joins at a time. It is in no place.
func (q *Queue) newEntry(seq int64, item Item, at time.Time) *entry {
	return &entry{
		seq:        seq,
		enqueuedAt: instantOf(at),
		size:       int32(len(item.Payload)),
		overlay:    item.Overlay,
		weight:     int32(q.weigh(item.Overlay)),
		hops:       int8(item.Hops),
		inWaiting:  -1,
		inExpiring: -1,
	}
}

// active tells whether the message can be received, or is being received.
func (e *entry) active() bool { return !e.deferred && e.state != stateScheduled }

// lock is what a receiver holds of an entry. In a session it ends with the lock
// on the session.
type lock struct {
	entry   *entry
	token   Token
	until   time.Time // zero in a session
	session *Session  // nil outside of one
	inLocks int32
}

func (q *Queue) message(e *entry) Message {
	return Message{
		Sequence:      e.seq,
		EnqueuedAt:    e.enqueuedAt.time(),
		ExpiresAt:     e.expiresAt.time(),
		DeliveryCount: int(e.deliveries),
		Locked:        e.state == stateLocked,
		Deferred:      e.deferred,
		Scheduled:     e.state == stateScheduled,
		Payload:       q.payload(e),
		Overlay:       e.overlay,
	}
}

// overlaid returns base with the entries of top on it, leaving both untouched:
// an earlier Message may still point at base.
func overlaid(base, top map[string]any) map[string]any {
	if len(top) == 0 {
		return base
	}
	merged := make(map[string]any, len(base)+len(top))
	for k, v := range base {
		merged[k] = v
	}
	for k, v := range top {
		merged[k] = v
	}
	return merged
}
