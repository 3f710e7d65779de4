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
	// its turn has come. Others read it only after left is closed.
	ahead *place
	left  chan struct{} // closed by leave
	once  sync.Once
}

func newChains() *chains { return &chains{tails: make(map[string]*place)} }

// join takes the next place in the key's chain.
func (c *chains) join(key string) *place {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &place{chain: c, key: key, ahead: c.tails[key], left: make(chan struct{})}
	c.tails[key] = p
	return p
}

// wait returns when everybody ahead has left, or with the context's cause. One
// who left before their turn did not see those ahead of them leave, hence the
// walk.
func (p *place) wait(ctx context.Context) error {
	for q := p.ahead; q != nil; q = q.ahead {
		select {
		case <-q.left:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	p.ahead = nil
	return nil
}

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
