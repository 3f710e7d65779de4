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
// no write more than it takes, safely at every moment in between; and all of it
// once more makes no write.
func TestUsersEndAsAsked(t *testing.T) {
	t.Parallel()
	b := inventBatch(600, 1, rand.New(rand.NewPCG(5, 6)))
	r := newRig(t, config{users: b.users, worker: worker.Options{Concurrency: 256}})
	b.watch(r)
	ids := r.publish(b.sent...)
	r.work()
	b.check(r, ids)
	drifts, applied := int64(0), 0 // Graph has enforced by itself what the plan's last step asks for
	for n, m := range b.models {
		got := r.outcome(ids[n])
		if got.Writes != m.writes && !m.late {
			t.Errorf("%d writes, want %d: %+v asked %+v", got.Writes, m.writes, b.before[n], m.command)
		}
		if m.before.mfa == "enabled" && m.command.PerUserMFAState == messages.MFAEnforced && m.writes > 1 {
			drifts++
		}
		if m.writes > 1 {
			applied++
		}
	}
	if applied < 100 {
		t.Errorf("only %d commands took more than one write", applied)
	}
	stats := r.tenant.Stats()
	if stats.RedundantWrites > drifts {
		t.Errorf("%d redundant writes, want at most %d", stats.RedundantWrites, drifts)
	}

	again := r.publish(b.sent...)
	written := r.front.answeredWrites()
	r.work()
	for id, n := range r.front.answeredWrites() {
		if n > written[id] {
			t.Errorf("%d writes more for %s the second time", n-written[id], id)
		}
	}
	for n, m := range b.models {
		want := messages.Unchanged
		if m.refused {
			want = messages.Refused
		}
		if got := r.outcome(again[n]); got.Result != want {
			t.Errorf("%s (%s) the second time, want %s: %+v asked %+v", got.Result, got.Reason, want, b.before[n], m.command)
		}
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
			b.watch(r)
			ids := r.publish(b.sent...)
			r.work()
			b.check(r, ids)
			r.wantDeliveries(1, ids...)
			allowed := make(map[string]int)
			for n, m := range b.models {
				allowed[b.before[n].ID] += m.writes
				if m.late {
					allowed[b.before[n].ID] += len(messages.PhoneTypes) + 3
				}
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
	users  []tenant.User
	sent   []messages.Command // as they are published
	before []tenant.User      // the user whom each command finds
	models []model
}

// inventBatch makes up users with at most so many commands each. The commands of
// a user follow one another.
func inventBatch(users, each int, r *rand.Rand) batch {
	i := &invention{Rand: r, now: time.Now()}
	var b batch
	for n := range users {
		u := i.user(fmt.Sprintf("person%03d", n))
		b.users = append(b.users, u)
		// Under one name all commands of a user keep their order also on a bad day,
		// which those whose modes look at what is there depend on.
		name := pick(r, u.ID, u.UserPrincipalName)
		for range 1 + i.IntN(each) {
			c := i.command(name, u)
			m := expect(u, c, i.now)
			b.before, b.sent, b.models = append(b.before, u), append(b.sent, i.disguise(c)), append(b.models, m)
			if m.late || m.after.mfa == "enabled" {
				// Graph may have taken a part of it, or enforce by itself what is
				// enabled, and the next command may not see that yet.
				break
			}
			u = m.end(u)
		}
	}
	return b
}

// watch looks at the user after each write: it must be on the way of one of the
// user's commands.
func (b batch) watch(r *rig) {
	models := make(map[string][]model)
	for n, m := range b.models {
		models[b.before[n].ID] = append(models[b.before[n].ID], m)
	}
	r.front.watch(func(id string) {
		u, _ := r.tenant.User(id)
		fault := "nothing was asked"
		for _, m := range models[id] {
			if fault = m.unsafe(u); fault == "" {
				return
			}
		}
		r.t.Errorf("%s: %+v on the way of %+v", fault, u, models[id])
	})
}

// check compares outcomes and directory with the models.
func (b batch) check(r *rig, ids []string) {
	r.t.Helper()
	want := make(map[string]model)
	for n, m := range b.models {
		want[b.before[n].ID] = m
		o := r.outcome(ids[n])
		fine := o.Result == messages.Applied || o.Result == messages.Unchanged
		if m.refused {
			fine = o.Result == messages.Refused && o.Reason != worker.ReasonRefusedByGraph
		}
		if !fine || o.Writes > m.writes && !m.late {
			r.t.Errorf("%s (%s: %s) by %d writes; want refused %v, at most %d writes\n%+v asked\n%+v",
				o.Result, o.Reason, o.Detail, o.Writes, m.refused, m.writes, b.before[n], m.command)
		}
	}
	last := make(map[string]tenant.User)
	for n, m := range b.models {
		last[b.before[n].ID] = m.end(b.before[n])
	}
	for _, u := range r.tenant.Snapshot() {
		if w := last[u.ID]; !want[u.ID].late && !alike(u, w) {
			r.t.Errorf("became\n%+v\nwant\n%+v\nas asked\n%+v", u, w, want[u.ID].command)
		}
	}
}

// alike compares what commands can change. Graph may have enforced by itself what
// is enabled.
func alike(got, want tenant.User) bool {
	if len(got.Authenticator) != len(want.Authenticator) {
		return false
	}
	for i := range got.Authenticator {
		if got.Authenticator[i].ID != want.Authenticator[i].ID {
			return false
		}
	}
	state := got.PerUserMFAState == want.PerUserMFAState || got.PerUserMFAState == "enforced" && want.PerUserMFAState == "enabled"
	return got.Phones == want.Phones && got.SMSSignIn == want.SMSSignIn && state && got.DefaultMethod == want.DefaultMethod
}
