package broker

import "time"

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

// rest notes that frames from an offset on rest on all that the store was given so
// far. That is more than what was done for them; but it is all written at once.
func (c *conn) rest(offset int) {
	if c.server.store == nil || offset == len(c.out) {
		return
	}
	ticket := c.server.store.Last()
	if n := len(c.marks); n == 0 || c.marks[n-1].ticket < ticket {
		c.marks = append(c.marks, mark{offset, ticket})
	}
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
