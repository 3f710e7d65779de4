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
	line  *list.List    // where it stands; nil when not waiting
	place *list.Element // in line
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

// stand puts w, unless it is nil, at the end of a line.
func (w *Waiter) stand(line *list.List) {
	if w != nil {
		w.line, w.place = line, line.PushBack(w)
	}
}

func (q *Queue) forget(w *Waiter) {
	if w != nil && w.line != nil {
		w.line.Remove(w.place)
		w.line, w.place = nil, nil
	}
}

// wake tells as many waiters as there are active messages, or sessions. It may
// tell too many, when woken ones have not come yet, or when only the first message
// is safe; those find nothing and wait again.
func (q *Queue) wake() {
	if e := q.first(); e != nil && q.waiters.Len() > 0 && q.safe(e) {
		wakeFirst(q.waiters, q.fresh+q.returned.len())
	}
	x := &q.sessions
	if x.idle.len() > 0 && x.accepting.Len() > 0 && q.safe(x.first()) {
		wakeFirst(x.accepting, x.idle.len())
	}
	if len(x.called) > 0 {
		q.wakeHolders()
	}
}

func wakeFirst(line *list.List, n int) {
	for n = min(n, line.Len()); n > 0; n-- {
		w := line.Remove(line.Front()).(*Waiter)
		w.line, w.place = nil, nil
		w.wake()
	}
}
