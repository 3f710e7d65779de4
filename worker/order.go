package worker

import (
	"context"
	"sync"
)

// chains keeps commands in order: all that join the chain of one key go one
// after the other, in the order in which they joined. A key costs memory only
// while somebody is in its chain.
type chains struct {
	mu    sync.Mutex
	tails map[string]*place // guarded by mu: who joined last
}

// place is one command's place in a chain.
type place struct {
	chain *chains
	key   string
	// ahead joined just before; nil for nobody. Its owner sets it to nil once
	// its turn has come. Others read it only after left is closed, and from then
	// on the owner does not touch it.
	ahead *place
	left  chan struct{} // closed by leave
	once  sync.Once
	late  chan struct{} // closed by delay
	tell  sync.Once
}

func newChains() *chains { return &chains{tails: make(map[string]*place)} }

// join takes the next place in the key's chain.
func (c *chains) join(key string) *place {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &place{chain: c, key: key, ahead: c.tails[key], left: make(chan struct{}), late: make(chan struct{})}
	c.tails[key] = p
	return p
}

// wait returns when everybody ahead has left, or with the context's cause.
func (p *place) wait(ctx context.Context) error {
	return p.waitOr(ctx, func() {})
}

// waitOr is wait, and calls late as soon as somebody ahead says that it will take
// long. One who left before their turn did not see those ahead of them leave,
// hence the walk.
func (p *place) waitOr(ctx context.Context, late func()) error {
	for q := p.ahead; q != nil; q = q.ahead {
		select {
		case <-q.left:
			continue
		case <-q.late:
			late()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case <-q.left:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	select {
	case <-p.left:
		// Those behind may be walking past: ahead is theirs to read now.
	default:
		p.ahead = nil
	}
	return nil
}

// delay tells those behind that it will take long.
func (p *place) delay() { p.tell.Do(func() { close(p.late) }) }

// leave lets the next one go, after those that are still ahead. Only the first
// call counts.
func (p *place) leave() {
	p.once.Do(func() {
		c := p.chain
		c.mu.Lock()
		defer c.mu.Unlock()
		defer close(p.left)
		if c.tails[p.key] != p {
			return
		}
		if q := p.stillAhead(); q != nil {
			c.tails[p.key] = q
			return
		}
		delete(c.tails, p.key)
	})
}

// stillAhead is the nearest one ahead that has not left.
func (p *place) stillAhead() *place {
	for q := p.ahead; q != nil; q = q.ahead {
		select {
		case <-q.left:
		default:
			return q
		}
	}
	return nil
}
