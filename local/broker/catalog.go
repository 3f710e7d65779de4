package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// ErrUnknownEntity is returned for the name of an entity that does not exist,
// ErrEntityExists for that of one which does.
var (
	ErrUnknownEntity = errors.New("broker: unknown entity")
	ErrEntityExists  = errors.New("broker: entity exists")
)

// catalog is what a namespace holds. Entities come and go while links use them.
type catalog struct {
	mu       sync.RWMutex
	entities map[string]*entity // by folded path
}

// find returns the entity at a folded path.
func (c *catalog) find(path string) (*entity, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.entities[path]
	return e, ok
}

// all returns every entity, sorted by path.
func (c *catalog) all() []*entity {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.SortedFunc(maps.Values(c.entities), func(a, b *entity) int { return strings.Compare(a.path, b.path) })
}

// add puts an entity at its path.
func (c *catalog) add(e *entity) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	folded := strings.ToLower(e.path)
	if _, taken := c.entities[folded]; taken {
		return fmt.Errorf("create %q: %w", e.path, ErrEntityExists)
	}
	c.entities[folded] = e
	return nil
}

// remove takes the entity at a folded path out.
func (c *catalog) remove(path string) (*entity, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entities[path]
	delete(c.entities, path)
	return e, ok
}

// CreateQueue makes a queue. The error names every fault of the description, or
// is ErrEntityExists.
func (s *Server) CreateQueue(q Queue) error {
	q = q.withDefaults()
	if faults := q.validate(); faults != nil {
		return fmt.Errorf("create queue: %w", errors.Join(faults...))
	}
	return s.open(newEntity(s, q))
}

// UpdateQueue changes a queue. RequiresSession, RequiresDuplicateDetection and
// its window can't change. If anything does, all links of the queue are detached,
// as in Service Bus. The error names every fault, or is ErrUnknownEntity.
func (s *Server) UpdateQueue(q Queue) error {
	q = q.withDefaults()
	faults := q.validate()
	e, ok := s.catalog.find(strings.ToLower(q.Name))
	if !ok {
		return fmt.Errorf("update queue %q: %w", q.Name, ErrUnknownEntity)
	}
	if faults = append(faults, e.update(s, q)...); faults != nil {
		return fmt.Errorf("update queue: %w", errors.Join(faults...))
	}
	return nil
}

// DeleteQueue ends a queue, its messages and its links. The error is nil or
// ErrUnknownEntity.
func (s *Server) DeleteQueue(name string) error {
	e, ok := s.catalog.remove(strings.ToLower(name))
	if !ok {
		return fmt.Errorf("delete queue %q: %w", name, ErrUnknownEntity)
	}
	e.end()
	return nil
}

// open puts an entity into the catalog and keeps its time once anybody is served.
func (s *Server) open(e *entity) error {
	if err := s.catalog.add(e); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timing {
		s.time(e)
	}
	return nil
}

// time keeps the entity's time until it or the server ends. The caller holds the
// server's mutex.
func (s *Server) time(e *entity) {
	ctx, cancel := context.WithCancel(s.stop)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stop = cancel
	s.work.Go(func() {
		defer cancel()
		e.keepTime(ctx, s.options.Now)
	})
}
