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
// dead-letter queue, its sessions and the message ids that it remembers. See total.go
// for one more.
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
	tx    *bolt.Tx
	parts map[partKey]*part
	total uint64 // what is to be added to that of the file
}

type partKey struct {
	entity uint32
	name   string
}

// part returns a part of an entity, one without a bucket for an entity that has ended.
// Without a name it is what the entity has of its own.
func (w *writer) part(entity uint32, name []byte) (*part, error) {
	key := partKey{entity, string(name)}
	if p, known := w.parts[key]; known {
		return p, nil
	}
	owner := entityName(entity)
	b := w.tx.Bucket(owner)
	if b != nil && name != nil {
		var err error
		if b, err = b.CreateBucketIfNotExists(name); err != nil {
			return nil, fmt.Errorf("make bucket: %w", err)
		}
		b.FillPercent = denseFill
	}
	p := makePart(b, owner, name)
	w.parts[key] = p
	return p, nil
}

// set gives a key a value in place of the one that it has; nil is none.
func (w *writer) set(p *part, key, value []byte) error {
	// Most messages are new and behind all others: then nothing has to be looked for.
	if p.last == nil || bytes.Compare(key, p.last) <= 0 {
		c := p.Cursor()
		at, old := c.Seek(key)
		switch {
		case at == nil:
			p.last = key
		case bytes.Equal(at, key):
			w.total -= p.digest(key, old)
			if value == nil {
				return c.Delete()
			}
		}
	} else if value != nil {
		p.last = key
	}
	if value == nil {
		return nil
	}
	w.total += p.digest(key, value)
	return p.Put(key, value)
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
	p, err := w.part(c.entity, name)
	if err != nil || p.Bucket == nil {
		return err
	}
	switch c.Kind {
	case queue.ChangePut:
		sum := checksum(c.Record.Payload)
		if c.Record.Payload == nil {
			sum++ // it could not be read where it was, and it can't be here
		}
		return w.put(p, c.Sequence, c.Record, sum)
	case queue.ChangeState:
		return w.state(p, c)
	case queue.ChangeDelete:
		return w.set(p, sequenceKey(c.Sequence), nil)
	case queue.ChangeLast:
		return w.set(p, keyLast, sequenceKey(c.Sequence))
	case queue.ChangeHistory:
		if c.Time.IsZero() {
			return w.set(p, []byte(c.ID), nil)
		}
		return w.set(p, []byte(c.ID), binary.BigEndian.AppendUint64(nil, uint64(c.Time.UnixNano())))
	case queue.ChangeSession:
		if c.State == nil {
			return w.set(p, sessionKey(c.ID), nil)
		}
		return w.set(p, sessionKey(c.ID), append(binary.BigEndian.AppendUint64(nil, uint64(c.Time.UnixNano())), c.State...))
	}
	return fmt.Errorf("change of unknown kind %d", c.Kind)
}

// sessionKey stands for a session id, which may be empty, as no key may.
func sessionKey(id string) []byte { return append([]byte{'='}, id...) }

func (w *writer) put(p *part, sequence int64, r queue.Record, checksum uint32) error {
	// bbolt keeps the value until the transaction ends.
	value, err := appendRecord(make([]byte, 0, fixedSize+16+len(r.Payload)), r, checksum)
	if err != nil {
		return err
	}
	return w.set(p, sequenceKey(sequence), value)
}

// state changes what is kept of a message besides its payload.
func (w *writer) state(p *part, c *change) error {
	old := p.Get(sequenceKey(c.Sequence))
	if old == nil {
		return nil // the batch is tried again, and the deletion was in it
	}
	r, err := readRecord(old)
	if err != nil {
		return err
	}
	r.Deliveries, r.Deferred, r.Overlay = c.Record.Deliveries, c.Record.Deferred, c.Record.Overlay
	return w.put(p, c.Sequence, r, checksumOf(old))
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
	if err := w.set(makePart(b, nil, bucketEntities), []byte(fold(c.put.Path)), text); err != nil {
		return fmt.Errorf("put entity: %w", err)
	}
	if _, err := w.tx.CreateBucketIfNotExists(entityName(c.entity)); err != nil {
		return fmt.Errorf("make bucket: %w", err)
	}
	clear(w.parts)
	return nil
}

func (w *writer) forget(c *change) error {
	if b := w.tx.Bucket(bucketEntities); b != nil {
		if err := w.set(makePart(b, nil, bucketEntities), []byte(c.ID), nil); err != nil {
			return fmt.Errorf("delete entity: %w", err)
		}
	}
	clear(w.parts)
	name := entityName(c.entity)
	b := w.tx.Bucket(name)
	if b == nil {
		return nil
	}
	sum, err := sumEntity(b, name)
	if err != nil {
		return fmt.Errorf("delete entity: %w", err)
	}
	w.total -= sum
	return w.tx.DeleteBucket(name)
}

func unixNano(b []byte) time.Time { return time.Unix(0, int64(binary.BigEndian.Uint64(b))) }
