package broker

import (
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file holds frames back until what they rest on is on disk. The frames of a
// connection go out in their order, so one that must wait holds up those behind
// it; the disk is asked for nothing while they wait, and writes what has gathered.

// mark tells that the frames from an offset in conn.out on must wait for a ticket
// of the store.
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
	return c.server.store.Listen(c.synced)
}

// flushAll gives everything to the outbox, as soon as it may go.
func (c *conn) flushAll() {
	patience := time.NewTimer(syncPatience)
	defer patience.Stop()
	for c.flush(); len(c.marks) > 0; c.flush() {
		select {
		case <-c.synced:
		case <-patience.C:
			return
		}
	}
}

// rest notes that the frames from an offset on rest on what has a ticket of the
// store.
func (c *conn) rest(offset int, ticket uint64) {
	c.wrote = max(c.wrote, ticket)
	if c.server.store == nil || offset == len(c.out) || ticket <= c.server.store.Synced() {
		return
	}
	if n := len(c.marks); n == 0 || c.marks[n-1].ticket < ticket {
		c.marks = append(c.marks, mark{offset, ticket})
	}
}

// overtake writes a frame that may go out before those that wait for the disk:
// neither rests on them, nor do they on it. While the disk takes nothing, senders
// hear of it so.
func (c *conn) overtake(channel uint16, p wire.Performative) {
	if len(c.marks) == 0 {
		c.write(channel, p)
		return
	}
	frame, err := wire.AppendFrame(nil, channel, p, nil)
	if err != nil {
		c.log.Error("frame could not be encoded", "error", err)
		return
	}
	c.outbox.add(frame)
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

// safe returns how many bytes of conn.out may go.
func (c *conn) safe() int {
	if len(c.marks) == 0 {
		return len(c.out)
	}
	synced := c.server.store.Synced()
	for len(c.marks) > 0 && c.marks[0].ticket <= synced {
		c.marks = c.marks[1:]
	}
	if len(c.marks) == 0 {
		c.marks = nil
		return len(c.out)
	}
	n := c.marks[0].offset
	for i := range c.marks {
		c.marks[i].offset -= n
	}
	return n
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
