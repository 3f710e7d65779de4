package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// Entity is a queue's part of a Store. It is a queue.Store.
type Entity struct {
	store  *Store
	id     uint32
	path   string
	body   json.RawMessage // guarded by the store's mutex
	ticket atomic.Uint64   // of the last change
}

func fold(path string) string { return strings.ToLower(path) }

// readEntities finds the entities of the file.
func (s *Store) readEntities() error {
	return s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketEntities)
		if b == nil {
			return nil
		}
		return b.ForEach(func(_, value []byte) error {
			var d description
			if err := json.Unmarshal(value, &d); err != nil {
				return fmt.Errorf("%w: read entities: %w", ErrDamaged, err)
			}
			s.entities[fold(d.Path)] = &Entity{store: s, id: d.ID, path: d.Path, body: d.Body}
			s.nextID = max(s.nextID, d.ID+1)
			return nil
		})
	})
}

// Entities returns the entities that are kept, sorted by path.
func (s *Store) Entities() []*Entity {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Entity, 0, len(s.entities))
	for _, e := range s.entities {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *Entity) int { return strings.Compare(a.path, b.path) })
	return all
}

// Create keeps a new entity with its description, which is JSON. There must be none
// with the path.
func (s *Store) Create(path string, body []byte) *Entity {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := &Entity{store: s, id: s.nextID, path: path}
	s.nextID++
	s.entities[fold(path)] = e
	e.describe(body)
	return e
}

// Describe gives an entity another description. It does nothing to one that has
// ended, or is so described already.
func (e *Entity) Describe(body []byte) {
	e.store.mu.Lock()
	defer e.store.mu.Unlock()
	if e.store.entities[fold(e.path)] == e && !bytes.Equal(e.body, body) {
		e.describe(body)
	}
}

// describe notes the description; the caller holds the store's mutex.
func (e *Entity) describe(body []byte) {
	e.body = body
	ticket := e.store.append(change{entity: e.id, put: &description{ID: e.id, Path: e.path, Body: body}})
	e.ticket.Store(ticket)
	e.store.described.Store(ticket)
}

// Delete ends entities and all that is in them, all of them at once. What is still
// appended to them is not kept.
func (s *Store) Delete(entities ...*Entity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var changes []change
	for _, e := range entities {
		if s.entities[fold(e.path)] == e {
			delete(s.entities, fold(e.path))
			changes = append(changes, change{entity: e.id, delete: true, Change: queue.Change{ID: fold(e.path)}})
		}
	}
	if len(changes) > 0 {
		s.described.Store(s.append(changes...))
	}
}

// Path is the entity's path.
func (e *Entity) Path() string { return e.path }

// Body is the entity's description.
func (e *Entity) Body() json.RawMessage {
	e.store.mu.Lock()
	defer e.store.mu.Unlock()
	return e.body
}

// Ticket returns the ticket of all that was appended to the entity so far. It is good
// for the whole of a unit that something of it was in.
func (e *Entity) Ticket() uint64 { return e.ticket.Load() }

// Begin implements queue.Store.
func (e *Entity) Begin() (end func()) {
	e.store.units.RLock()
	return e.store.units.RUnlock
}

// Append implements queue.Store.
func (e *Entity) Append(changes []queue.Change) {
	all := make([]change, len(changes))
	for i, c := range changes {
		all[i] = change{entity: e.id, Change: c}
	}
	e.store.mu.Lock()
	defer e.store.mu.Unlock()
	e.ticket.Store(e.store.append(all...))
}

// Load implements queue.Store.
func (e *Entity) Load(dead bool, sequence int64) []byte {
	return e.store.load(location{e.id, dead, sequence})
}

// Safe implements queue.Store.
func (e *Entity) Safe(dead bool, sequence int64, ready func()) bool {
	s := e.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, waiting := s.payloads[location{e.id, dead, sequence}]; !waiting {
		return true
	}
	s.ready[location{e.id, dead, 0}] = ready
	return false
}

// Saved reads what is kept of the queue; its messages are read when they are ranged
// over. It is for the beginning, before anything is appended.
func (e *Entity) Saved(now time.Time) (queue.Saved, error) {
	saved := queue.Saved{Messages: e.messages}
	var over []queue.Change
	err := e.view(func(b *bolt.Bucket) error {
		if last := b.Get(keyLast); len(last) == 8 {
			saved.Last = int64(binary.BigEndian.Uint64(last))
		}
		return errors.Join(
			readSessions(b.Bucket(bucketSessions), &saved), readHistory(b.Bucket(bucketHistory), now, &saved, &over))
	})
	if err != nil {
		return queue.Saved{}, err
	}
	if len(over) > 0 {
		e.Append(over)
	}
	return saved, nil
}

// view reads the entity's bucket, where there is one yet.
func (e *Entity) view(read func(*bolt.Bucket) error) error {
	err := e.store.db.View(func(tx *bolt.Tx) error {
		if b := tx.Bucket(entityName(e.id)); b != nil {
			return read(b)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read %s from the disk: %w", e.path, err)
	}
	return nil
}

// errEnough ends reading where nobody wants more.
var errEnough = errors.New("enough")

func (e *Entity) messages(yield func(queue.SavedMessage, error) bool) {
	err := e.view(func(b *bolt.Bucket) error {
		if err := readMessages(b.Bucket(bucketMessages), false, yield); err != nil {
			return err
		}
		return readMessages(b.Bucket(bucketDead), true, yield)
	})
	if err != nil && !errors.Is(err, errEnough) {
		yield(queue.SavedMessage{}, err)
	}
}

func readMessages(b *bolt.Bucket, dead bool, yield func(queue.SavedMessage, error) bool) error {
	if b == nil {
		return nil
	}
	return b.ForEach(func(key, value []byte) error {
		r, err := readRecord(value)
		if err != nil || len(key) != 8 {
			return errRecord
		}
		size := len(r.Payload)
		r.Payload = nil // it is the file's
		if !yield(queue.SavedMessage{Dead: dead, Sequence: int64(binary.BigEndian.Uint64(key)), Size: size, Record: r}, nil) {
			return errEnough
		}
		return nil
	})
}

func readSessions(b *bolt.Bucket, saved *queue.Saved) error {
	if b == nil {
		return nil
	}
	return b.ForEach(func(key, value []byte) error {
		if len(key) < 1 || len(value) < 8 {
			return errRecord
		}
		saved.Sessions = append(saved.Sessions, queue.SavedSession{
			ID: string(key[1:]), Changed: unixNano(value), State: append([]byte{}, value[8:]...),
		})
		return nil
	})
}

// readHistory leaves out what need not be remembered any more.
func readHistory(b *bolt.Bucket, now time.Time, saved *queue.Saved, over *[]queue.Change) error {
	if b == nil {
		return nil
	}
	err := b.ForEach(func(key, value []byte) error {
		if len(value) != 8 {
			return errRecord
		}
		if until := unixNano(value); until.After(now) {
			saved.History = append(saved.History, queue.SavedID{ID: string(key), Until: until})
		} else {
			*over = append(*over, queue.Change{Kind: queue.ChangeHistory, ID: string(key)})
		}
		return nil
	})
	slices.SortFunc(saved.History, func(a, b queue.SavedID) int { return a.Until.Compare(b.Until) })
	return err
}
