package queue_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// start is where the tests' clock begins; lockFor and maxDeliveries are the
// configuration of newQueue.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	lockFor       = time.Minute
	maxDeliveries = 3
)

func newQueue() *queue.Queue {
	return queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries})
}

func item(text string) queue.Item { return queue.Item{Payload: []byte(text)} }

// enqueue appends items at the start and returns the first's sequence number.
func enqueue(t testing.TB, q *queue.Queue, items ...queue.Item) int64 {
	t.Helper()
	first, err := q.Enqueue(start, items...)
	if err != nil {
		t.Fatal(err)
	}
	return first
}

// take takes one message and fails the test when there is none.
func take(t *testing.T, q *queue.Queue, now time.Time) queue.Delivery {
	t.Helper()
	d, ok := q.Take(now, queue.PeekLock, nil)
	if !ok {
		t.Fatal("no message to take")
	}
	return d
}

// contents lists payloads in order, as peek shows them.
func contents(q *queue.Queue, now time.Time) []string {
	var texts []string
	for _, m := range q.Peek(now, nil, 0, 100, 1<<30) {
		texts = append(texts, string(m.Payload))
	}
	return texts
}

func TestMessagesComeInOrder(t *testing.T) {
	q := newQueue()
	if got, want := enqueue(t, q, item("a"), item("b")), int64(1); got != want {
		t.Errorf("first sequence number = %d, want %d", got, want)
	}
	if got, want := enqueue(t, q, item("c")), int64(3); got != want {
		t.Errorf("next sequence number = %d, want %d", got, want)
	}
	for i, want := range []string{"a", "b", "c"} {
		d := take(t, q, start)
		if string(d.Payload) != want || d.Sequence != int64(i+1) || !d.Locked {
			t.Errorf("delivery %d = %q (sequence %d, locked %v), want %q", i, d.Payload, d.Sequence, d.Locked, want)
		}
		if got, want := d.LockedUntil, start.Add(lockFor); !got.Equal(want) {
			t.Errorf("locked until %v, want %v", got, want)
		}
	}
	if _, ok := q.Take(start, queue.PeekLock, nil); ok {
		t.Error("took a fourth message of three")
	}
}

func TestSettlements(t *testing.T) {
	tests := []struct {
		name       string
		settle     func(q *queue.Queue, now time.Time, tok queue.Token) error
		want       []string // queue afterwards
		dead       []string
		deliveries int // of message a, if it is still in the queue
	}{
		{"complete removes", func(q *queue.Queue, now time.Time, tok queue.Token) error {
			return q.Complete(now, tok)
		}, []string{"b"}, nil, 0},
		{"abandon counts", func(q *queue.Queue, now time.Time, tok queue.Token) error {
			return q.Abandon(now, tok, nil)
		}, []string{"a", "b"}, nil, 1},
		{"release does not count", func(q *queue.Queue, now time.Time, tok queue.Token) error {
			return q.Release(now, tok)
		}, []string{"a", "b"}, nil, 0},
		{"defer counts and sets aside", func(q *queue.Queue, now time.Time, tok queue.Token) error {
			if err := q.Defer(now, tok, nil); err != nil {
				return err
			}
			back, err := q.TakeDeferred(now, queue.PeekLock, "", 1<<30, 1)
			if err != nil || back[0].DeliveryCount != 1 {
				return fmt.Errorf("take deferred = %v, %w", back, err)
			}
			return q.DeadLetter(now, back[0].Token, nil)
		}, []string{"b"}, []string{"a"}, 0},
		{"dead-letter moves", func(q *queue.Queue, now time.Time, tok queue.Token) error {
			return q.DeadLetter(now, tok, nil)
		}, []string{"b"}, []string{"a"}, 0},
		{"lock expiry counts", func(q *queue.Queue, now time.Time, tok queue.Token) error {
			q.Expire(now.Add(lockFor))
			return nil
		}, []string{"a", "b"}, nil, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := newQueue()
			enqueue(t, q, item("a"), item("b"))
			tok := take(t, q, start).Token
			if err := tt.settle(q, start, tok); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, contents(q, start)); diff != "" {
				t.Errorf("queue (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.dead, contents(q.DeadLetters(), start)); diff != "" {
				t.Errorf("dead-letter queue (-want +got):\n%s", diff)
			}
			if err := q.Complete(start, tok); !errors.Is(err, queue.ErrLockLost) {
				t.Errorf("second settlement = %v, want ErrLockLost", err)
			}
			d := take(t, q, start)
			if got, want := string(d.Payload), tt.want[0]; got != want {
				t.Errorf("next message is %q, want %q", got, want)
			}
			if d.DeliveryCount != tt.deliveries {
				t.Errorf("delivery count = %d, want %d", d.DeliveryCount, tt.deliveries)
			}
		})
	}
}

func TestMaxDeliveryCount(t *testing.T) {
	q := newQueue()
	enqueue(t, q, item("poison"), item("good"))
	for i := range maxDeliveries {
		d := take(t, q, start)
		if d.DeliveryCount != i || string(d.Payload) != "poison" {
			t.Fatalf("delivery %d = %q with count %d", i, d.Payload, d.DeliveryCount)
		}
		if err := q.Abandon(start, d.Token, map[string]any{fmt.Sprint("try", i): i}); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(queue.Counts{Active: 1, DeadLettered: 1}, q.Counts(start)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	d := take(t, q.DeadLetters(), start)
	want := map[string]any{
		"try0": 0, "try1": 1, "try2": 2,
		queue.PropertyReason:      queue.ReasonMaxDeliveryCount,
		queue.PropertyDescription: "Message could not be consumed after 3 delivery attempts.",
	}
	if diff := cmp.Diff(want, d.Overlay); diff != "" {
		t.Errorf("properties (-want +got):\n%s", diff)
	}
	if d.Sequence != 1 || !d.EnqueuedAt.Equal(start) {
		t.Errorf("dead letter has sequence %d, enqueued %v; want those of the message", d.Sequence, d.EnqueuedAt)
	}
}

// A message that is deferred at its last delivery is dead-lettered.
func TestDeferralIsADelivery(t *testing.T) {
	q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: 1})
	enqueue(t, q, item("a"))
	if err := q.Defer(start, take(t, q, start).Token, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(queue.Counts{DeadLettered: 1}, q.Counts(start)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if d := take(t, q.DeadLetters(), start); d.Overlay[queue.PropertyReason] != queue.ReasonMaxDeliveryCount {
		t.Errorf("properties %v", d.Overlay)
	}
}

func TestDeadLetterQueueKeepsItsMessages(t *testing.T) {
	q := newQueue()
	enqueue(t, q, item("a"))
	if err := q.DeadLetter(start, take(t, q, start).Token, nil); err != nil {
		t.Fatal(err)
	}
	dead := q.DeadLetters()
	for range 2 * maxDeliveries {
		if err := dead.Abandon(start, take(t, dead, start).Token, nil); err != nil {
			t.Fatal(err)
		}
	}
	d := take(t, dead, start)
	if d.DeliveryCount != 0 {
		t.Errorf("delivery count of a dead letter = %d, want that of the message", d.DeliveryCount)
	}
	if err := dead.DeadLetter(start, d.Token, nil); !errors.Is(err, queue.ErrDeadLetterQueue) {
		t.Errorf("dead-lettering a dead letter = %v, want ErrDeadLetterQueue", err)
	}
	if err := dead.Complete(start, d.Token); err != nil {
		t.Errorf("the refused settlement took the lock: %v", err)
	}
}

func TestRenew(t *testing.T) {
	q := newQueue()
	enqueue(t, q, item("a"))
	d := take(t, q, start)
	later := start.Add(lockFor - time.Second)
	until, err := q.Renew(later, d.Token)
	if err != nil || !until.Equal(later.Add(lockFor)) {
		t.Fatalf("renew = %v, %v; want %v", until, err, later.Add(lockFor))
	}
	if err := q.Complete(until.Add(-1), d.Token); err != nil {
		t.Errorf("complete under the renewed lock: %v", err)
	}
	if _, err := q.Renew(later, d.Token); !errors.Is(err, queue.ErrLockLost) {
		t.Errorf("renew after complete = %v, want ErrLockLost", err)
	}
}

func TestReceiveAndDelete(t *testing.T) {
	q := newQueue()
	enqueue(t, q, item("a"))
	d, ok := q.Take(start, queue.ReceiveAndDelete, nil)
	if !ok || d.Token != (queue.Token{}) {
		t.Fatalf("take = %v, %v; want a message without a token", d, ok)
	}
	if diff := cmp.Diff(queue.Counts{}, q.Counts(start)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestTimeToLive(t *testing.T) {
	brief := queue.Item{Payload: []byte("brief"), TimeToLive: time.Second}
	for _, keep := range []bool{false, true} {
		t.Run(fmt.Sprintf("dead-letter %v", keep), func(t *testing.T) {
			q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, DeadLetterExpired: keep})
			enqueue(t, q, brief, brief, item("stays"))
			held := take(t, q, start) // a lock outlives the time to live
			late := start.Add(time.Second)
			if diff := cmp.Diff([]string{"brief", "stays"}, contents(q, late)); diff != "" {
				t.Errorf("queue (-want +got):\n%s", diff)
			}
			if err := q.Abandon(late, held.Token, nil); err != nil {
				t.Errorf("abandon: %v", err)
			}
			dead := 0
			if keep {
				dead = 2
			}
			if diff := cmp.Diff(queue.Counts{Active: 1, DeadLettered: dead}, q.Counts(late)); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPeekPages(t *testing.T) {
	q := newQueue()
	for i := range 200 {
		enqueue(t, q, item(fmt.Sprint(i+1)))
	}
	for range 150 { // leaves 151..200 and a locked one at 1
		d := take(t, q, start)
		if d.Sequence != 1 {
			if err := q.Complete(start, d.Token); err != nil {
				t.Fatal(err)
			}
		}
	}
	var got []int64
	for from := int64(0); ; {
		page := q.Peek(start, nil, from, 7, 1<<30)
		if len(page) == 0 {
			break
		}
		for _, m := range page {
			got = append(got, m.Sequence)
		}
		from = page[len(page)-1].Sequence + 1
	}
	want := []int64{1}
	for seq := int64(151); seq <= 200; seq++ {
		want = append(want, seq)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("peeked (-want +got):\n%s", diff)
	}
	if got := q.Peek(start, nil, 0, 0, 1<<30); got != nil {
		t.Errorf("peek of nothing = %v", got)
	}
}

func TestWaiters(t *testing.T) {
	q := newQueue()
	var woken []string
	waiter := func(name string) *queue.Waiter {
		return queue.NewWaiter(func() { woken = append(woken, name) })
	}
	first, second, third := waiter("first"), waiter("second"), waiter("third")
	for _, w := range []*queue.Waiter{first, second, third} {
		if _, ok := q.Take(start, queue.PeekLock, w); ok {
			t.Fatal("took from an empty queue")
		}
	}
	enqueue(t, q, item("a"), item("b"))
	if diff := cmp.Diff([]string{"first", "second"}, woken); diff != "" {
		t.Errorf("two messages woke (-want +got):\n%s", diff)
	}
	q.Leave(start, first) // woken, but does not want to any more
	if diff := cmp.Diff([]string{"first", "second", "third"}, woken); diff != "" {
		t.Errorf("a turn passed on woke (-want +got):\n%s", diff)
	}
	for range 2 {
		take(t, q, start)
	}
	woken = nil
	if _, ok := q.Take(start, queue.PeekLock, second); ok {
		t.Fatal("took a third message of two")
	}
	q.Expire(start.Add(lockFor))
	if diff := cmp.Diff([]string{"second"}, woken); diff != "" {
		t.Errorf("expiry of locks woke (-want +got):\n%s", diff)
	}
}

func TestAlarm(t *testing.T) {
	alarms := 0
	q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, Alarm: func() { alarms++ }})
	if _, ok := q.Expire(start); ok {
		t.Error("an empty queue has a deadline")
	}
	enqueue(t, q, item("a"), item("b"), queue.Item{TimeToLive: time.Second})
	take(t, q, start)
	take(t, q, start.Add(time.Millisecond))
	if got, want := alarms, 1; got != want {
		t.Errorf("%d alarms, want %d: the time to live, which is before both locks", got, want)
	}
	next, ok := q.Expire(start.Add(time.Second))
	if want := start.Add(lockFor); !ok || !next.Equal(want) {
		t.Errorf("next deadline = %v, %v; want %v", next, ok, want)
	}
}
