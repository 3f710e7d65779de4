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
func TestWhatIsKeptIsFoundAgain(t *testing.T) { overEveryStore(t, testWhatIsKept) }

func testWhatIsKept(t *testing.T, kept keeper) {
	session := ""
	kept.Append([]queue.Change{
		{Kind: queue.ChangePut, Sequence: 1, Record: queue.Record{EnqueuedAt: start, ExpiresAt: start.Add(time.Hour), Session: &session, Hops: 2, Payload: []byte("one")}},
		{Kind: queue.ChangePut, Sequence: 2, Record: queue.Record{EnqueueAt: start.Add(time.Minute), TimeToLive: time.Hour, MessageID: "id", Payload: []byte("two")}},
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
		{Sequence: 2, Size: 3, Record: queue.Record{EnqueueAt: start.Add(time.Minute), TimeToLive: time.Hour, MessageID: "id"}},
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

// A message that is passed on stays in the store until it has arrived.
func TestWhatIsPassedOnIsKeptUntilItArrives(t *testing.T) {
	kept := newShelf(t)
	var arrived []string
	var after []time.Duration
	q := queue.New(queue.Config{
		LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, Store: kept,
		Forward: func(at time.Time, p queue.Passed) error {
			after = append(after, at.Sub(start))
			if string(p.Payload) == "later" && len(kept.messages) != 1 {
				t.Error("the store has let go of a message that has not arrived")
			}
			arrived = append(arrived, string(p.Payload))
			return nil
		},
	})
	later := item("later")
	later.EnqueueAt = start.Add(time.Minute)
	enqueue(t, q, item("now"), later)
	q.Expire(start.Add(time.Minute))
	if !slices.Equal(arrived, []string{"now", "later"}) || len(kept.messages) != 0 {
		t.Errorf("arrived %v, kept %v", arrived, kept.messages)
	}
	if !slices.Equal(after, []time.Duration{0, time.Minute}) {
		t.Errorf("arrived after %v", after)
	}
}

func TestTheSizeCountsScheduledMessages(t *testing.T) {
	overEveryStore(t, func(t *testing.T, kept keeper) {
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
	overEveryStore(t, testWhatIsRemembered)
}

func testWhatIsRemembered(t *testing.T, kept keeper) {
	config := queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, Sessions: true, DuplicateWindow: time.Hour, Store: kept}
	q := queue.New(config)
	once := in("a", "1")
	once.MessageID = "x"
	enqueue(t, q, once)
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
