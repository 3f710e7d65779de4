package worker_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/tenant"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/worker"
)

// campaign runs a test with so many seeds. The variable MUSTERTEST_MODEL makes it
// go on with further ones for so long.
func campaign(t *testing.T, seeds uint64, run func(*testing.T, uint64)) {
	t.Helper()
	var until time.Time
	if long := os.Getenv("MUSTERTEST_MODEL"); long != "" {
		until = time.Now().Add(must(time.ParseDuration(long))(t))
	}
	for seed := uint64(0); seed < seeds || time.Now().Before(until) && !t.Failed(); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) { run(t, seed) })
	}
}

// Whatever users have and commands ask for: the end is what the model says, by
// no write more than it takes, safely at every moment; and all of it once more
// makes no write.
func TestUsersEndAsAsked(t *testing.T) {
	t.Parallel()
	campaign(t, 1, func(t *testing.T, seed uint64) {
		users := 400
		if seed > 0 {
			users = 800
		}
		b := inventBatch(users, 1, rand.New(rand.NewPCG(seed, 6)))
		r := newRig(t, config{users: b.users, worker: worker.Options{Concurrency: 256}})
		b.watch(r)
		ids := r.publish(b.sent...)
		r.work()
		b.check(r, ids)
		drifts, applied := int64(0), 0 // Graph has by itself what the plan's last step asks for
		for n, m := range b.models {
			got := r.outcome(ids[n])
			if got.Writes != m.writes && !m.late {
				t.Errorf("%d writes, want %d: %+v asked %+v", got.Writes, m.writes, b.before[n], m.command)
			}
			switch {
			case m.before.mfa == "enabled" && m.command.PerUserMFAState == messages.MFAEnforced && (m.writes > 1 || m.late):
				drifts++
			case m.late && m.command.SMSSignIn != nil:
				drifts++ // SMS sign-in is tried where it is not unique
			}
			if m.writes > 1 {
				applied++
			}
		}
		if applied < 50 {
			t.Errorf("only %d commands took more than one write", applied)
		}
		if stats := r.tenant.Stats(); stats.RedundantWrites > drifts {
			t.Errorf("%d redundant writes, want at most %d", stats.RedundantWrites, drifts)
		}
		b.repeat(r)
	})
}

// On bad days too: requests fail, replies get lost, reads are stale. Each user
// still ends as the model says, nothing is delivered twice, no write that was
// answered is made again, and nothing changes oftener than it must.
func TestUsersEndAsAskedOnBadDays(t *testing.T) {
	t.Parallel()
	campaign(t, 1, func(t *testing.T, seed uint64) {
		bad := tenant.FaultsHarsh.Probabilities()
		users := 300
		if seed == 0 {
			// After a POST that never arrived the client looks for its effect for
			// some seconds.
			users, bad.ResetBefore, bad.LostReply = 50, 0.004, 0.06
		}
		// These make everybody wait, and the test with them.
		bad.ServerError, bad.Throttle, bad.BurstMax, bad.RetryAfterMax = 0.006, 0.001, 1, time.Second
		bad.SlowMin, bad.SlowMax = time.Millisecond, 50*time.Millisecond
		b := inventBatch(users, 3, rand.New(rand.NewPCG(seed, 7)))
		r := newRig(t, config{
			users:  b.users,
			tenant: tenant.Options{Probabilities: &bad, Lag: 300 * time.Millisecond, Seed: seed},
			worker: worker.Options{Concurrency: 256, FirstRetry: 200 * time.Millisecond}, // two tries outlast the lag
		})
		b.watch(r)
		ids := r.publish(b.sent...)
		r.work()
		b.check(r, ids)
		r.wantDeliveries(1, ids...)
		for id, writes := range r.front.answeredWrites() {
			if writes > b.allowed(id) {
				t.Errorf("%d writes for %s were answered, want at most %d", writes, id, b.allowed(id))
			}
		}
		if faults := r.tenant.Stats().Faults; faults["lostReply"] == 0 || faults["stale"] == 0 || faults["throttled"]+faults["serviceUnavailable"] == 0 {
			t.Errorf("it was no bad day: %v", faults)
		}
		b.repeat(r)
	})
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
	for n, number := range takenNumbers {
		b.users = append(b.users, tenant.User{
			UserPrincipalName: upn(fmt.Sprintf("owner%d", n)), Phones: tenant.Phones{Mobile: number}, SMSSignInAllowed: true, SMSSignIn: true,
		})
	}
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

// watch looks at the user after each write: it must be on the way of the command
// that is under way or of one after it, and no more may have changed than must.
func (b batch) watch(r *rig) {
	type progress struct {
		at      int // among the user's commands
		last    world
		changes int
	}
	models, users := make(map[string][]model), make(map[string]*progress)
	for n, m := range b.models {
		id := b.before[n].ID
		if models[id] = append(models[id], m); users[id] == nil {
			users[id] = &progress{last: m.before}
		}
	}
	r.front.watch(func(id string) {
		u, _ := r.tenant.User(id)
		p := users[id]
		if p == nil {
			r.t.Errorf("a write for %s, for whom nothing was asked", id)
			return
		}
		if now := worldOf(u); now != p.last {
			p.last = now
			if p.changes++; p.changes > b.allowed(id) {
				r.t.Errorf("%s was changed %d times, want at most %d", id, p.changes, b.allowed(id))
			}
		}
		fault := ""
		for at, m := range models[id][p.at:] {
			if fault = m.unsafe(u); fault == "" {
				p.at += at
				return
			}
		}
		r.t.Errorf("%s: %+v on the way of %+v", fault, u, models[id][p.at:])
	})
}

// allowed is how many writes the user's commands may take. A late refusal may come
// after any that the command asks for.
func (b batch) allowed(id string) int {
	writes := 0
	for n, m := range b.models {
		switch {
		case b.before[n].ID != id:
		case m.late:
			writes += len(messages.PhoneTypes) + len(m.apps) + 3
		default:
			writes += m.writes
		}
	}
	return writes
}

// repeat publishes the last command of each user once more, to a worker that
// remembers nothing: it makes no write.
func (b batch) repeat(r *rig) {
	r.t.Helper()
	last := make(map[string]int)
	for n := range b.models {
		last[b.before[n].ID] = n
	}
	written := r.front.answeredWrites()
	again := make(map[int]string)
	var commands []messages.Command
	var numbers []int
	for n := range b.models {
		if last[b.before[n].ID] == n {
			commands, numbers = append(commands, b.sent[n]), append(numbers, n)
		}
	}
	for i, id := range r.publish(commands...) {
		again[numbers[i]] = id
	}
	r.work()
	for id, n := range r.front.answeredWrites() {
		if n > written[id] {
			r.t.Errorf("%d writes more for %s the second time", n-written[id], id)
		}
	}
	for n, id := range again {
		want := messages.Unchanged
		if b.models[n].refused {
			want = messages.Refused
		}
		if got := r.outcome(id); got.Result != want {
			r.t.Errorf("%s (%s) the second time, want %s: %+v asked %+v", got.Result, got.Reason, want, b.before[n], b.models[n].command)
		}
	}
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
	for id, writes := range r.front.refusedWrites() {
		if !want[id].late {
			r.t.Errorf("%d writes for %s were tried that Graph refuses", writes, id)
		}
	}
	last := make(map[string]tenant.User)
	for n, m := range b.models {
		last[b.before[n].ID] = m.end(b.before[n])
	}
	for _, u := range r.tenant.Snapshot() {
		if w, asked := last[u.ID]; asked && !want[u.ID].late && !alike(u, w) {
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
