package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// Entity is a queue's part of a Store. It is a queue.Store.
type Entity struct {
	store *Store
	id    uint32
	path  string
	body  json.RawMessage
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
				return fmt.Errorf("read entities: %w", err)
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

// Describe keeps an entity with its description, which is JSON, and returns it. An
// entity that is there already gets the new description.
func (s *Store) Describe(path string, body []byte) *Entity {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, known := s.entities[fold(path)]
	if known && bytes.Equal(e.body, body) {
		return e
	}
	if !known {
		e = &Entity{store: s, id: s.nextID, path: path}
		s.nextID++
		s.entities[fold(path)] = e
	}
	e.body = body
	s.append(change{entity: e.id, put: &description{ID: e.id, Path: path, Body: body}})
	return e
}

// Delete ends an entity and all that is in it.
func (s *Store) Delete(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, known := s.entities[fold(path)]
	if !known {
		return
	}
	delete(s.entities, fold(path))
	c := change{entity: e.id, delete: true}
	c.ID = fold(path)
	s.append(c)
}

// Path is the entity's path, and Body its description.
func (e *Entity) Path() string          { return e.path }
func (e *Entity) Body() json.RawMessage { return e.body }

// Append implements queue.Store.
func (e *Entity) Append(changes []queue.Change) {
	all := make([]change, len(changes))
	for i, c := range changes {
		all[i] = change{entity: e.id, Change: c}
	}
	e.store.mu.Lock()
	defer e.store.mu.Unlock()
	e.store.append(all...)
}

// Load implements queue.Store.
func (e *Entity) Load(dead bool, sequence int64) []byte {
	return e.store.load(location{e.id, dead, sequence})
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
