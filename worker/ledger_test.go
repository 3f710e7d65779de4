package worker_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

// ledger remembers what it was told, and how many writes the tenant had seen by
// then.
type ledger struct {
	rig *rig

	mu      sync.Mutex
	changes []worker.Change // guarded by mu
	writes  []int64         // guarded by mu
	fail    int             // guarded by mu; how often yet
}

func (l *ledger) Keep(_ context.Context, c worker.Change) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail > 0 {
		l.fail--
		return errors.New("disk full")
	}
	l.changes = append(l.changes, c)
	l.writes = append(l.writes, l.rig.tenant.Stats().Writes)
	return nil
}

// The ledger hears what is there before anything is written, and nothing of a
// command that changes nothing.
func TestTheLedgerHearsBeforeTheFirstWrite(t *testing.T) {
	t.Parallel()
	l := &ledger{}
	r := newRig(t, config{
		users:  []tenant.User{{UserPrincipalName: upn("ada"), Phones: tenant.Phones{Mobile: number(1)}}},
		worker: worker.Options{Ledger: l},
	})
	l.rig = r
	ids := r.publish(
		messages.Command{User: upn("ada"), Phones: messages.Phones{messages.Mobile: number(2), messages.Office: number(3)}},
		messages.Command{User: upn("ada"), Phones: mobile(number(2))},
	)
	r.work()
	r.wantResults(messages.Applied, ids[0])
	r.wantResults(messages.Unchanged, ids[1])
	if len(l.changes) != 1 || l.writes[0] != 0 {
		t.Fatalf("told %d times, after %v writes; want once, before the first", len(l.changes), l.writes)
	}
	c := l.changes[0]
	if c.Event.ID != ids[0] || c.UserID != tenant.UserID(upn("ada")) || c.Before.Phones[messages.Mobile].Number != number(1) {
		t.Errorf("told %s of %s with another mobile than before", c.Event.ID, c.UserID)
	}
	var steps []string
	for _, s := range c.Steps {
		steps = append(steps, s.String())
	}
	if diff := cmp.Diff([]string{"change phone (mobile)", "add phone (office)"}, steps); diff != "" {
		t.Error(diff)
	}
}

// What can't be kept is not changed: the command waits, and goes on once the
// ledger does.
func TestNothingIsWrittenThatCanNotBeKept(t *testing.T) {
	t.Parallel()
	l := &ledger{fail: 2}
	r := newRig(t, config{
		users:  []tenant.User{{UserPrincipalName: upn("ada"), Phones: tenant.Phones{Mobile: number(1)}}},
		worker: worker.Options{Ledger: l},
	})
	l.rig = r
	ids := r.publish(messages.Command{User: upn("ada"), Phones: mobile(number(2))})
	r.work()
	r.wantResults(messages.Applied, ids...)
	r.wantDeliveries(1, ids...)
	if len(l.changes) != 1 || l.writes[0] != 0 {
		t.Errorf("kept %d changes, after %v writes; want one, and no write before", len(l.changes), l.writes)
	}
	if r.log.count("could not be kept") == 0 {
		t.Error("the log does not say so")
	}
}
