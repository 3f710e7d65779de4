package worker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

// When the lock is lost while a command is worked on, the worker leaves the
// message alone: no settlement, no outcome. It comes again and is done then.
func TestALostLockIsNoOutcome(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		renewal error
		result  messages.Result
		log     string
	}{
		// The queue says so: the work ends at once, before the write.
		{"told by the renewal", fmt.Errorf("renew: %w", messages.ErrLockLost), messages.Applied, "message lock lost; "},
		// Nobody says so until the settlement comes too late, after the write.
		{"found out at the settlement", errors.New("connection reset"), messages.Unchanged, "message lock lost before the settlement; "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			q := &unrenewed{err: test.renewal, again: newSignal()}
			r := newRig(t, config{
				users: []tenant.User{{UserPrincipalName: upn("ada")}},
				lock:  time.Second,
				queue: func(inner worker.Queue) worker.Queue { q.Queue = inner; return q },
			})
			stuck := newHold("/phoneMethods")
			r.front.use(stuck.meddle)
			id := r.publish(messages.Command{User: upn("ada"), Phones: mobile(number(1))})[0]
			s := r.start()
			<-q.again.given
			if got := r.reported(); len(got) != 0 {
				t.Errorf("outcomes %+v, want none yet", got)
			}
			stuck.release()
			s.wait()
			r.log.await(t, test.log)
			r.wantResults(test.result, id)
			if got := r.user("ada").Phones.Mobile; got != number(1) {
				t.Errorf("the directory holds %q", got)
			}
			if writes := r.tenant.Stats().Writes; writes != 1 {
				t.Errorf("%d writes, want 1", writes)
			}
			r.wantDeliveries(2, id)
			r.wantQueue(broker.Counts{})
		})
	}
}

// unrenewed fails the renewals of every first delivery, and tells when a second
// one comes.
type unrenewed struct {
	worker.Queue
	err   error
	again *signal
}

func (q *unrenewed) Receive(ctx context.Context, limit int) ([]messages.Delivery, error) {
	deliveries, err := q.Queue.Receive(ctx, limit)
	for _, d := range deliveries {
		if d.Count > 1 {
			q.again.give()
		}
	}
	return deliveries, err
}

func (q *unrenewed) RenewLock(ctx context.Context, d messages.Delivery) (time.Time, error) {
	if d.Count == 1 {
		return time.Time{}, q.err
	}
	return q.Queue.RenewLock(ctx, d)
}
