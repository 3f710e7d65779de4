package worker

import (
	"sync"
	"time"
)

// cache remembers, for a while, what was read from Graph by a key. Its size is
// bounded by two generations of at most limit entries.
type cache[V any] struct {
	keep  time.Duration
	limit int

	mu       sync.Mutex
	young    map[string]entry[V] // guarded by mu
	previous map[string]entry[V] // guarded by mu; the generation before
}

type entry[V any] struct {
	value V
	until time.Time
}

func newCache[V any](keep time.Duration) *cache[V] {
	return &cache[V]{keep: keep, limit: 100_000, young: make(map[string]entry[V])}
}

func (c *cache[V]) lookUp(key string, now time.Time) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.young[key]
	if !ok {
		e, ok = c.previous[key]
	}
	return e.value, ok && now.Before(e.until)
}

// store makes the full generation the previous one.
func (c *cache[V]) store(key string, v V, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.limit {
		c.previous, c.young = c.young, make(map[string]entry[V])
	}
	c.young[key] = entry[V]{v, now.Add(c.keep)}
}

func (c *cache[V]) forget(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.young, key)
	delete(c.previous, key)
}
