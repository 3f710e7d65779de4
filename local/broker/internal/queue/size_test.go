package queue_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// weighing is a queue whose properties weigh a byte for each of their texts.
func weighing() queue.Config {
	return queue.Config{
		LockDuration: lockFor, MaxDeliveryCount: 100, Sessions: true, DuplicateWindow: time.Hour, MaxProperties: 100,
		Weigh: func(properties map[string]any) int {
			n := 0
			for name, v := range properties {
				n += len(name) + len(fmt.Sprint(v))
			}
			return n
		},
	}
}

// All that a queue holds counts, and nothing that it has let go of.
func TestSize(t *testing.T) {
	q := queue.New(weighing())
	session := "s"
	wantSize := func(want int64) {
		t.Helper()
		if got := q.Size(); got != want {
			t.Errorf("size %d, want %d", got, want)
		}
	}
	first := queue.Item{Payload: make([]byte, 10), Session: &session, MessageID: "id"}
	later := queue.Item{Payload: make([]byte, 1000), Session: &session, EnqueueAt: start.Add(time.Hour)}
	enqueue(t, q, first, later)
	wantSize(1010)
	if got := q.Remembered(); got < 2 || got > 200 {
		t.Errorf("an id takes %d", got)
	}
	held, _, err := q.Accept(start, session, func() {})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.SetSessionState(start, session, make([]byte, 99)); err != nil {
		t.Fatal(err)
	}
	wantSize(1110)
	d, _, err := q.TakeFrom(start, held, queue.PeekLock, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Abandon(start, d.Token, map[string]any{"k": "value"}); err != nil {
		t.Fatal(err)
	}
	wantSize(1116)
	d, _, _ = q.TakeFrom(start, held, queue.PeekLock, nil)
	if err := q.DeadLetter(start, d.Token, map[string]any{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	wantSize(1112)
	if _, ok := q.DeadLetters().Take(start, queue.ReceiveAndDelete, nil); !ok {
		t.Fatal("no dead letter")
	}
	wantSize(1100)
	if err := errors.Join(q.SetSessionState(start, session, nil), q.Cancel(start, 2)); err != nil {
		t.Fatal(err)
	}
	wantSize(0)
	q.Enqueue(start.Add(2*time.Hour), queue.Item{Session: &session})
	if got := q.Remembered(); got != 0 {
		t.Errorf("ids that are forgotten take %d", got)
	}
}

// However often a message comes back, what is set on it does not grow without end.
func TestPropertiesAreBounded(t *testing.T) {
	config := weighing()
	config.Sessions = false
	q := queue.New(config)
	enqueue(t, q, item("a"))
	var err error
	for i := range 50 {
		d, ok := q.Take(start, queue.PeekLock, nil)
		if !ok {
			t.Fatal("no message")
		}
		if err = q.Abandon(start, d.Token, map[string]any{fmt.Sprintf("%02d", i): strings.Repeat("x", 8)}); err == nil {
			continue
		}
		if i != 10 || !errors.Is(err, queue.ErrProperties) {
			t.Errorf("property %d: %v", i, err)
		}
		if err := q.Complete(start, d.Token); err != nil {
			t.Errorf("the lock is gone: %v", err)
		}
		break
	}
	if err == nil || q.Size() != 0 {
		t.Errorf("error %v, size %d", err, q.Size())
	}
}

// Nobody asks for more than there is room for, but for a single message.
func TestRoom(t *testing.T) {
	q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries})
	large := queue.Item{Payload: make([]byte, 100)}
	enqueue(t, q, large, large, large)
	for room, want := range map[int]int{0: 1, 99: 1, 199: 1, 200: 2, 1000: 3} {
		if got := q.Peek(start, nil, 1, 10, room); len(got) != want {
			t.Errorf("%d bytes: %d messages, want %d", room, len(got), want)
		}
	}
	for range 3 {
		d, ok := q.Take(start, queue.PeekLock, nil)
		if !ok || q.Defer(start, d.Token, nil) != nil {
			t.Fatal("not deferred")
		}
	}
	if _, err := q.TakeDeferred(start, queue.PeekLock, "", 299, 1, 2, 3); !errors.Is(err, queue.ErrRoom) {
		t.Errorf("error %v", err)
	}
	for room, numbers := range map[int][]int64{0: {1}, 200: {2, 3}} {
		if got, err := q.TakeDeferred(start, queue.PeekLock, "", room, numbers...); err != nil || len(got) != len(numbers) {
			t.Errorf("%d messages, %v", len(got), err)
		}
	}
}
