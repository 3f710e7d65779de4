package queue_test

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// The benchmarks show that the cost of an operation does not depend on how many
// other messages or sessions there are. Each operation leaves the queue as it was.

// bench is a queue that is so deep.
type bench struct {
	*queue.Queue
	depth int
	now   time.Time
	next  uint64
}

// somewhere is a number that jumps about below n.
func (q *bench) somewhere(n int) int64 {
	q.next = q.next*6364136223846793005 + 1442695040888963407
	return int64(q.next>>33) % int64(n)
}

func (q *bench) enqueue(b *testing.B, item queue.Item) int64 {
	seq, err := q.Enqueue(q.now, item)
	if err != nil {
		b.Fatal(err)
	}
	return seq
}

func (q *bench) take(b *testing.B) queue.Delivery {
	d, ok := q.Take(q.now, queue.PeekLock, nil)
	if !ok {
		b.Fatal("nothing to take")
	}
	return d
}

// setState accepts a session, gives it a state and gives it back.
func (q *bench) setState(b *testing.B, id string) {
	s, _, err := q.Accept(q.now, id, func() {})
	if err != nil {
		b.Fatal(err)
	}
	q.now = q.now.Add(1)
	if err := q.SetSessionState(q.now, id, []byte("state")); err != nil {
		b.Fatal(err)
	}
	q.CloseSession(q.now, s)
}

func (q *bench) complete(b *testing.B, d queue.Delivery) {
	if err := q.Complete(q.now, d.Token); err != nil {
		b.Fatal(err)
	}
}

var benchItem = queue.Item{Payload: []byte("payload"), TimeToLive: 10_000 * time.Hour}

// operations on a queue without sessions. What is taken is what has just gone in:
// everything else is locked in part, deferred in part, and scheduled in part.
var operations = map[string]func(*testing.B, *bench){
	"TakeComplete": func(b *testing.B, q *bench) {
		q.enqueue(b, benchItem)
		q.complete(b, q.take(b))
	},
	"Abandon": func(b *testing.B, q *bench) {
		if err := q.Abandon(q.now, q.take(b).Token, nil); err != nil {
			b.Fatal(err)
		}
	},
	"Release": func(b *testing.B, q *bench) {
		if err := q.Release(q.now, q.take(b).Token); err != nil {
			b.Fatal(err)
		}
	},
	"LockExpiry": func(b *testing.B, q *bench) {
		q.take(b)
		q.now = q.now.Add(lockFor)
		q.Expire(q.now)
	},
	"Renew": func(b *testing.B, q *bench) {
		d := q.take(b)
		if _, err := q.Renew(q.now, d.Token); err != nil {
			b.Fatal(err)
		}
		if err := q.Release(q.now, d.Token); err != nil {
			b.Fatal(err)
		}
	},
	"DeferTakeComplete": func(b *testing.B, q *bench) {
		q.enqueue(b, benchItem)
		d := q.take(b)
		if err := q.Defer(q.now, d.Token, nil); err != nil {
			b.Fatal(err)
		}
		deferred, err := q.TakeDeferred(q.now, queue.PeekLock, "", 1<<30, d.Sequence)
		if err != nil {
			b.Fatal(err)
		}
		q.complete(b, deferred[0])
	},
	"DeadLetterComplete": func(b *testing.B, q *bench) {
		q.enqueue(b, benchItem)
		if err := q.DeadLetter(q.now, q.take(b).Token, nil); err != nil {
			b.Fatal(err)
		}
		d, _ := q.DeadLetters().Take(q.now, queue.PeekLock, nil)
		if err := q.DeadLetters().Complete(q.now, d.Token); err != nil {
			b.Fatal(err)
		}
	},
	"ScheduleCancel": func(b *testing.B, q *bench) {
		later := benchItem
		later.EnqueueAt = q.now.Add(time.Duration(1+q.somewhere(1000)) * time.Hour)
		if err := q.Cancel(q.now, q.enqueue(b, later)); err != nil {
			b.Fatal(err)
		}
	},
	"Peek10": func(b *testing.B, q *bench) {
		if got := q.Peek(q.now, nil, q.somewhere(q.depth-100), 10, 1<<30); len(got) != 10 {
			b.Fatalf("%d messages", len(got))
		}
	},
	"TimeToLive": func(b *testing.B, q *bench) {
		brief := benchItem
		brief.TimeToLive = time.Nanosecond
		q.enqueue(b, brief)
		q.now = q.now.Add(time.Nanosecond)
		q.Expire(q.now)
	},
	"DeleteBatch10": func(b *testing.B, q *bench) {
		for range 10 {
			q.enqueue(b, benchItem)
		}
		if got := q.DeleteBatch(q.now, nil, q.now, 10); got != 10 {
			b.Fatalf("%d deleted", got)
		}
	},
	"Duplicate": func(b *testing.B, q *bench) {
		item := benchItem
		item.MessageID = fmt.Sprint("id", q.somewhere(q.depth))
		q.enqueue(b, item)
	},
	"Counts": func(b *testing.B, q *bench) { q.Counts(q.now) },
}

// BenchmarkDepth does each operation on a queue of 5 thousand and of 5 million
// messages. The first quarter of them is deferred, which whoever looks for an active
// one must not notice.
func BenchmarkDepth(b *testing.B) {
	for _, depth := range []int{5_000, 5_000_000} {
		before := heap()
		q := &bench{depth: depth, now: start, Queue: queue.New(queue.Config{
			LockDuration: lockFor, MaxDeliveryCount: 1 << 30, DuplicateWindow: 100 * time.Hour,
		})}
		for i := range depth {
			item := benchItem
			if i%4 == 1 {
				item.EnqueueAt = start.Add(10_000 * time.Hour)
			}
			q.enqueue(b, item)
		}
		perMessage := float64(heap()-before) / float64(depth)
		for i := range depth {
			q.enqueue(b, queue.Item{MessageID: fmt.Sprint("id", i), EnqueueAt: start.Add(10_000 * time.Hour)})
		}
		for range depth / 4 {
			if err := q.Defer(q.now, q.take(b).Token, nil); err != nil {
				b.Fatal(err)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(operations)) {
			b.Run(fmt.Sprintf("%s/depth=%d", name, depth), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					operations[name](b, q)
				}
				b.ReportMetric(perMessage, "heapB/message")
			})
		}
	}
}

// sessionOperations are those of a queue with sessions.
var sessionOperations = map[string]func(*testing.B, *bench){
	"AcceptNextTakeComplete": func(b *testing.B, q *bench) {
		s, _ := q.AcceptNext(q.now, nil, func() {})
		d, _, err := q.TakeFrom(q.now, s, queue.PeekLock, nil)
		if err != nil {
			b.Fatal(err)
		}
		q.complete(b, d)
		q.CloseSession(q.now, s)
		id := s.ID()
		q.enqueue(b, queue.Item{Payload: benchItem.Payload, Session: &id})
	},
	"AcceptState": func(b *testing.B, q *bench) {
		q.setState(b, fmt.Sprint("session", q.somewhere(q.depth)))
	},
	"List100": func(b *testing.B, q *bench) {
		if got := q.Sessions(q.now, time.Time{}, int(q.somewhere(q.depth-100)), 100); len(got) != 100 {
			b.Fatalf("%d sessions", len(got))
		}
	},
	"ListSince100": func(b *testing.B, q *bench) {
		if got := q.Sessions(q.now, start, 0, 100); len(got) != 100 {
			b.Fatalf("%d sessions", len(got))
		}
	},
	"PeekInSession": func(b *testing.B, q *bench) {
		id := fmt.Sprint("session", q.somewhere(q.depth))
		if got := q.Peek(q.now, &id, 0, 10, 1<<30); len(got) != 5 {
			b.Fatalf("%d messages", len(got))
		}
	},
	"Counts": func(b *testing.B, q *bench) { q.Counts(q.now) },
}

// BenchmarkSessions does each operation among a thousand and a million sessions of
// five messages each.
func BenchmarkSessions(b *testing.B) {
	for _, depth := range []int{1_000, 1_000_000} {
		before := heap()
		q := &bench{depth: depth, now: start, Queue: queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: 10, Sessions: true})}
		for range 5 {
			for i := range depth {
				id := fmt.Sprint("session", i)
				q.enqueue(b, queue.Item{Payload: benchItem.Payload, Session: &id})
			}
		}
		perSession := float64(heap()-before) / float64(depth)
		for i := range 200 {
			q.setState(b, fmt.Sprint("session", i))
		}
		for _, name := range slices.Sorted(maps.Keys(sessionOperations)) {
			b.Run(fmt.Sprintf("%s/sessions=%d", name, depth), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					sessionOperations[name](b, q)
				}
				b.ReportMetric(perSession, "heapB/session")
			})
		}
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
