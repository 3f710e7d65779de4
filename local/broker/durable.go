package broker

import (
	"slices"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file holds frames back until what they rest on is on disk. The frames of a
// session go out in their order, so one that must wait holds up those behind it, and
// nothing else: the clients have a session for each link. The disk is asked for nothing
// while they wait, and writes what has gathered.

// waiting are the frames of a session that wait for the disk.
type waiting struct {
	frames []byte
	marks  []mark
}

// mark tells that the frames from an offset on must wait for a ticket of the store.
type mark struct {
	offset int
	ticket uint64
}

// syncPatience is how long a connection that ends waits for the disk.
const syncPatience = 5 * time.Second

// listen has the connection hear of it when the disk has written, until the
// function that it returns is called.
func (c *conn) listen() (stop func()) {
	if c.server.store == nil {
		return func() {}
	}
	return c.server.store.Listen(c.written)
}

// write writes a frame of the session.
func (s *session) write(p wire.Performative) { s.writeAfter(0, p) }

// writeAfter writes a frame that rests on what has a ticket of the store.
func (s *session) writeAfter(ticket uint64, p wire.Performative) {
	s.append(ticket, func(b []byte) ([]byte, error) { return wire.AppendFrame(b, s.channel, p, nil) })
}

// overtake writes a frame that may go out before those that wait for the disk:
// neither rests on them, nor do they on it. While the disk takes nothing, senders
// hear of it so.
func (s *session) overtake(p wire.Performative) { s.conn.write(s.channel, p) }

// append encodes a frame to where it goes, and tells whether it could.
func (s *session) append(ticket uint64, encode func([]byte) ([]byte, error)) bool {
	c, to := s.conn, &s.conn.out
	if s.rests(ticket) {
		to = &s.waiting.frames
	}
	before := len(*to)
	b, err := encode(*to)
	if err != nil {
		// All values that we write were made or decoded here.
		c.log.Error("frame could not be encoded", "error", err)
		return false
	}
	if *to = b; to != &c.out {
		c.waits += len(b) - before
	}
	return true
}

// rests tells whether the next frame of the session must wait: for a ticket, or for
// those before it.
func (s *session) rests(ticket uint64) bool {
	c, w := s.conn, &s.waiting
	if c.note(ticket); ticket > c.synced() {
		n := len(w.marks)
		if n == 0 {
			c.holding = append(c.holding, s)
		}
		if n == 0 || w.marks[n-1].ticket < ticket {
			w.marks = append(w.marks, mark{len(w.frames), ticket})
		}
	}
	return len(w.marks) > 0
}

// succeed puts the frames of a new session behind those of the one that was on its
// channel before, as long as these wait: who has ended a session may use its channel
// again at once (part 2, section 2.5.5).
func (c *conn) succeed(s *session) {
	for i, before := range c.holding {
		if before.channel == s.channel {
			s.waiting = before.waiting
			c.holding[i] = s
		}
	}
}

// note remembers the ticket of what the peer had written.
func (c *conn) note(ticket uint64) { c.wrote = max(c.wrote, ticket) }

// synced is the ticket up to which everything is on disk.
func (c *conn) synced() uint64 {
	if c.server.store == nil {
		return 0
	}
	return c.server.store.Synced()
}

// release moves the frames that need not wait any more to those that go out.
func (c *conn) release() {
	if len(c.holding) == 0 {
		return
	}
	synced := c.synced()
	c.holding = slices.DeleteFunc(c.holding, func(s *session) bool {
		n := s.waiting.safe(synced)
		c.out = append(c.out, s.waiting.frames[:n]...)
		c.waits -= n
		if s.waiting.frames = s.waiting.frames[n:]; len(s.waiting.marks) > 0 {
			return false
		}
		s.waiting = waiting{}
		return true
	})
}

// safe returns how many bytes need not wait any more. They are about to go.
func (w *waiting) safe(synced uint64) int {
	for len(w.marks) > 0 && w.marks[0].ticket <= synced {
		w.marks = w.marks[1:]
	}
	if len(w.marks) == 0 {
		return len(w.frames)
	}
	n := w.marks[0].offset
	for i := range w.marks {
		w.marks[i].offset -= n
	}
	return n
}

// settle waits until no frame waits for the disk, and no longer than syncPatience.
func (c *conn) settle() {
	patience := time.NewTimer(syncPatience)
	defer patience.Stop()
	for c.release(); len(c.holding) > 0; c.release() {
		select {
		case <-c.written:
		case <-patience.C:
			return
		}
	}
}

// ticket is that of all that was done to the entity so far, and to others by what it
// passed on. What is kept nowhere, or nil, has the ticket 0, for which nobody waits.
func (e *entity) ticket() uint64 {
	if e == nil || e.kept == nil {
		return 0
	}
	return e.kept.Ticket()
}

// describedTicket is that of which entities there are.
func (s *Server) describedTicket() uint64 {
	if s.store == nil {
		return 0
	}
	return s.store.Described()
}

// maxBehind is how many bytes may wait for the disk before the peers have to that sent
// them.
const maxBehind = 64 << 20

// behind tells that so much waits for the disk, of this connection too, that no more
// is read from its peer until it is written. While the disk takes nothing, requests
// are read nevertheless, up to a point, so that the peer learns of it.
func (c *conn) behind() bool {
	disk := c.server.store
	if disk == nil || c.wrote <= disk.Synced() {
		return false
	}
	waits := disk.Backlog()
	return waits > 4*maxBehind || waits > maxBehind && disk.Err() == nil
}
