package queue

import (
	"container/list"
	"time"
)

// Waiter is a receiver that found the queue empty. It is woken at most once
// for every Take that left it waiting, and as many waiters are woken as there
// are messages, first come first served. A woken waiter must Take again, or
// say by Leave that it no longer wants to, so that its turn passes to another.
type Waiter struct {
	wake  func()
	place *list.Element // in Queue.waiters; nil when not waiting
}

// NewWaiter makes a waiter for one queue. Its wake function is called with the
// queue's mutex held: it must neither block nor call the queue.
func NewWaiter(wake func()) *Waiter { return &Waiter{wake: wake} }

// Leave ends w's wait, if it waits.
func (q *Queue) Leave(now time.Time, w *Waiter) {
	q.enter(now)
	defer q.leave()
	q.forget(w)
}

func (q *Queue) await(w *Waiter) {
	if w != nil {
		w.place = q.waiters.PushBack(w)
	}
}

func (q *Queue) forget(w *Waiter) {
	if w == nil {
		return
	}
	if w.place != nil {
		q.waiters.Remove(w.place)
		w.place = nil
	}
}

// wake tells as many waiters as there are active messages. It may tell too
// many, when woken ones have not come yet; those find nothing and wait again.
func (q *Queue) wake() {
	for n := min(q.available(), q.waiters.Len()); n > 0; n-- {
		w := q.waiters.Remove(q.waiters.Front()).(*Waiter)
		w.place = nil
		w.wake()
	}
}
