package broker

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// kind is what an entity is. A topic is a queue that passes all messages on to its
// subscriptions, and a subscription one that messages come to only from its topic.
type kind int

const (
	kindQueue kind = iota
	kindTopic
	kindSubscription
)

func (k kind) String() string { return [...]string{"queue", "topic", "subscription"}[k] }

// title is the kind as Service Bus writes it in errors.
func (k kind) title() string { return [...]string{"Queue", "Topic", "Subscription"}[k] }

// entity is a queue, a topic or a subscription of the namespace.
type entity struct {
	kind  kind
	path  string // as configured; of a subscription, <topic>/Subscriptions/<name>
	queue *queue.Queue
	kept  *store.Entity // nil where nothing outlives the process
	alarm chan struct{} // holds a token when a deadline has moved forward
	stop  context.CancelFunc

	created time.Time
	since   time.Time // it is in this process
	now     func() time.Time

	// changing is held by an update, so that one is wholly done before the next.
	// It is taken before mu. Whatever a queue passes on takes mu, so that no queue
	// is used under it.
	changing sync.Mutex

	mu          sync.Mutex
	updated     time.Time      // guarded by mu
	description Queue          // guarded by mu
	links       map[*link]bool // guarded by mu; attached to any of its nodes
	gone        bool           // guarded by mu; from the catalog
	accessed    time.Time      // guarded by mu; zero where nobody has used it yet

	// sorted holds the subscriptions of a topic by name; it is guarded by mu, and
	// replaced rather than changed. subscription is what only a subscription has.
	sorted       []*entity
	subscription *subscribed
}

// newEntity describes an entity, which has no queue yet.
func newEntity(s *Server, k kind, q Queue) *entity {
	now := s.options.Now()
	q.AuthorizationRules = settleRules(q.AuthorizationRules, q.AuthorizationRules)
	return &entity{
		kind: k, path: q.Name, now: s.options.Now, created: now, since: now, updated: now, description: q,
		alarm: make(chan struct{}, 1), links: make(map[*link]bool),
	}
}

// config is what the queue of an entity must be told.
func (e *entity) config(s *Server, q Queue) queue.Config {
	c := queue.Config{
		LockDuration:      q.LockDuration,
		MaxDeliveryCount:  q.MaxDeliveryCount,
		DeadLetterExpired: q.DeadLetteringOnMessageExpiration,
		TimeToLive:        q.DefaultMessageTimeToLive,
		Sessions:          q.RequiresSession,
		DuplicateWindow:   q.duplicateWindow(),
		Partitioned:       q.EnablePartitioning,
		Forward:           s.forwardTo(q.ForwardTo, ""),
		ForwardDead:       s.forwardTo(q.ForwardDeadLetteredMessagesTo, e.path),
		Alarm:             func() { signal(e.alarm) },
		Weigh:             weigh,
		MaxProperties:     maxHeaderSize,
	}
	if e.kind == kindTopic {
		c.Forward, c.AnyHop = e.publish, true
	}
	if e.kept != nil {
		c.Store = e.kept
	}
	return c
}

// described returns what the entity is at the moment.
func (e *entity) described() Queue {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.description
}

// sessions tells that messages are received by session.
func (e *entity) sessions() bool { return e.described().RequiresSession }

func (e *entity) updatedAt() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.updated
}

// fixed tells which properties that never change a description has otherwise.
func (e *entity) fixed(q Queue) []error {
	old := e.described()
	var faults []error
	for _, fixed := range []struct {
		changed bool
		name    string
	}{
		{q.RequiresSession != old.RequiresSession, "RequiresSession"},
		{q.RequiresDuplicateDetection != old.RequiresDuplicateDetection, "RequiresDuplicateDetection"},
	} {
		if fixed.changed {
			faults = append(faults, fmt.Errorf("%s %q: The value for the %s property of an existing %s cannot be changed.",
				e.kind, old.Name, fixed.name, e.kind.title()))
		}
	}
	if q.EnablePartitioning != old.EnablePartitioning {
		faults = append(faults, fmt.Errorf("%s %q: Partitioning cannot be changed for %s. It is %t.", e.kind, old.Name, e.kind.title(), old.EnablePartitioning))
	}
	return faults
}

// update changes the description. Links are detached if it does change, as in
// Service Bus.
func (e *entity) update(s *Server, q Queue) []error {
	e.changing.Lock()
	defer e.changing.Unlock()
	old := e.described()
	q.Name = old.Name
	q.AuthorizationRules = settleRules(q.AuthorizationRules, old.AuthorizationRules)
	if reflect.DeepEqual(q, old) {
		return nil
	}
	now := s.options.Now()
	e.mu.Lock()
	before := e.updated
	e.description, e.updated = q, now
	if err := s.save(e); err != nil {
		e.description, e.updated = old, before
		e.mu.Unlock()
		return []error{err}
	}
	e.mu.Unlock()
	e.queue.Configure(now, e.config(s, q))
	e.mu.Lock()
	defer e.mu.Unlock()
	signal(e.alarm) // it may now be idle sooner
	fault := refuse(wire.CondDetachForced, "The entity '%s' was updated.", e.path)
	e.detach(fault)
	if !slices.Equal(q.AuthorizationRules, old.AuthorizationRules) {
		for _, sub := range e.sorted { // the rules may be what allows their links
			sub.mu.Lock()
			sub.detach(fault)
			sub.mu.Unlock()
		}
	}
	return nil
}

// end detaches all links of an entity that is gone from the catalog, and ends its
// queue: nobody who still has the link may put anything there.
func (e *entity) end() {
	e.mu.Lock()
	e.gone = true
	e.detach(refuse(wire.CondNotFound, "%s", notFound(e.path)))
	if e.stop != nil {
		e.stop()
	}
	e.mu.Unlock()
	e.queue.End()
}

// detach has every link detached by its connection. The caller holds the mutex.
func (e *entity) detach(fault *wire.Error) {
	for l := range e.links {
		l.session.conn.woken.detach(l, fault)
	}
}

// join notes a link; it is false for an entity that has ended.
func (e *entity) join(l *link) bool {
	e.mu.Lock()
	if e.gone {
		e.mu.Unlock()
		return false
	}
	e.links[l] = true
	e.mu.Unlock()
	e.use(e.now())
	return true
}

func (e *entity) leave(l *link) {
	e.mu.Lock()
	delete(e.links, l)
	e.mu.Unlock()
	e.use(e.now())
}

// keepTime ends locks and lifetimes when they are due, until ctx ends. Without
// it, they would end only when somebody uses the queue, and a receiver that
// waits would not hear of it. An entity that nobody uses is given to retire.
func (e *entity) keepTime(ctx context.Context, now func() time.Time, retire func()) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.alarm:
		case <-timer.C:
		}
		wait, ok := e.expire(now())
		if left, may := e.untilIdle(now()); may {
			if left <= 0 {
				retire()
				return
			}
			if !ok || left < wait {
				wait, ok = left, true
			}
		}
		if ok {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
	}
}

// expire does what is due in both queues and returns how long until the next.
func (e *entity) expire(now time.Time) (wait time.Duration, ok bool) {
	for _, q := range []*queue.Queue{e.queue, e.queue.DeadLetters()} {
		next, due := q.Expire(now)
		if due && (!ok || next.Sub(now) < wait) {
			wait, ok = next.Sub(now), true
		}
	}
	return wait, ok
}
