package worker_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

func TestAnIdleWorkerStops(t *testing.T) {
	t.Parallel()
	waiting := newSignal()
	r := newRig(t, config{queue: func(q worker.Queue) worker.Queue { return announcing{q, waiting} }})
	s := r.start()
	<-waiting.given
	if !s.worker.Status().Receiving {
		t.Error("the worker does not receive")
	}
	s.stop()
	s.wait()
	if s.worker.Status().Receiving {
		t.Error("the worker still receives")
	}
}

// What is under way when the worker is told to stop is finished.
func TestAWriteUnderWayIsFinished(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{users: []tenant.User{{UserPrincipalName: upn("ada"), Phones: tenant.Phones{Mobile: number(1)}}}})
	write := newHold("/phoneMethods/" + graphclient.Mobile.MethodID())
	r.front.use(write.meddle)
	id := r.publish(messages.Command{User: upn("ada"), Phones: mobile(number(2)), PerUserMFAState: messages.MFAEnforced})[0]
	s := r.start()
	<-write.reached
	s.stop()
	write.release()
	s.wait()
	if got := r.outcome(id); got.Result != messages.Applied || got.Writes != 2 {
		t.Errorf("outcome %+v, want applied by two writes", got)
	}
	if u := r.user("ada"); u.Phones.Mobile != number(2) || u.PerUserMFAState != "enforced" {
		t.Errorf("the directory holds %+v", u)
	}
	r.wantDeliveries(1, id)
	r.wantQueue(broker.Counts{})
}

// Nothing is given back while the worker may still receive it again: each time
// would cost one of the deliveries that a message has.
func TestNothingIsGivenBackWhileReceiving(t *testing.T) {
	t.Parallel()
	r := newRig(t, config{
		users:  []tenant.User{{UserPrincipalName: upn("ada")}},
		tenant: tenant.Options{Deny: []tenant.Denial{{}}},
		worker: worker.Options{FirstPause: time.Hour},
		queue:  func(q worker.Queue) worker.Queue { return &reluctant{Queue: q, t: t} },
	})
	r.publish(messages.Command{User: upn("ada"), Phones: mobile(number(1))})
	s := r.start()
	r.log.await(t, "tenant paused")
	s.stop()
	s.wait()
	r.wantNothingHeld(1)
}

// reluctant takes its time to end a Receive.
type reluctant struct {
	worker.Queue
	t         *testing.T
	receiving atomic.Bool
}

func (q *reluctant) Receive(ctx context.Context, limit int) ([]messages.Delivery, error) {
	q.receiving.Store(true)
	defer q.receiving.Store(false)
	deliveries, err := q.Queue.Receive(ctx, limit)
	if ctx.Err() != nil {
		<-time.After(100 * time.Millisecond)
	}
	return deliveries, err
}

func (q *reluctant) Abandon(ctx context.Context, d messages.Delivery) error {
	if q.receiving.Load() {
		q.t.Error("a message is given back while the worker receives")
	}
	return q.Queue.Abandon(ctx, d)
}

// Whatever only waits is given back as soon as the worker is told to stop, and
// what hangs in a request is after the grace period. Nothing of it has an
// outcome, and the next worker does it all.
func TestWhatWaitsIsGivenBack(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		tries int
		grace time.Duration
		// block makes the first worker wait, and returns when it does.
		block func(*rig, *hold) (waits func())
	}{
		{"in a pause", 0, tooLong, func(r *rig, _ *hold) func() {
			deny(r, tenant.Denial{})
			return func() { r.log.await(r.t, "tenant paused") }
		}},
		{"for the next try", 1, tooLong, func(r *rig, _ *hold) func() {
			r.front.use(func(_ int, w http.ResponseWriter, _ *http.Request) bool { return refuse(w, 500, "generalException") })
			return func() { r.log.await(r.t, `"status":500`) }
		}},
		{"in a request that hangs", 0, 100 * time.Millisecond, func(r *rig, h *hold) func() {
			r.front.use(h.meddle)
			return func() { <-h.reached }
		}},
		{"halted by Retry-After", 0, 100 * time.Millisecond, func(r *rig, _ *hold) func() {
			r.front.use(func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Retry-After", "3600")
				return refuse(w, 429, "TooManyRequests")
			})
			return func() { r.log.await(r.t, `"status":429`) }
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			users, names := people(6)
			r := newRig(t, config{
				users:  users,
				graph:  graphclient.Options{MaxTries: test.tries},
				worker: worker.Options{Grace: test.grace, FirstPause: time.Hour},
			})
			hanging := newHold("/phoneMethods")
			waits := test.block(r, hanging)
			var commands []messages.Command
			for i, name := range names {
				commands = append(commands,
					messages.Command{User: tenant.UserID(upn(name)), Phones: mobile(number(i))},
					messages.Command{User: tenant.UserID(upn(name)), Phones: messages.Phones{messages.Office: number(50 + i)}})
			}
			ids := r.publish(commands...)
			s := r.start()
			waits()
			s.stop()
			s.wait()
			if got := r.reported(); len(got) != 0 {
				t.Errorf("outcomes of commands that were given back: %+v", got)
			}
			r.wantNothingHeld(len(ids))

			r.tenant.Lift()
			r.front.use(nil)
			r.openGraph()
			r.work()
			r.wantResults(messages.Applied, ids...)
			r.wantQueue(broker.Counts{})
		})
	}
}

func deny(r *rig, d tenant.Denial) {
	r.t.Helper()
	if err := r.tenant.Deny(d); err != nil {
		r.t.Fatal(err)
	}
}

// wantNothingHeld takes everything out of the queue and gives it back: a message
// that the worker still held would not be there for as long as its lock lasts.
func (r *rig) wantNothingHeld(want int) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), tooLong)
	defer cancel()
	taken := make(map[string]messages.Delivery)
	for len(taken) < want {
		deliveries, err := r.source.Receive(ctx, want-len(taken))
		if err != nil {
			r.t.Fatalf("%d messages are in the queue, want %d: %v", len(taken), want, err)
		}
		for _, d := range deliveries {
			taken[d.MessageID] = d
		}
	}
	for id, d := range taken {
		if d.Count > 2 {
			r.t.Errorf("%s was handed out %d times", id, d.Count)
		}
		if err := r.source.Abandon(ctx, d); err != nil {
			r.t.Fatal(err)
		}
	}
}

// announcing tells when the worker begins to receive.
type announcing struct {
	worker.Queue
	waiting *signal
}

func (q announcing) Receive(ctx context.Context, limit int) ([]messages.Delivery, error) {
	q.waiting.give()
	return q.Queue.Receive(ctx, limit)
}

// signal is given once.
type signal struct {
	given chan struct{}
	once  sync.Once
}

func newSignal() *signal { return &signal{given: make(chan struct{})} }

func (s *signal) give() { s.once.Do(func() { close(s.given) }) }
