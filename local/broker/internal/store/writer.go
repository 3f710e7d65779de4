package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// The file has a bucket with the descriptions of the entities, by folded path, and
// one for each entity, by its id, with buckets for its messages, those of its
// dead-letter queue, its sessions and the message ids that it remembers.
var (
	bucketEntities = []byte("entities")
	bucketMessages = []byte("messages")
	bucketDead     = []byte("dead")
	bucketSessions = []byte("sessions")
	bucketHistory  = []byte("history")
	keyLast        = []byte("last")
)

// denseFill is how full pages are left that grow at their end only.
const denseFill = 0.95

const entityPrefix = "entity "

func entityName(id uint32) []byte { return strconv.AppendUint([]byte(entityPrefix), uint64(id), 10) }

func isEntityName(name []byte) bool { return bytes.HasPrefix(name, []byte(entityPrefix)) }

func messagesName(dead bool) []byte {
	if dead {
		return bucketDead
	}
	return bucketMessages
}

// writer writes one batch.
type writer struct {
	tx      *bolt.Tx
	buckets map[bucketKey]*bolt.Bucket
	buffer  []byte
}

type bucketKey struct {
	entity uint32
	name   string
}

// bucket returns a bucket of an entity, nil for an entity that has ended.
func (w *writer) bucket(entity uint32, name []byte) (*bolt.Bucket, error) {
	key := bucketKey{entity, string(name)}
	if b, known := w.buckets[key]; known {
		return b, nil
	}
	parent := w.tx.Bucket(entityName(entity))
	if parent == nil {
		w.buckets[key] = nil
		return nil, nil
	}
	b := parent
	if name != nil {
		var err error
		if b, err = parent.CreateBucketIfNotExists(name); err != nil {
			return nil, fmt.Errorf("make bucket: %w", err)
		}
		b.FillPercent = denseFill
	}
	w.buckets[key] = b
	return b, nil
}

func (w *writer) write(c *change) error {
	switch {
	case c.put != nil:
		return w.describe(c)
	case c.delete:
		return w.forget(c)
	}
	name := messagesName(c.Dead)
	switch c.Kind {
	case queue.ChangeSession:
		name = bucketSessions
	case queue.ChangeHistory:
		name = bucketHistory
	case queue.ChangeLast:
		name = nil
	}
	b, err := w.bucket(c.entity, name)
	if err != nil || b == nil {
		return err
	}
	switch c.Kind {
	case queue.ChangePut:
		return w.put(b, c.Sequence, c.Record)
	case queue.ChangeState:
		return w.state(b, c)
	case queue.ChangeDelete:
		return b.Delete(sequenceKey(c.Sequence))
	case queue.ChangeLast:
		return b.Put(keyLast, sequenceKey(c.Sequence))
	case queue.ChangeHistory:
		if c.Time.IsZero() {
			return b.Delete([]byte(c.ID))
		}
		return b.Put([]byte(c.ID), binary.BigEndian.AppendUint64(nil, uint64(c.Time.UnixNano())))
	case queue.ChangeSession:
		if c.State == nil {
			return b.Delete(sessionKey(c.ID))
		}
		return b.Put(sessionKey(c.ID), append(binary.BigEndian.AppendUint64(nil, uint64(c.Time.UnixNano())), c.State...))
	}
	return fmt.Errorf("change of unknown kind %d", c.Kind)
}

// sessionKey stands for a session id, which may be empty, as no key may.
func sessionKey(id string) []byte { return append([]byte{'='}, id...) }

func (w *writer) put(b *bolt.Bucket, sequence int64, r queue.Record) error {
	// bbolt keeps the value until the transaction ends.
	value, err := appendRecord(make([]byte, 0, fixedSize+16+len(r.Payload)), r)
	if err != nil {
		return err
	}
	return b.Put(sequenceKey(sequence), value)
}

// state changes what is kept of a message besides its payload.
func (w *writer) state(b *bolt.Bucket, c *change) error {
	old := b.Get(sequenceKey(c.Sequence))
	if old == nil {
		return nil // the batch is tried again, and the deletion was in it
	}
	r, err := readRecord(old)
	if err != nil {
		return err
	}
	r.Deliveries, r.Deferred, r.Overlay = c.Record.Deliveries, c.Record.Deferred, c.Record.Overlay
	return w.put(b, c.Sequence, r)
}

// description is what is kept of an entity itself.
type description struct {
	ID   uint32          `json:"id"`
	Path string          `json:"path"`
	Body json.RawMessage `json:"body"`
}

func (w *writer) describe(c *change) error {
	b, err := w.tx.CreateBucketIfNotExists(bucketEntities)
	if err != nil {
		return fmt.Errorf("make bucket: %w", err)
	}
	text, err := json.Marshal(c.put)
	if err != nil {
		return fmt.Errorf("encode entity: %w", err)
	}
	if err := b.Put([]byte(fold(c.put.Path)), text); err != nil {
		return fmt.Errorf("put entity: %w", err)
	}
	if _, err := w.tx.CreateBucketIfNotExists(entityName(c.entity)); err != nil {
		return fmt.Errorf("make bucket: %w", err)
	}
	clear(w.buckets)
	return nil
}

func (w *writer) forget(c *change) error {
	if b := w.tx.Bucket(bucketEntities); b != nil {
		if err := b.Delete([]byte(c.ID)); err != nil {
			return fmt.Errorf("delete entity: %w", err)
		}
	}
	clear(w.buckets)
	if w.tx.Bucket(entityName(c.entity)) == nil {
		return nil
	}
	return w.tx.DeleteBucket(entityName(c.entity))
}

func unixNano(b []byte) time.Time { return time.Unix(0, int64(binary.BigEndian.Uint64(b))) }
