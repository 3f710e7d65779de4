package queue_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// What a queue tells a store is there after the end, to the last property.
func TestWhatIsKeptIsFoundAgain(t *testing.T) { overEveryKeeper(t, testWhatIsKept) }

func testWhatIsKept(t *testing.T, kept keeper) {
	session := ""
	kept.Append([]queue.Change{
		{Kind: queue.ChangePut, Sequence: 1, Record: queue.Record{EnqueuedAt: start, ExpiresAt: start.Add(time.Hour), Session: &session, Hops: 2, Payload: []byte("one")}},
		{Kind: queue.ChangePut, Sequence: 2, Record: queue.Record{Scheduled: true, EnqueuedAt: start.Add(time.Minute), ExpiresAt: start.Add(time.Hour), Payload: []byte("two")}},
		{Kind: queue.ChangePut, Sequence: 3, Record: queue.Record{EnqueuedAt: start, Payload: []byte("gone")}},
		{Kind: queue.ChangePut, Sequence: 3, Dead: true, Record: queue.Record{EnqueuedAt: start, Deliveries: 3, Overlay: map[string]any{"why": "bad", "n": int32(7)}, Payload: []byte("dead")}},
		{Kind: queue.ChangeDelete, Sequence: 3},
		{Kind: queue.ChangeState, Sequence: 1, Record: queue.Record{Deliveries: 4, Deferred: true, Overlay: map[string]any{}}},
		{Kind: queue.ChangeSession, ID: "", State: []byte("half"), Time: start},
		{Kind: queue.ChangeSession, ID: "b", State: []byte{}, Time: start},
		{Kind: queue.ChangeSession, ID: "c", State: []byte("x"), Time: start},
		{Kind: queue.ChangeSession, ID: "c", Time: start},
		{Kind: queue.ChangeHistory, ID: "seen", Time: start.Add(time.Minute)},
		{Kind: queue.ChangeHistory, ID: "over", Time: start},
		{Kind: queue.ChangeHistory, ID: "forgotten", Time: start.Add(time.Hour)},
		{Kind: queue.ChangeHistory, ID: "forgotten"},
		{Kind: queue.ChangeLast, Sequence: 9},
	})
	want := queue.Saved{
		Last:     9,
		Sessions: []queue.SavedSession{{ID: "", State: []byte("half"), Changed: start}, {ID: "b", State: []byte{}, Changed: start}},
		History:  []queue.SavedID{{ID: "seen", Until: start.Add(time.Minute)}},
	}
	messages := []queue.SavedMessage{
		{Sequence: 1, Size: 3, Record: queue.Record{EnqueuedAt: start, ExpiresAt: start.Add(time.Hour), Deliveries: 4, Deferred: true, Hops: 2, Session: &session, Overlay: map[string]any{}}},
		{Sequence: 2, Size: 3, Record: queue.Record{Scheduled: true, EnqueuedAt: start.Add(time.Minute), ExpiresAt: start.Add(time.Hour)}},
		{Dead: true, Sequence: 3, Size: 4, Record: queue.Record{EnqueuedAt: start, Deliveries: 3, Overlay: map[string]any{"why": "bad", "n": int32(7)}}},
	}
	for range 2 { // the second time, what was over is not there any more
		saved := kept.saved(start)
		if diff := cmp.Diff(messages, listed(t, saved)); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
		saved.Messages = nil
		if diff := cmp.Diff(want, saved); diff != "" {
			t.Errorf("saved (-want +got):\n%s", diff)
		}
		if got := string(kept.Load(true, 3)); got != "dead" {
			t.Errorf("payload %q", got)
		}
	}
}

// What becomes of a message that is passed on is one unit, here and where it goes.
func TestWhatIsPassedOnIsOneUnit(t *testing.T) {
	kept := newShelf(t)
	var arrived []string
	var after []time.Duration
	config := queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, Store: kept}
	config.Forward = func(at time.Time, p queue.Passed) error {
		after = append(after, at.Sub(start))
		if kept.units != 1 {
			t.Errorf("%s is passed on in %d units", p.Payload, kept.units)
		}
		arrived = append(arrived, string(p.Payload))
		if string(p.Payload) == "refused" {
			return errors.New("full")
		}
		return nil
	}
	q := queue.New(config)
	later := item("later")
	later.EnqueueAt = start.Add(time.Minute)
	enqueue(t, q, item("now"), item("refused"), later)
	q.Expire(start.Add(time.Minute))
	if !slices.Equal(arrived, []string{"now", "refused", "later"}) || len(kept.messages) != 1 || kept.units != 0 {
		t.Errorf("arrived %v, kept %v, %d units", arrived, kept.messages, kept.units)
	}
	if !slices.Equal(after, []time.Duration{0, 0, time.Minute}) {
		t.Errorf("arrived after %v", after)
	}
}

// What is not taken when its time has come is a dead letter like others, also for the next
// process.
func TestAScheduledMessageThatIsNotTaken(t *testing.T) {
	overEveryKeeper(t, func(t *testing.T, kept keeper) {
		config := queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, Store: kept}
		config.Forward = func(time.Time, queue.Passed) error { return errors.New("full") }
		q := queue.New(config)
		later := item("later")
		later.EnqueueAt = start.Add(time.Minute)
		enqueue(t, q, item("now"), later)
		late := start.Add(time.Minute)
		q.Expire(late)
		again := queue.New(config)
		restore(t, again, late, kept)
		for _, q := range []*queue.Queue{q, again} {
			letters := q.DeadLetters().Peek(late, nil, 0, 9, 1<<20)
			if len(letters) != 2 || string(letters[0].Payload) != "now" || string(letters[1].Payload) != "later" || letters[1].Sequence != 2 {
				t.Errorf("dead letters %+v", letters)
			}
		}
	})
}

// Nobody gets a message that could be lost with the process: who waits gets it when
// the store has it.
func TestNothingIsHandedOutEarly(t *testing.T) {
	kept := newShelf(t)
	kept.early = true
	woken := 0
	w := queue.NewWaiter(func() { woken++ })
	q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: 1, Store: kept})
	for _, q := range []*queue.Queue{q, q.DeadLetters()} {
		if _, ok := q.Take(start, queue.PeekLock, w); ok {
			t.Fatal("took a message of none")
		}
		if q.DeadLetters() != nil {
			enqueue(t, q, item("a"))
		}
		for _, mode := range []queue.Mode{queue.PeekLock, queue.ReceiveAndDelete} {
			if d, ok := q.Take(start, mode, w); ok || woken > 0 {
				t.Fatalf("took %q, woken %d times", d.Payload, woken)
			}
		}
		kept.settle()
		if d := take(t, q, start); string(d.Payload) != "a" || woken != 1 {
			t.Errorf("took %q, woken %d times", d.Payload, woken)
		}
		kept.early, woken = true, 0
		q.LoseLocks(start) // it goes to the dead-letter queue
	}
}

func TestNoSessionIsHandedOutEarly(t *testing.T) {
	kept := newShelf(t)
	kept.early = true
	var next, message int
	anySession, inSession := queue.NewWaiter(func() { next++ }), queue.NewWaiter(func() { message++ })
	q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: 1, Sessions: true, Store: kept})
	held := accept(t, q, "a")
	try := func() bool {
		s, _ := q.AcceptNext(start, anySession, func() {})
		_, ok, err := q.TakeFrom(start, held, queue.PeekLock, inSession)
		if err != nil {
			t.Fatal(err)
		}
		return s != nil || ok
	}
	if try() {
		t.Fatal("there was something in an empty queue")
	}
	enqueue(t, q, in("a", "1"), in("a", "2"), in("b", "3"))
	if try() || next+message > 0 {
		t.Fatalf("there was something early; woken %d and %d times", next, message)
	}
	kept.settle()
	if next != 1 || message != 1 || !try() {
		t.Errorf("woken %d and %d times", next, message)
	}
}

// A queue that has ended takes nothing, gives nothing, and tells the store nothing.
func TestAQueueThatHasEnded(t *testing.T) {
	kept := newShelf(t)
	q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: 1, Store: kept, DuplicateWindow: time.Hour, Forward: nil})
	later := item("later")
	later.EnqueueAt = start.Add(time.Minute)
	enqueue(t, q, item("a"), item("b"), item("c"), later)
	woken := false
	w := queue.NewWaiter(func() { woken = true })
	if _, ok := q.DeadLetters().Take(start, queue.PeekLock, w); ok {
		t.Fatal("took a dead letter of none")
	}
	a, b := take(t, q, start), take(t, q, start)
	before := len(kept.messages)
	q.End()
	if err := q.Complete(start, a.Token); !errors.Is(err, queue.ErrLockLost) {
		t.Errorf("complete: %v", err)
	}
	if err := q.DeadLetter(start, b.Token, nil); !errors.Is(err, queue.ErrLockLost) {
		t.Errorf("dead-letter: %v", err)
	}
	if _, err := q.Enqueue(start, item("d")); !errors.Is(err, queue.ErrEnded) {
		t.Errorf("enqueue: %v", err)
	}
	q.Bury(start, item("e"), "", "")
	q.DeadLetters().Leave(start, w)
	if _, due := q.Expire(start.Add(time.Hour)); due || woken {
		t.Errorf("something is due: %v, woken: %v", due, woken)
	}
	if got := q.Counts(start.Add(time.Hour)); got != (queue.Counts{}) || q.Size() != 0 || len(kept.messages) != before {
		t.Errorf("counts %+v, size %d", got, q.Size())
	}
}

func TestASessionOfAQueueThatHasEnded(t *testing.T) {
	q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: 1, Sessions: true, Store: newShelf(t)})
	enqueue(t, q, in("a", "1"))
	s := accept(t, q, "a")
	q.End()
	if _, _, err := q.TakeFrom(start, s, queue.PeekLock, nil); !errors.Is(err, queue.ErrSessionLost) {
		t.Errorf("take: %v", err)
	}
	q.CloseSession(start, s)
	accept(t, q, "b")
	if err := q.SetSessionState(start, "b", []byte("x")); !errors.Is(err, queue.ErrSessionLost) {
		t.Errorf("set state: %v", err)
	}
}

func TestTheSizeCountsScheduledMessages(t *testing.T) {
	overEveryKeeper(t, func(t *testing.T, kept keeper) {
		config := queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, Store: kept}
		q := queue.New(config)
		later := item("later")
		later.EnqueueAt = start.Add(time.Minute)
		enqueue(t, q, item("now"), later, later)
		again := queue.New(config)
		restore(t, again, start, kept)
		for _, q := range []*queue.Queue{q, again} {
			if got := q.Size(); got != 13 {
				t.Errorf("size = %d, want 13", got)
			}
		}
		if err := again.Cancel(start, 2); err != nil {
			t.Fatal(err)
		}
		if got := again.Size(); got != 8 {
			t.Errorf("size = %d after one was cancelled, want 8", got)
		}
		again.Expire(start.Add(time.Minute))
		if got := again.Size(); got != 8 {
			t.Errorf("size = %d after the other joined, want 8", got)
		}
	})
}

func TestWhatIsRememberedOutlivesTheProcess(t *testing.T) {
	overEveryKeeper(t, testWhatIsRemembered)
}

func testWhatIsRemembered(t *testing.T, kept keeper) {
	config := queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, Sessions: true, DuplicateWindow: time.Hour, Store: kept}
	q := queue.New(config)
	once := in("a", "1")
	once.MessageID = "x"
	enqueue(t, q, once)
	kept.settle()
	s := accept(t, q, "a")
	if err := q.SetSessionState(start, "a", []byte("half")); err != nil {
		t.Fatal(err)
	}
	if d, _, _ := q.TakeFrom(start, s, queue.PeekLock, nil); string(d.Payload) != "1" {
		t.Errorf("took %q", d.Payload)
	}
	again := queue.New(config)
	restore(t, again, start, kept)
	enqueue(t, again, once)
	s = accept(t, again, "a")
	if state, err := again.SessionState(start, "a"); err != nil || string(state) != "half" {
		t.Errorf("state %q, %v", state, err)
	}
	if d, ok, _ := again.TakeFrom(start, s, queue.PeekLock, nil); !ok || string(d.Payload) != "1" || d.DeliveryCount != 0 {
		t.Errorf("took %+v, %v", d, ok)
	}
	if _, ok, _ := again.TakeFrom(start, s, queue.PeekLock, nil); ok {
		t.Error("a duplicate was taken for new after the restart")
	}
}

func TestWhatCannotBeReadIsNotRestored(t *testing.T) {
	broken := errors.New("a torn page")
	saved := queue.Saved{Messages: func(yield func(queue.SavedMessage, error) bool) { yield(queue.SavedMessage{}, broken) }}
	if err := newQueue().Restore(start, saved); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
