package worker_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

// Whatever users have and commands ask for: the end is what the model says, by
// no write more than it takes.
func TestUsersEndAsAsked(t *testing.T) {
	t.Parallel()
	b := inventBatch(400, 1, rand.New(rand.NewPCG(5, 6)))
	r := newRig(t, config{users: b.users})
	ids := r.publish(b.commands...)
	r.work()
	b.check(r, ids)
	drifts := int64(0) // Graph has enforced by itself what the plan's last step asks for
	for n, c := range b.commands {
		if got, want := r.outcome(ids[n]).Writes, b.models[n].writes; got != want {
			t.Errorf("%d writes, want %d: %+v asked %+v", got, want, b.before[n], c)
		}
		if b.before[n].PerUserMFAState == "enabled" && c.PerUserMFAState == messages.MFAEnforced && b.models[n].writes > 1 {
			drifts++
		}
	}
	if s := r.tenant.Stats(); s.RedundantWrites > drifts {
		t.Errorf("%d redundant writes, want at most %d", s.RedundantWrites, drifts)
	}
}

// On bad days too: requests fail, replies get lost, reads are stale. Each user
// still ends as the model says, nothing is delivered twice, and no write that was
// answered is made again.
func TestUsersEndAsAskedOnBadDays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			bad := tenant.FaultsHarsh.Probabilities()
			// These make everybody wait, and the test with them.
			bad.ServerError, bad.Throttle, bad.BurstMax, bad.RetryAfterMax = 0.01, 0.002, 1, time.Second
			bad.SlowMin, bad.SlowMax = time.Millisecond, 50*time.Millisecond
			b := inventBatch(80, 3, rand.New(rand.NewPCG(seed, 7)))
			r := newRig(t, config{
				users:  b.users,
				tenant: tenant.Options{Probabilities: &bad, Lag: 300 * time.Millisecond, Seed: seed},
				worker: worker.Options{Concurrency: 128},
			})
			ids := r.publish(b.commands...)
			r.work()
			b.check(r, ids)
			r.wantDeliveries(1, ids...)
			allowed := make(map[string]int)
			for n := range b.commands {
				allowed[b.before[n].ID] += b.models[n].writes
			}
			for id, writes := range r.front.answeredWrites() {
				if writes > allowed[id] {
					t.Errorf("%d writes for %s were answered, want at most %d", writes, id, allowed[id])
				}
			}
			if faults := r.tenant.Stats().Faults; faults["lostReply"] == 0 || faults["stale"] == 0 || faults["throttled"]+faults["serviceUnavailable"] == 0 {
				t.Errorf("it was no bad day: %v", faults)
			}
		})
	}
}

// batch is commands for many users, and what each should lead to.
type batch struct {
	users    []tenant.User
	commands []messages.Command
	before   []tenant.User // the user whom each command finds
	models   []model
}

// inventBatch makes up users with at most so many commands each. The commands of
// a user follow one another.
func inventBatch(users, each int, r *rand.Rand) batch {
	i := &invention{Rand: r}
	var b batch
	for n := range users {
		u := i.user(fmt.Sprintf("person%03d", n))
		b.users = append(b.users, u)
		for range 1 + i.IntN(each) {
			c := i.command(u)
			m := expect(u, c)
			b.before, b.commands, b.models = append(b.before, u), append(b.commands, c), append(b.models, m)
			if state := m.user.PerUserMFAState; state != u.PerUserMFAState && state != string(c.PerUserMFAState) {
				// Graph has changed the state by itself, and the next command may
				// not see that yet.
				break
			}
			u = m.user
		}
	}
	return b
}

// check compares outcomes and directory with the models.
func (b batch) check(r *rig, ids []string) {
	r.t.Helper()
	want := make(map[string]tenant.User)
	for n, m := range b.models {
		want[m.user.ID] = m.user
		o := r.outcome(ids[n])
		fine := o.Result == messages.Applied || o.Result == messages.Unchanged
		if m.refused {
			fine = o.Result == messages.Refused && o.Reason != worker.ReasonRefusedByGraph
		}
		if !fine || o.Writes > m.writes {
			r.t.Errorf("%s (%s: %s) by %d writes; want refused %v, at most %d writes\n%+v asked\n%+v",
				o.Result, o.Reason, o.Detail, o.Writes, m.refused, m.writes, b.before[n], b.commands[n])
		}
	}
	for _, u := range r.tenant.Snapshot() {
		if w, ok := want[u.ID]; ok && !alike(u, w) {
			r.t.Errorf("became\n%+v\nwant\n%+v", u, w)
		}
	}
}

// alike compares what commands can change.
func alike(a, b tenant.User) bool {
	if len(a.Authenticator) != len(b.Authenticator) {
		return false
	}
	for i := range a.Authenticator {
		if a.Authenticator[i].ID != b.Authenticator[i].ID {
			return false
		}
	}
	return a.Phones == b.Phones && a.SMSSignIn == b.SMSSignIn && a.PerUserMFAState == b.PerUserMFAState && a.DefaultMethod == b.DefaultMethod
}
