package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
)

// compareFold orders names without regard to case.
func compareFold(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) }

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
	kinds    [kindSubscription + 1]int
}

// find returns the entity at a folded path.
func (c *catalog) find(path string) (*entity, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.entities[path]
	return e, ok
}

// findKind returns the entity of a kind with a name in any case. The error is
// ErrUnknownEntity.
func (c *catalog) findKind(k kind, name string) (*entity, error) {
	if e, ok := c.find(strings.ToLower(name)); ok && e.kind == k {
		return e, nil
	}
	return nil, fmt.Errorf("%s %q: %w", k, name, ErrUnknownEntity)
}

// all returns every entity of these kinds, or of all kinds, sorted by path.
func (c *catalog) all(kinds ...kind) []*entity {
	c.mu.RLock()
	defer c.mu.RUnlock()
	entities := slices.Collect(maps.Values(c.entities))
	if len(kinds) > 0 {
		entities = slices.DeleteFunc(entities, func(e *entity) bool { return !slices.Contains(kinds, e.kind) })
	}
	slices.SortFunc(entities, func(a, b *entity) int { return strings.Compare(a.path, b.path) })
	return entities
}

// count tells how many entities there are of these kinds.
func (c *catalog) count(kinds ...kind) int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := 0
	for _, k := range kinds {
		n += c.kinds[k]
	}
	return n
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
	c.kinds[e.kind]++
	return nil
}

// remove takes an entity out. It returns false when somebody else did.
func (c *catalog) remove(e *entity) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	path := strings.ToLower(e.path)
	if c.entities[path] != e {
		return false
	}
	delete(c.entities, path)
	c.kinds[e.kind]--
	return true
}

// CreateQueue makes a queue. The error names every fault of the description, or is
// ErrEntityExists or ErrQuotaExceeded. With Options.Data, it may be that of the disk,
// here and wherever an entity or a rule is made, changed or deleted.
func (s *Server) CreateQueue(q Queue) error { return s.kept(s.createQueue(q)) }

func (s *Server) createQueue(q Queue) error {
	q = q.withDefaults()
	if faults := append(q.validate(kindQueue), s.targets(kindQueue, q)...); faults != nil {
		return fmt.Errorf("create queue: %w", errors.Join(faults...))
	}
	return s.make(newEntity(s, kindQueue, q))
}

// UpdateQueue gives a queue another description. What is zero in it is the default, and
// not what it was; only the keys of authorization rules stay. RequiresSession,
// RequiresDuplicateDetection and EnablePartitioning can't change. Another window for
// duplicates is for ids that come from then on. If anything changes, all links of the
// queue are detached, as in Service Bus. The error names every fault, or is
// ErrUnknownEntity.
func (s *Server) UpdateQueue(q Queue) error { return s.kept(s.updateQueue(q)) }

func (s *Server) updateQueue(q Queue) error {
	e, err := s.catalog.findKind(kindQueue, q.Name)
	if err != nil {
		return fmt.Errorf("update %w", err)
	}
	return s.update(e, q)
}

func (s *Server) update(e *entity, q Queue) error {
	q = q.withDefaults()
	faults := slices.Concat(e.fixed(q), q.validate(e.kind), s.targets(e.kind, q))
	if faults == nil {
		faults = e.update(s, q)
	}
	if faults != nil {
		return fmt.Errorf("update %s: %w", e.kind, errors.Join(faults...))
	}
	return nil
}

// remove ends an entity, and with a topic its subscriptions. It is false when
// somebody else did.
func (s *Server) remove(e *entity) bool {
	s.making.Lock()
	defer s.making.Unlock()
	if !s.catalog.remove(e) {
		return false
	}
	if e.kind == kindSubscription {
		e.subscription.topic.forget(e)
	}
	ended := []*entity{e}
	for _, sub := range e.subscriptions() {
		if s.catalog.remove(sub) {
			ended = append(ended, sub)
		}
	}
	var kept []*store.Entity
	for _, e := range ended {
		e.end()
		kept = append(kept, e.kept)
	}
	if s.store != nil {
		s.store.Delete(kept...)
	}
	return true
}

// DeleteQueue ends a queue, its messages and its links. The error is nil or
// ErrUnknownEntity.
func (s *Server) DeleteQueue(name string) error { return s.kept(s.delete(kindQueue, name)) }

// delete ends an entity of a kind.
func (s *Server) delete(k kind, name string) error {
	e, err := s.catalog.findKind(k, name)
	if err != nil || !s.remove(e) {
		return fmt.Errorf("delete %s %q: %w", k, name, ErrUnknownEntity)
	}
	return nil
}

// make gives an entity its queue and opens it, unless its path is taken, or its
// topic is not there any more.
func (s *Server) make(e *entity) error {
	s.making.Lock()
	defer s.making.Unlock()
	if sub := e.subscription; sub != nil {
		if current, ok := s.catalog.find(strings.ToLower(sub.topic.path)); !ok || current != sub.topic {
			return fmt.Errorf("create %q: %w", e.path, ErrUnknownEntity)
		}
	}
	if _, taken := s.catalog.find(strings.ToLower(e.path)); taken {
		return fmt.Errorf("create %q: %w", e.path, ErrEntityExists)
	}
	if err := s.checkEntities(e); err != nil {
		return err
	}
	if err := s.save(e); err != nil {
		return err
	}
	e.queue = queue.New(e.config(s, e.description))
	if err := s.open(e); err != nil {
		return err
	}
	if e.subscription != nil {
		e.subscription.topic.enlist(e)
	}
	return nil
}

// open puts an entity into the catalog, and keeps its time while anybody is served.
func (s *Server) open(e *entity) error {
	if err := s.catalog.add(e); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timing && !s.stopping {
		s.time(e)
	}
	return nil
}

// time keeps the entity's time until it or the server ends. The caller holds the
// server's mutex, and has seen that the server does not stop.
func (s *Server) time(e *entity) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stop != nil { // it came into the catalog as the first was served
		return
	}
	ctx, cancel := context.WithCancel(s.stop)
	e.stop = cancel
	s.work.Go(func() {
		defer cancel()
		e.keepTime(ctx, s.options.Now, func() { s.remove(e) })
	})
}
