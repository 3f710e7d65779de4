package queue_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

func newSessionQueue() *queue.Queue {
	return queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, DeadLetterExpired: true, Sessions: true})
}

func in(session, text string) queue.Item {
	return queue.Item{Payload: []byte(text), Session: &session}
}

// accept locks a session that nobody holds.
func accept(t *testing.T, q *queue.Queue, id string) *queue.Session {
	t.Helper()
	s, _, err := q.Accept(start, id, func() {})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAQueueWithSessionsNeedsThem(t *testing.T) {
	q := newSessionQueue()
	if _, err := q.Enqueue(start, in("a", "1"), item("2")); !errors.Is(err, queue.ErrSessionNeeded) {
		t.Errorf("error = %v, want ErrSessionNeeded", err)
	}
	if got := contents(q, start); got != nil {
		t.Errorf("of a batch that was refused, %v is there", got)
	}
	if _, ok := q.Take(start, queue.PeekLock, nil); ok {
		t.Error("a message was taken without its session")
	}
}

func TestASessionHasOneReceiver(t *testing.T) {
	q := newSessionQueue()
	enqueue(t, q, in("b", "1"), in("a", "2"))
	s := accept(t, q, "a")
	if _, _, err := q.Accept(start, "a", nil); !errors.Is(err, queue.ErrSessionLocked) {
		t.Errorf("a second receiver: %v, want ErrSessionLocked", err)
	}
	next, until := q.AcceptNext(start, nil, func() {})
	if next == nil || next.ID() != "b" || !until.Equal(start.Add(lockFor)) {
		t.Fatalf("next is %v until %v, want session b", next, until)
	}
	woken := 0
	if other, _ := q.AcceptNext(start, queue.NewWaiter(func() { woken++ }), nil); other != nil {
		t.Fatalf("a third session: %v", other)
	}
	q.CloseSession(start, s)
	if woken != 1 {
		t.Errorf("the receiver that waits for any session was woken %d times, want once", woken)
	}
	if _, _, err := q.TakeFrom(start, s, queue.PeekLock, nil); !errors.Is(err, queue.ErrSessionLost) {
		t.Errorf("take from a session that was given back: %v, want ErrSessionLost", err)
	}
}

func TestAReceiverOfASessionIsWoken(t *testing.T) {
	q := newSessionQueue()
	s := accept(t, q, "a")
	woken := 0
	w := queue.NewWaiter(func() { woken++ })
	if _, ok, err := q.TakeFrom(start, s, queue.PeekLock, w); ok || err != nil {
		t.Fatalf("an empty session: %v, %v", ok, err)
	}
	enqueue(t, q, in("b", "1"))
	if woken != 0 {
		t.Error("woken for a message of another session")
	}
	enqueue(t, q, in("a", "2"))
	if woken != 1 {
		t.Errorf("woken %d times, want once", woken)
	}
	if _, ok, _ := q.TakeFrom(start, s, queue.PeekLock, w); !ok {
		t.Error("no message")
	}
	q.TakeFrom(start, s, queue.PeekLock, w)
	q.Rest(start, s)
	enqueue(t, q, in("a", "3"))
	if woken != 1 {
		t.Error("woken after it had gone")
	}
}

func TestALockOnASessionThatIsLostFailsItsDeliveries(t *testing.T) {
	q := newSessionQueue()
	enqueue(t, q, in("a", "1"), in("a", "2"))
	lost := 0
	s, _, err := q.Accept(start, "a", func() { lost++ })
	if err != nil {
		t.Fatal(err)
	}
	d, _, _ := q.TakeFrom(start, s, queue.PeekLock, nil)
	if !d.LockedUntil.Equal(start.Add(lockFor)) {
		t.Errorf("locked until %v", d.LockedUntil)
	}
	if _, err := q.RenewSession(start.Add(lockFor-time.Second), "a"); err != nil {
		t.Errorf("renew: %v", err)
	}
	late := start.Add(2*lockFor - time.Second)
	if next, due := q.Expire(late.Add(-time.Second)); !due || !next.Equal(late) || lost != 0 {
		t.Errorf("next due %v, %v; lost %d times", next, due, lost)
	}
	q.Expire(late)
	if lost != 1 {
		t.Errorf("the loss was told %d times, want once", lost)
	}
	if err := q.Complete(late, d.Token); !errors.Is(err, queue.ErrLockLost) {
		t.Errorf("complete after the loss: %v", err)
	}
	if _, err := q.RenewSession(late, "a"); !errors.Is(err, queue.ErrSessionLost) {
		t.Errorf("renew after the loss: %v", err)
	}
	again, _, _ := q.Accept(late, "a", func() {})
	if d, _, _ := q.TakeFrom(late, again, queue.PeekLock, nil); string(d.Payload) != "1" || d.DeliveryCount != 1 {
		t.Errorf("took %q after %d deliveries, want 1 after one", d.Payload, d.DeliveryCount)
	}
	q.CloseSession(late, again)
	again, _, _ = q.Accept(late, "a", func() {})
	if d, _, _ := q.TakeFrom(late, again, queue.PeekLock, nil); d.DeliveryCount != 1 {
		t.Errorf("%d deliveries after the session was given back, want one", d.DeliveryCount)
	}
}

func TestStateOfASession(t *testing.T) {
	q := newSessionQueue()
	if _, err := q.SessionState(start, "a"); !errors.Is(err, queue.ErrSessionLost) {
		t.Errorf("state of a session that nobody holds: %v", err)
	}
	s := accept(t, q, "a")
	if state, err := q.SessionState(start, "a"); state != nil || err != nil {
		t.Errorf("state at first: %v, %v", state, err)
	}
	if err := q.SetSessionState(start, "a", []byte("half")); err != nil {
		t.Fatal(err)
	}
	q.CloseSession(start, s)
	accept(t, q, "a")
	if state, _ := q.SessionState(start, "a"); string(state) != "half" {
		t.Errorf("state = %q", state)
	}
	enqueue(t, q, in("b", "1"), in("c", "2"))
	all := q.Sessions(start, time.Time{}, 0, 100)
	if diff := cmp.Diff([]string{"a", "b", "c"}, all); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
	if got := q.Sessions(start, time.Time{}, 1, 1); !slices.Equal(got, []string{"b"}) {
		t.Errorf("a page: %v", got)
	}
	for _, since := range []time.Time{start.Add(-time.Second), time.Unix(-1, 0), time.Date(1443, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := q.Sessions(start, since, 0, 100); !slices.Equal(got, []string{"a"}) {
			t.Errorf("since %v: %v", since, got)
		}
	}
	if got := q.Sessions(start, start, 0, 100); got != nil {
		t.Errorf("since now: %v", got)
	}
}

// Ids that come after the window was changed have the new one, and with a shorter one
// they do not wait for those before them.
func TestTheWindowForDuplicatesChanges(t *testing.T) {
	config := queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, DuplicateWindow: 10 * time.Minute}
	q := queue.New(config)
	at := func(minutes int, id, text string) {
		t.Helper()
		if _, err := q.Enqueue(start.Add(time.Duration(minutes)*time.Minute), queue.Item{Payload: []byte(text), MessageID: id}); err != nil {
			t.Fatal(err)
		}
	}
	at(0, "old", "1")
	config.DuplicateWindow = time.Minute
	q.Configure(start, config)
	at(1, "new", "2")
	at(3, "new", "3")
	at(3, "new", "dropped")
	at(9, "old", "dropped")
	config.DuplicateWindow = time.Hour
	q.Configure(start.Add(9*time.Minute), config)
	at(10, "old", "4")
	at(69, "old", "dropped")
	at(70, "old", "5")
	now := start.Add(1000 * time.Hour)
	q.Expire(now)
	if diff := cmp.Diff([]string{"1", "2", "3", "4", "5"}, contents(q, now)); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
}

func TestDuplicatesAreDropped(t *testing.T) {
	q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, DuplicateWindow: time.Minute})
	named := func(id, text string) queue.Item { return queue.Item{Payload: []byte(text), MessageID: id} }
	enqueue(t, q, named("x", "1"), named("y", "2"), named("x", "3"), named("", "4"), named("", "5"))
	if err := q.Complete(start, take(t, q, start).Token); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, named("x", "6"))
	if _, err := q.Enqueue(start.Add(time.Minute), named("x", "7")); err != nil {
		t.Fatal(err)
	}
	later := named("z", "8")
	later.EnqueueAt = start.Add(time.Hour)
	enqueue(t, q, later, named("z", "9"))
	if diff := cmp.Diff([]string{"2", "4", "5", "7", "8"}, contents(q, start.Add(time.Minute))); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
}
