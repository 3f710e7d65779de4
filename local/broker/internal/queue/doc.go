// Package queue is the broker's engine: one queue with its locks, its order
// and its dead letters. It knows no AMQP, starts no goroutine and reads no
// clock: every operation takes the time as an argument.
//
// A message is an opaque payload plus metadata. It is in one of these places:
//
//	Enqueue ──> scheduled until its time, then
//	Enqueue ──> fresh ──Take──> locked ──Complete──> gone
//	              ^               │ Abandon, Release, lock expiry
//	              │               v
//	              └─ in order ─ returned ──Take──> locked
//	                              │ too many failed deliveries, DeadLetter
//	                              v
//	                         dead-letter queue (a Queue of its own)
//
// Messages are handed out by sequence number. One that comes back takes its
// old place, before everything that arrived later. Fresh messages need no
// structure of their own: they are what the index holds from the cursor on,
// since sequence numbers only grow. Returned ones wait in a heap that is no
// larger than the number of messages that came back. A session has an index and a
// heap of its own, and sessions are listed by trees that find the n-th.
//
// So no operation searches what it is not about: each costs the logarithm of how
// many messages, or sessions, there are, and what it returns. Where many are due at
// the same instant, every operation does a part of that and Expire the rest. What is
// kept of a message without its payload is some 105 bytes (BenchmarkOnDisk).
//
// Payloads, and all that is to outlive the process, are in a Store: Memory, which has
// nothing but the payloads, or internal/store, which has everything on disk.
//
// # Concurrency
//
// A Queue is shared by all connections and guards itself with one mutex. The
// alternative, one goroutine per queue, would put two channel hops into every
// receive and every settlement; the critical sections here are map, heap and tree
// operations of some hundred nanoseconds with no I/O inside, so a mutex is
// both faster and simpler. Locks are always taken queue first, dead-letter
// queue second.
//
// Receivers never poll. A receiver that finds nothing leaves a Waiter behind
// and is woken once there is something to take; see Waiter. Time is driven by
// its owner: Config.Alarm tells when the next deadline has moved forward, and
// Expire does what is due.
package queue
