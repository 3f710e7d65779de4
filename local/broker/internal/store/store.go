package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// retryAfter is the time between attempts while the disk takes nothing.
const retryAfter = time.Second

// ErrRefused is what Err and Wait return while the disk takes nothing, with its own
// error.
var ErrRefused = errors.New("the disk takes nothing at the moment")

// Options are those of a Store. The zero value is good.
type Options struct {
	// Logger takes what happens to the disk. Nil discards.
	Logger *slog.Logger
	// Slow, when set, is called before every transaction, to play a slow disk. Its
	// error is taken for the disk's.
	Slow func() error
	// Room returns how many bytes are free on the disk that a file is on, and how many
	// the disk has; nil asks the system.
	Room func(name string) (room, whole int64, known bool)
}

// Store is the file and what waits to be written to it. Its methods may be called
// from any goroutine.
type Store struct {
	db  *file
	log *slog.Logger
	o   Options

	wake   chan struct{} // holds a token when there is something to write
	ending chan struct{}
	done   sync.WaitGroup

	// units is held for reading by those who append what must be written together, and
	// for writing while pending is taken. It is taken before mu.
	units sync.RWMutex

	synced    atomic.Uint64 // everything up to this ticket is on disk
	backlog   atomic.Int64  // bytes of what is not on disk yet
	described atomic.Uint64 // ticket of the last change to which entities there are
	spare     atomic.Int64  // bytes that new messages may take, when it was last looked at
	low       bool          // spare is negative; the writing goroutine's

	mu        sync.Mutex
	entities  map[string]*Entity // by folded path
	nextID    uint32
	pending   []change
	taken     uint64              // how many changes came before those of pending
	payloads  map[location][]byte // of pending and of what is written now
	ready     map[location]func() // what waits for one of these, by its queue
	listeners map[chan<- struct{}]bool
	failure   error // why the disk took nothing the last time
}

// location is where a message is.
type location struct {
	entity   uint32
	dead     bool
	sequence int64
}

// change is something to be written.
type change struct {
	entity uint32
	queue.Change
	put    *description // an entity is made or described anew
	delete bool         // an entity ends
}

// bytes is about how much the change takes while it waits.
func (c *change) bytes() int64 {
	n := 256 + len(c.Record.Payload) + len(c.State) + len(c.ID)
	if c.put != nil {
		n += len(c.put.Body)
	}
	for name, v := range c.Record.Overlay {
		n += 64 + len(name)
		switch v := v.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		}
	}
	return int64(n)
}

func (c *change) putsMessage() bool { return c.Kind == queue.ChangePut && c.put == nil && !c.delete }

// Open opens the store in a folder, which it makes if need be. The error is ErrInUse,
// ErrDamaged, or that of the disk.
func Open(folder string, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Room == nil {
		o.Room = roomOf
	}
	db, err := openFile(folder, o.Logger)
	if err != nil {
		return nil, err
	}
	s := &Store{
		db: db, log: o.Logger, o: o,
		wake: make(chan struct{}, 1), ending: make(chan struct{}),
		entities: make(map[string]*Entity), payloads: make(map[location][]byte), ready: make(map[location]func()),
		listeners: make(map[chan<- struct{}]bool),
	}
	if err := s.readEntities(); err != nil {
		return nil, errors.Join(fmt.Errorf("open data in %s: %w", folder, err), db.Close())
	}
	s.measure()
	s.done.Go(s.write)
	return s, nil
}

// Close writes what waits to be written and closes the file. While the disk takes
// nothing, what waits is lost, which nobody was told was safe; the error says so.
func (s *Store) Close() error {
	close(s.ending)
	s.done.Wait()
	if err := errors.Join(s.Err(), s.db.Close()); err != nil {
		return fmt.Errorf("close data: %w", err)
	}
	return nil
}

// Synced returns the ticket up to which everything is on disk. Tickets are given out
// by Described and by Entity.Ticket.
func (s *Store) Synced() uint64 { return s.synced.Load() }

// Backlog is how many bytes wait to be written. Nothing bounds them here: whoever
// appends for others is to let them wait when there are many.
func (s *Store) Backlog() int64 { return s.backlog.Load() }

// Described returns the ticket of the last change to which entities there are and
// what they are.
func (s *Store) Described() uint64 { return s.described.Load() }

// Listen has a token put into a channel, if it has room, whenever Synced grows or
// the disk does not take something. The function that it returns ends this.
func (s *Store) Listen(c chan<- struct{}) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners[c] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.listeners, c)
	}
}

// Wait waits until everything up to a ticket is on disk. The error is that of the
// disk, as soon as it takes nothing, or of ctx; what waits is not given up by it.
func (s *Store) Wait(ctx context.Context, ticket uint64) error {
	news := make(chan struct{}, 1)
	defer s.Listen(news)()
	for s.Synced() < ticket {
		if err := s.Err(); err != nil {
			return fmt.Errorf("keep it on disk: %w", err)
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("keep it on disk: %w", ctx.Err())
		}
	}
	return nil
}

// Err says why the disk takes nothing at the moment, nil while it does.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// append adds changes and returns their ticket; the caller holds the mutex.
func (s *Store) append(changes ...change) uint64 {
	for i := range changes {
		c := &changes[i]
		if c.putsMessage() {
			s.payloads[location{c.entity, c.Dead, c.Sequence}] = c.Record.Payload
		}
		s.backlog.Add(c.bytes())
	}
	s.pending = append(s.pending, changes...)
	signal(s.wake)
	return s.last()
}

// last is the ticket of all that was appended so far; the caller holds the mutex.
func (s *Store) last() uint64 { return s.taken + uint64(len(s.pending)) }

// take takes what waits to be written, with its ticket.
func (s *Store) take() ([]change, uint64) {
	s.units.Lock()
	defer s.units.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := s.pending
	s.pending = nil
	s.taken += uint64(len(batch))
	return batch, s.taken
}

// write is the goroutine that writes.
func (s *Store) write() {
	for {
		ended := false
		select {
		case <-s.wake:
		case <-s.again():
			s.measure()
		case <-s.ending:
			ended = true
		}
		if !s.writeAll() || ended {
			return
		}
	}
}

// writeAll writes until nothing waits. It returns false when the store ends before
// the disk has taken everything.
func (s *Store) writeAll() bool {
	for {
		batch, ticket := s.take()
		if len(batch) == 0 {
			return true
		}
		for err := s.transact(batch); err != nil; {
			s.fail(err)
			select {
			case <-s.ending:
				return false
			case <-time.After(retryAfter):
			}
			if err = s.db.heal(); err == nil {
				err = s.transact(batch)
			}
		}
		s.measure()
		s.safe(batch, ticket)
	}
}

// fail notes that the disk took nothing.
func (s *Store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil {
		s.log.Error("the disk does not take what must be kept; it is tried again", "error", err)
	}
	s.failure = fmt.Errorf("%w: %w", ErrRefused, err)
	s.tell()
}

// safe notes that a batch is on disk, and tells everybody who waits for it.
func (s *Store) safe(batch []change, ticket uint64) {
	s.mu.Lock()
	for i := range batch {
		c := &batch[i]
		if c.putsMessage() {
			delete(s.payloads, location{c.entity, c.Dead, c.Sequence})
		}
		s.backlog.Add(-c.bytes())
	}
	if s.failure != nil {
		s.log.Info("the disk takes again what must be kept")
		s.failure = nil
	}
	s.synced.Store(ticket)
	s.tell()
	ready := slices.Collect(maps.Values(s.ready))
	clear(s.ready)
	s.mu.Unlock()
	for _, call := range ready {
		call()
	}
}

// tell tells the listeners; the caller holds the mutex.
func (s *Store) tell() {
	for c := range s.listeners {
		signal(c)
	}
}

// signal leaves a token in a channel that has room for one.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// transact writes a batch in one transaction.
func (s *Store) transact(batch []change) error {
	if s.o.Slow != nil {
		if err := s.o.Slow(); err != nil {
			return err
		}
	}
	if err := s.db.named(); err != nil {
		return err
	}
	return guard(func() error {
		tx, err := s.db.Begin(true)
		if err != nil {
			return err
		}
		// Update would read the file once more after a panic.
		defer func() { _ = tx.Rollback() }() // it has ended, unless something is wrong already
		w := writer{tx: tx, parts: make(map[partKey]*part)}
		for i := range batch {
			if err := w.write(&batch[i]); err != nil {
				return err
			}
		}
		if err := addTotal(tx, w.total); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// load returns the payload of a message, nil where there is none.
func (s *Store) load(at location) []byte {
	s.mu.Lock()
	payload, waiting := s.payloads[at]
	s.mu.Unlock()
	if waiting {
		return payload
	}
	err := guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			b := tx.Bucket(entityName(at.entity))
			if b == nil {
				return errRecord
			}
			if b = b.Bucket(messagesName(at.dead)); b == nil {
				return errRecord
			}
			read, err := readPayload(b.Get(sequenceKey(at.sequence)))
			payload = bytes.Clone(read)
			return err
		})
	})
	if err != nil {
		s.log.Error("a message can't be read from the disk", "file", s.db.name, "sequence", at.sequence, "error", err)
	}
	return payload
}

func sequenceKey(sequence int64) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(sequence))
}
