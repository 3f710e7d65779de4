// Package store keeps the queues of a broker on disk, in one bbolt file.
//
//	queue ──Append──> pending ──commit──> bbolt ──fsync──> synced
//	  ^                  │                  │
//	  └────── Load ──────┴──────────────────┘
//
// Changes of all queues gather in memory while a transaction is written; the next
// one takes all that has come meanwhile. So the disk writes as often as it can, and
// the more there is to do, the more each write does. A ticket tells when what was
// appended is safe: nothing that rests on it may leave the process before.
//
// A change of a queue is there whole or not at all, also when the process is
// killed or the power goes: the transactions of bbolt see to that, as long as the
// disk keeps what it has confirmed by fsync.
//
// What the file holds is added up, and so is what was written: a bit that has flipped
// is told of, at the start or when a payload is read.
//
// When the disk does not take a transaction, because it is full, say, nothing is
// given up: it is tried again, tickets wait, and Err says why. Before it is full, Room
// says that new messages should be refused, since to delete takes room too.
package store
