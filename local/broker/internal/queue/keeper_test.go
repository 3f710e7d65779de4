package queue_test

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
)

// settling is a store that can be waited for.
type settling interface {
	queue.Store
	// settle waits until everything is safe.
	settle()
}

// keeper is a store that outlives its queue, and the process of that.
type keeper interface {
	settling
	// saved is what the next process finds at that time.
	saved(now time.Time) queue.Saved
}

// overEveryKeeper runs a test with the store that outlives the process, and with one
// that is as simple as can be.
func overEveryKeeper(t *testing.T, test func(*testing.T, keeper)) {
	t.Run("shelf", func(t *testing.T) { test(t, newShelf(t)) })
	t.Run("disk", func(t *testing.T) { test(t, newDisk(t)) })
}

// disk is a keeper on disk, with nothing in it but the one queue.
type disk struct {
	*store.Entity
	t      *testing.T
	folder string
	store  *store.Store
}

func newDisk(t *testing.T) *disk {
	d := &disk{t: t, folder: t.TempDir()}
	d.open()
	t.Cleanup(d.close)
	d.Entity = d.store.Create("q", []byte("{}"))
	return d
}

func (d *disk) open() {
	var err error
	if d.store, err = store.Open(d.folder, store.Options{}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) close() {
	if err := d.store.Close(); err != nil {
		d.t.Error(err)
	}
}

func (d *disk) settle() {
	if err := d.store.Wait(d.t.Context(), d.Ticket()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) saved(now time.Time) queue.Saved {
	d.close()
	d.open()
	d.Entity = d.store.Entities()[0]
	saved, err := d.Saved(now)
	if err != nil {
		d.t.Fatal(err)
	}
	return saved
}

// restore fills a queue with what the process before it has kept.
func restore(t *testing.T, q *queue.Queue, now time.Time, from keeper) {
	t.Helper()
	if err := q.Restore(now, from.saved(now)); err != nil {
		t.Fatal(err)
	}
}

// listed are the messages that are kept.
func listed(t *testing.T, saved queue.Saved) []queue.SavedMessage {
	t.Helper()
	var all []queue.SavedMessage
	for m, err := range saved.Messages {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// shelf is a keeper in memory, and says so where it is told nonsense.
type shelf struct {
	t        *testing.T
	units    int  // that have not ended
	early    bool // nothing that is put is safe
	ready    func()
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

func (s *shelf) Begin() (end func()) {
	s.units++
	return func() { s.units-- }
}

func (s *shelf) settle() {
	s.early = false
	if s.ready != nil {
		s.ready()
	}
}

func (s *shelf) Safe(_ bool, _ int64, ready func()) bool {
	if s.early {
		s.ready = ready
	}
	return !s.early
}

func (s *shelf) Load(dead bool, sequence int64) []byte {
	r, known := s.messages[shelfKey{dead, sequence}]
	if !known {
		s.t.Errorf("message %d (dead: %v) is loaded and is not there", sequence, dead)
	}
	return r.Payload
}

func (s *shelf) saved(now time.Time) queue.Saved {
	saved, messages := queue.Saved{Last: s.last}, []queue.SavedMessage(nil)
	for key, r := range s.messages {
		m := queue.SavedMessage{Dead: key.dead, Sequence: key.sequence, Size: len(r.Payload), Record: r}
		m.Record.Payload = nil
		messages = append(messages, m)
	}
	slices.SortFunc(messages, func(a, b queue.SavedMessage) int { return cmp.Compare(a.Sequence, b.Sequence) })
	saved.Messages = func(yield func(queue.SavedMessage, error) bool) {
		for _, m := range messages {
			if !yield(m, nil) {
				return
			}
		}
	}
	for _, session := range s.sessions {
		if session.State != nil {
			saved.Sessions = append(saved.Sessions, session)
		}
	}
	for id, until := range s.history {
		if until.After(now) {
			saved.History = append(saved.History, queue.SavedID{ID: id, Until: until})
		}
	}
	slices.SortFunc(saved.Sessions, func(a, b queue.SavedSession) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(saved.History, func(a, b queue.SavedID) int { return a.Until.Compare(b.Until) })
	return saved
}
