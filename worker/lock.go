package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/muster-mfa/muster/messages"
)

const (
	// A lock is renewed at half of what remains of it. The bounds keep a wrong
	// clock on this machine from renewing all the time or too late: Service Bus
	// locks for a minute by default and for five at most.
	shortestRenewal = 250 * time.Millisecond
	longestRenewal  = 20 * time.Second
	// renewalTimeout ends a renewal that hangs; the next one follows soon.
	renewalTimeout = 10 * time.Second
)

// lock keeps one delivery's message locked. At most one renewal runs at a time,
// each in the timer's goroutine, and release waits for it.
type lock struct {
	queue    Queue
	delivery messages.Delivery
	ctx      context.Context
	lost     context.CancelCauseFunc
	stop     context.CancelFunc

	mu       sync.Mutex
	released bool        // guarded by mu
	timer    *time.Timer // guarded by mu
	running  sync.WaitGroup
}

// hold renews the message's lock until release. The context it returns ends with
// [messages.ErrLockLost] as its cause when the queue says that the lock is lost.
func hold(ctx context.Context, queue Queue, d messages.Delivery) (context.Context, *lock) {
	work, lost := context.WithCancelCause(ctx)
	// Renewals outlive the work: a message is still ours while it is settled.
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	l := &lock{queue: queue, delivery: d, ctx: renewing, lost: lost, stop: stop}
	l.schedule(d.LockedUntil)
	return work, l
}

func (l *lock) schedule(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return
	}
	in := min(max(time.Until(until)/2, shortestRenewal), longestRenewal)
	l.running.Add(1)
	l.timer = time.AfterFunc(in, l.renew)
}

func (l *lock) renew() {
	defer l.running.Done()
	ctx, cancel := context.WithTimeout(l.ctx, renewalTimeout)
	defer cancel()
	until, err := l.queue.RenewLock(ctx, l.delivery)
	switch {
	case errors.Is(err, messages.ErrLockLost):
		l.lost(messages.ErrLockLost)
		return
	case err != nil:
		// Trouble on the way there: the lock may still be ours, and only the
		// queue knows. Try again soon.
		until = time.Now()
	}
	l.schedule(until)
}

// release ends the renewals and the work's context. The message itself stays
// locked until it is settled or its time is over.
func (l *lock) release() {
	l.mu.Lock()
	l.released = true
	if l.timer.Stop() {
		l.running.Done()
	}
	l.mu.Unlock()
	l.stop()
	l.running.Wait()
	l.lost(nil)
}
