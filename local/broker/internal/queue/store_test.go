package queue_test

import (
	"bytes"
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// shelf is a store that keeps what it is told, and survives the queue.
type shelf struct {
	t        *testing.T
	last     int64
	messages map[shelfKey]queue.Record
	sessions map[string]queue.SavedSession
	history  map[string]time.Time
}

type shelfKey struct {
	dead     bool
	sequence int64
}

func newShelf(t *testing.T) *shelf {
	return &shelf{
		t: t, messages: map[shelfKey]queue.Record{}, sessions: map[string]queue.SavedSession{}, history: map[string]time.Time{},
	}
}

func (s *shelf) Append(changes []queue.Change) {
	for _, c := range changes {
		key := shelfKey{c.Dead, c.Sequence}
		kept, known := s.messages[key]
		switch c.Kind {
		case queue.ChangePut:
			if known {
				s.t.Errorf("message %v is put twice", key)
			}
			c.Record.Payload = bytes.Clone(c.Record.Payload)
			s.messages[key] = c.Record
		case queue.ChangeState:
			if !known {
				s.t.Errorf("message %v changes and is not there", key)
			}
			kept.Deliveries, kept.Deferred, kept.Overlay = c.Record.Deliveries, c.Record.Deferred, c.Record.Overlay
			s.messages[key] = kept
		case queue.ChangeDelete:
			if !known {
				s.t.Errorf("message %v is deleted and is not there", key)
			}
			delete(s.messages, key)
		case queue.ChangeSession:
			s.sessions[c.ID] = queue.SavedSession{ID: c.ID, State: c.State, Changed: c.Time}
		case queue.ChangeHistory:
			s.history[c.ID] = c.Time
			if c.Time.IsZero() {
				delete(s.history, c.ID)
			}
		case queue.ChangeLast:
			s.last = c.Sequence
		}
	}
}

func (s *shelf) Load(dead bool, sequence int64) []byte {
	r, known := s.messages[shelfKey{dead, sequence}]
	if !known {
		s.t.Errorf("message %d (dead: %v) is loaded and is not there", sequence, dead)
	}
	return r.Payload
}

// saved is what a queue is restored from.
func (s *shelf) saved() queue.Saved {
	saved := queue.Saved{Last: s.last}
	for key, r := range s.messages {
		m := queue.SavedMessage{Dead: key.dead, Sequence: key.sequence, Size: len(r.Payload), Record: r}
		m.Record.Payload = nil
		saved.Messages = append(saved.Messages, m)
	}
	slices.SortFunc(saved.Messages, func(a, b queue.SavedMessage) int { return cmp.Compare(a.Sequence, b.Sequence) })
	for _, session := range s.sessions {
		if session.State != nil {
			saved.Sessions = append(saved.Sessions, session)
		}
	}
	for id, until := range s.history {
		saved.History = append(saved.History, queue.SavedID{ID: id, Until: until})
	}
	slices.SortFunc(saved.History, func(a, b queue.SavedID) int { return a.Until.Compare(b.Until) })
	return saved
}

// A message that is passed on stays in the store until it has arrived.
func TestWhatIsPassedOnIsKeptUntilItArrives(t *testing.T) {
	kept := newShelf(t)
	var arrived []string
	q := queue.New(queue.Config{
		LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, Store: kept,
		Forward: func(_ time.Time, p queue.Passed) error {
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
}

func TestWhatIsRememberedOutlivesTheProcess(t *testing.T) {
	kept := newShelf(t)
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
	again.Restore(start, kept.saved())
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
