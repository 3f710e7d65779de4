package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// many is more than one operation does of what is due.
const many = 3500

// brief is a message that lives for a second.
var brief = queue.Item{Payload: []byte("brief"), TimeToLive: time.Second}

// expireAll has the queue do what is due, as its owner does: again as soon as it asks.
// It returns how often.
func expireAll(t *testing.T, q *queue.Queue, now time.Time) int {
	t.Helper()
	for calls := 1; calls < 100; calls++ {
		if next, ok := q.Expire(now); !ok || next.After(now) {
			return calls
		}
	}
	t.Fatal("it asks to be called again and again")
	return 0
}

// However many expire at once, one operation does a part of it. None of them is taken,
// and a receiver hears of what is behind them.
func TestManyThatExpireAtOnce(t *testing.T) {
	q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, DeadLetterExpired: true})
	for range many {
		enqueue(t, q, brief)
	}
	enqueue(t, q, item("stays"))
	late := start.Add(time.Second)
	takes, woken := 0, true
	w := queue.NewWaiter(func() { woken = true })
	for woken {
		woken = false
		d, ok := q.Take(late, queue.PeekLock, w)
		if takes++; ok && string(d.Payload) != "stays" {
			t.Fatalf("took %q", d.Payload)
		}
	}
	if got := q.Counts(late); takes < 2 || got != (queue.Counts{Locked: 1, DeadLettered: many}) {
		t.Errorf("after %d takes: %+v", takes, got)
	}

	q = queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries})
	for range many {
		enqueue(t, q, brief)
	}
	if calls := expireAll(t, q, late); calls < many/1000 {
		t.Errorf("all was done in %d calls", calls)
	}
	if got := q.Counts(late); got != (queue.Counts{}) {
		t.Errorf("counts %+v", got)
	}
}

func TestManyThatExpireAtOnceInASession(t *testing.T) {
	q := newSessionQueue()
	expiring := brief
	expiring.Session = new(string)
	for range many {
		enqueue(t, q, expiring)
	}
	enqueue(t, q, in("", "stays"))
	late := start.Add(time.Second)
	s, _, err := q.Accept(late, "", func() {})
	if err != nil {
		t.Fatal(err)
	}
	woken := true
	w := queue.NewWaiter(func() { woken = true })
	for woken {
		woken = false
		if d, ok, err := q.TakeFrom(late, s, queue.PeekLock, w); err != nil || ok && string(d.Payload) != "stays" {
			t.Fatalf("took %q, %v", d.Payload, err)
		}
	}
	if got := q.Counts(late); got != (queue.Counts{Locked: 1, DeadLettered: many}) {
		t.Errorf("counts %+v", got)
	}
}

// However many join at once, one operation does a part of it, in their order.
func TestManyThatJoinAtOnce(t *testing.T) {
	q := newQueue()
	for i := range many {
		later := item(fmt.Sprint(i))
		later.EnqueueAt = start.Add(time.Minute)
		enqueue(t, q, later)
	}
	now := start.Add(time.Minute)
	if calls := expireAll(t, q, now); calls < many/1000 {
		t.Errorf("all was done in %d calls", calls)
	}
	if diff := cmp.Diff(queue.Counts{Active: many}, q.Counts(now)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	for i := range many {
		if d := take(t, q, now); string(d.Payload) != fmt.Sprint(i) || d.Sequence != int64(many+1+i) {
			t.Fatalf("message %d is %q with number %d", i, d.Payload, d.Sequence)
		}
	}
}

// However many ids are over at once, a message forgets a few of them, and is itself no
// duplicate of one that is over.
func TestManyIDsThatAreOver(t *testing.T) {
	kept := newShelf(t)
	q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, DuplicateWindow: time.Minute, Store: kept})
	named := func(n int) queue.Item { return queue.Item{Payload: []byte("x"), MessageID: fmt.Sprint(n)} }
	for i := range many {
		enqueue(t, q, named(i))
	}
	late := start.Add(time.Minute)
	for i := many - 1; i >= 0; i-- {
		if _, err := q.Enqueue(late, named(i), named(i)); err != nil {
			t.Fatal(err)
		}
		if left := len(kept.history); left < many-8*(many-i) {
			t.Fatalf("after %d messages, %d ids are remembered", many-i, left)
		}
	}
	if got := q.Counts(late).Active; got != 2*many {
		t.Errorf("%d messages, want %d", got, 2*many)
	}
	if _, err := q.Enqueue(late.Add(time.Minute-1), named(7)); err != nil || q.Counts(late).Active != 2*many {
		t.Errorf("%v: what was seen a second time is not remembered from then", err)
	}
	for range 2 * many {
		if _, err := q.Enqueue(late.Add(time.Minute), named(7)); err != nil {
			t.Fatal(err)
		}
	}
	if left := len(kept.history); left != 1 {
		t.Errorf("%d ids are remembered, want one", left)
	}
}

// Ids are forgotten also where nobody sends any more, and what they take is free again.
func TestIDsAreForgottenWhereNobodySends(t *testing.T) {
	kept := newShelf(t)
	q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, DuplicateWindow: 10 * time.Minute, Store: kept})
	for i := range many {
		enqueue(t, q, queue.Item{Payload: []byte("x"), MessageID: fmt.Sprint(i)})
	}
	next, ok := q.Expire(start)
	if !ok || !next.Equal(start.Add(11*time.Minute)) {
		t.Errorf("to be called at %v, %v; want a little after the window", next, ok)
	}
	if q.Expire(start.Add(10*time.Minute - 1)); len(kept.history) != many {
		t.Errorf("%d ids are remembered within the window", len(kept.history))
	}
	if calls := expireAll(t, q, next); calls < many/1000 {
		t.Errorf("all were forgotten in %d calls", calls)
	}
	if got := q.Remembered(); got != 0 || len(kept.history) != 0 {
		t.Errorf("%d ids are kept, and %d bytes remembered", len(kept.history), got)
	}
}

// Nothing has joined a queue before there were computers, nor after the end of time.
func TestDeletionOfWhatIsFarAway(t *testing.T) {
	q := newQueue()
	enqueue(t, q, item("a"))
	for _, year := range []int{-290_000_000, 0, 1443, 1677} {
		if n := q.DeleteBatch(start, nil, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), 1); n != 0 {
			t.Errorf("deleted what had joined by the year %d", year)
		}
	}
	if n := q.DeleteBatch(start, nil, time.Date(290_000_000, 1, 1, 0, 0, 0, 0, time.UTC), 1); n != 1 {
		t.Errorf("deleted %d of what will ever join", n)
	}
}

// What is scheduled for the end of time is still there after a restart.
func TestTheFarFuture(t *testing.T) {
	overEveryKeeper(t, func(t *testing.T, kept keeper) {
		config := queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, Store: kept}
		q := queue.New(config)
		later := item("later")
		later.EnqueueAt, later.TimeToLive = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), 1<<62
		enqueue(t, q, later, queue.Item{Payload: []byte("now"), TimeToLive: 1<<63 - 1})
		again := queue.New(config)
		restore(t, again, start, kept)
		for _, q := range []*queue.Queue{q, again} {
			if got := q.Counts(start); got != (queue.Counts{Scheduled: 1, Active: 1}) {
				t.Errorf("counts %+v", got)
			}
			if next, ok := q.Expire(start); !ok || next.Year() < 2200 {
				t.Errorf("next due %v, %v", next, ok)
			}
		}
	})
}
