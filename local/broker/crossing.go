package broker

import (
	"sync"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// maxCrossings is how many settlements a server remembers that crossed a detach.
const maxCrossings = 10000

// crossings are settlements that crossed the detach of their link. They were carried
// out and answered, but a peer that had let go of the link does not look at the
// answer: it asks for the same by token, and may not be told that the lock is lost.
type crossings struct {
	mu     sync.Mutex
	status map[queue.Token]string
	tokens []queue.Token // a ring; some may have been repeated
	oldest int           // in tokens, once it is full
}

// note remembers what a settlement has made of a message.
func (c *crossings) note(t queue.Token, state wire.DeliveryState) {
	status := statusOf(state)
	if status == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status == nil {
		c.status = make(map[queue.Token]string)
	}
	c.status[t] = status
	if len(c.tokens) < maxCrossings {
		c.tokens = append(c.tokens, t)
		return
	}
	delete(c.status, c.tokens[c.oldest])
	c.tokens[c.oldest] = t
	c.oldest = (c.oldest + 1) % maxCrossings
}

// repeated tells whether a settlement by token is one that was carried out when it
// crossed a detach. It is so once.
func (c *crossings) repeated(t queue.Token, status string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.status[t]
	if ok && known == status {
		delete(c.status, t)
		return true
	}
	return false
}

// statusOf is what $management calls an outcome, empty for what it has no name for.
func statusOf(state wire.DeliveryState) string {
	switch state := state.(type) {
	case wire.Accepted:
		return statusCompleted
	case *wire.Rejected:
		return statusSuspended
	case *wire.Modified:
		if state.UndeliverableHere {
			return statusDeferred
		}
		return statusAbandoned
	}
	return ""
}
