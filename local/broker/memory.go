package broker

import (
	"fmt"
	"sync/atomic"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file bounds what the server holds for its peers besides messages in queues:
// frames that are read ahead, messages that have come or gone in part, replies, what
// is yet to be written, links, sessions and unsettled deliveries, and descriptions that
// are put to the management API. Each of these is bounded for one connection or one
// link, and the product of the bounds is more than any machine has. So there is a bound
// on the sum, and who holds the most of it when it is reached is closed with
// amqp:resource-limit-exceeded, or answered with 503.

// What things without a size of their own are taken for, in bytes.
const (
	sessionWeight   = 1 << 10
	linkWeight      = 1 << 10
	unsettledWeight = 128
	// decodedWeight is what a byte of a frame takes once it is decoded, at most.
	decodedWeight = 32
)

// memory is what all connections hold. The zero memory bounds nothing.
type memory struct {
	most  int64
	total atomic.Int64
}

// held is what one connection or request holds.
type held struct {
	bytes atomic.Int64
	// over tells that the connection is to end, because it holds the most. It does
	// not count any more.
	over atomic.Bool
	// end has whoever holds it look at over. It is called with the server's mutex held.
	end func()
}

// hold notes that h is n bytes more, or less. It may be called from any goroutine.
func (s *Server) hold(h *held, n int64) {
	if n == 0 {
		return
	}
	h.bytes.Add(n)
	if total := s.memory.total.Add(n); n > 0 && s.memory.most > 0 && total > s.memory.most {
		s.relieve()
	}
}

// letGo notes that h is nothing any more.
func (s *Server) letGo(h *held) { s.memory.total.Add(-h.bytes.Swap(0)) }

// hold notes that the connection holds n bytes more, or less. It may be called from
// any goroutine.
func (c *conn) hold(n int64) { c.server.hold(&c.held, n) }

// relieve has the connections and requests end that hold the most, until the rest
// holds no more than it may.
func (s *Server) relieve() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.memory.total.Load() > s.memory.most {
		var most *held
		weigh := func(h *held) {
			if !h.over.Load() && (most == nil || h.bytes.Load() > most.bytes.Load()) {
				most = h
			}
		}
		for c := range s.conns {
			weigh(&c.held)
		}
		for h := range s.requests {
			weigh(h)
		}
		if most == nil {
			return
		}
		most.over.Store(true)
		s.letGo(most)
		most.end()
	}
}

// account tells what the connection's own goroutine holds. The error ends the
// connection, if it holds too much.
func (c *conn) account() error {
	backlog, buffers := c.outbox.backlog()
	c.queued = backlog + len(c.out) + c.waits
	now := c.weight + int64(c.incomplete+c.sending+c.replyBytes+c.waits+buffers+cap(c.out))
	c.hold(now - c.told)
	c.told = now
	if c.held.over.Load() {
		return refuse(wire.CondResourceLimitExceeded, "%s", c.server.overfull("connection"))
	}
	return nil
}

// overfull tells why something that held the most has to end.
func (s *Server) overfull(what string) string {
	return fmt.Sprintf("The connections to the broker hold more memory than its limit of %d bytes, and this %s held the most.", s.memory.most, what)
}

// weightOf is what a link is taken for that an attach makes.
func weightOf(a *wire.Attach) int64 {
	weight := linkWeight + len(a.Name)
	if a.Source != nil {
		weight += len(a.Source.Address)
	}
	if a.Target != nil {
		weight += len(a.Target.Address)
	}
	return int64(weight)
}

// awaits tells what a link takes whose attach is not answered yet.
func (l *link) awaits(reply *wire.Attach) {
	b, err := wire.AppendFrame(nil, 0, reply, nil)
	if err != nil {
		return // it can't be answered either
	}
	weight := int64(len(b)) * decodedWeight
	l.weight += weight
	l.session.conn.weight += weight
}
