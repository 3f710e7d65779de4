package broker

import (
	"context"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// entity is a queue of the namespace.
type entity struct {
	name  string // as configured
	queue *queue.Queue
	// sessions tells that messages are received by session.
	sessions bool
	alarm    chan struct{} // holds a token when a deadline has moved forward
}

func newEntity(q Queue) *entity {
	e := &entity{name: q.Name, sessions: q.RequiresSession, alarm: make(chan struct{}, 1)}
	e.queue = queue.New(queue.Config{
		LockDuration:      q.LockDuration,
		MaxDeliveryCount:  q.MaxDeliveryCount,
		DeadLetterExpired: q.DeadLetteringOnMessageExpiration,
		TimeToLive:        q.DefaultMessageTimeToLive,
		Sessions:          q.RequiresSession,
		DuplicateWindow:   q.duplicateWindow(),
		Alarm:             func() { signal(e.alarm) },
	})
	return e
}

// node returns the queue that an address names: the entity's own or its
// dead-letter queue.
func (e *entity) node(a address) *queue.Queue {
	if a.deadLetter {
		return e.queue.DeadLetters()
	}
	return e.queue
}

// keepTime ends locks and lifetimes when they are due, until ctx ends. Without
// it, they would end only when somebody uses the queue, and a receiver that
// waits would not hear of it.
func (e *entity) keepTime(ctx context.Context, now func() time.Time) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.alarm:
		case <-timer.C:
		}
		if wait, ok := e.expire(now()); ok {
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
