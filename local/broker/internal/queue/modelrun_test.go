package queue_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// run drives a queue and the model side by side, at random.
type run struct {
	t      *testing.T
	rng    *rand.Rand
	now    time.Time
	queue  *queue.Queue
	model  *model
	tokens []queue.Token // all ever seen, lost ones too
	kept   keeper        // nil where nothing outlives the process
	sentOn []string
}

// modelRuns is how many runs there are of every kind: MUSTERTEST_RUNS, or a few.
func modelRuns() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("MUSTERTEST_RUNS"), 10, 32); err == nil {
		return n
	}
	return 4
}

func TestAgainstModel(t *testing.T) {
	for seed := range modelRuns() {
		for _, sessions := range []bool{false, true} {
			name := fmt.Sprintf("sessions %v, seed %d", sessions, seed)
			t.Run(name+", memory", func(t *testing.T) { againstModel(t, seed, sessions, nil) })
			t.Run(name+", shelf", func(t *testing.T) { againstModel(t, seed, sessions, newShelf(t)) })
			if seed == 0 {
				t.Run(name+", disk", func(t *testing.T) { againstModel(t, seed, sessions, newDisk(t)) })
			}
		}
	}
}

func againstModel(t *testing.T, seed uint64, sessions bool, kept keeper) {
	r := &run{t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: start, kept: kept}
	config := queue.Config{
		LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, Sessions: sessions, DeadLetterExpired: r.rng.IntN(3) > 0,
	}
	if kept != nil {
		config.Store = kept
	}
	if r.rng.IntN(2) == 0 {
		config.DuplicateWindow = 30 * time.Second
	}
	if r.rng.IntN(3) == 0 {
		config.TimeToLive = time.Minute
	}
	if r.rng.IntN(3) == 0 {
		config.ForwardDead = func(_ time.Time, p queue.Passed) error {
			if !takenElsewhere(string(p.Payload)) {
				return errors.New("not here")
			}
			r.sentOn = append(r.sentOn, string(p.Payload))
			return nil
		}
	}
	r.model, r.queue = newModel(config), queue.New(config)
	for step := range 1500 {
		if r.step(); t.Failed() {
			t.Fatalf("at step %d", step)
		}
	}
}

var sessionIDs = []string{"", "a", "b", "c"}

func (r *run) one(ids []string) string { return ids[r.rng.IntN(len(ids))] }
func (r *run) chance(n int) bool       { return r.rng.IntN(n) == 0 }

func (r *run) step() {
	if r.kept != nil {
		r.kept.settle()
	}
	dead := r.chance(4)
	q := r.queue
	if dead {
		q = r.queue.DeadLetters()
	}
	switch n := r.rng.IntN(20); {
	case n < 4:
		r.send()
	case n < 7:
		r.take(q, dead)
	case n < 8:
		r.takeDeferred(q, dead)
	case n < 9:
		r.cancel()
	case n < 10:
		r.deleteBatch(q, dead)
	case n < 11:
		r.elapse()
	case n < 12 && r.model.config.Sessions:
		r.onSession()
	case n < 13 && r.model.config.Sessions:
		r.accept()
	case n < 14:
		r.rarely()
	default:
		r.settle(q, dead)
	}
	r.model.tick(r.now) // what is given back after its time is gone at once
	r.compare()
}

// elapse lets time pass. The next operation notices it if Expire is not called.
func (r *run) elapse() {
	r.now = r.now.Add(time.Duration(r.rng.IntN(20)) * time.Second)
	r.model.tick(r.now)
	if r.chance(2) {
		r.queue.Expire(r.now)
		r.queue.DeadLetters().Expire(r.now)
	}
}

// rarely ends the process, or all locks.
func (r *run) rarely() {
	switch {
	case !r.chance(4):
	case r.kept != nil && r.chance(2):
		r.queue = queue.New(r.model.config)
		restore(r.t, r.queue, r.now, r.kept)
		r.model.restart()
	default:
		r.queue.LoseLocks(r.now)
		r.queue.DeadLetters().LoseLocks(r.now)
		for _, msg := range r.model.locks {
			if !msg.until.IsZero() {
				r.model.unlock(msg)
				r.model.fail(msg)
			}
		}
		for id := range r.model.held {
			r.model.free(id, true)
		}
	}
}

func (r *run) send() {
	r.model.tick(r.now)
	var items []queue.Item
	first := r.model.seq + 1
	for range 1 + r.rng.IntN(4) {
		msg := &modelMessage{payload: fmt.Sprint(r.model.seq + 1), joined: r.now}
		in := item(msg.payload)
		if r.model.config.Sessions {
			msg.session = r.one(sessionIDs)
			in.Session = &msg.session
		}
		if r.chance(4) {
			msg.lives = time.Duration(1+r.rng.IntN(90)) * time.Second
		}
		if r.chance(6) {
			msg.joined = r.now.Add(time.Duration(r.rng.IntN(60)-10) * time.Second)
			in.EnqueueAt = msg.joined
		}
		if r.chance(3) {
			in.MessageID = r.one([]string{"x", "y", "z"})
		}
		in.TimeToLive = msg.lives
		r.model.send(r.now, msg, in.MessageID)
		items = append(items, in)
	}
	if got, err := r.queue.Enqueue(r.now, items...); err != nil || got != first {
		r.t.Errorf("sequence number = %d, %v; want %d", got, err, first)
	}
}

func (r *run) mode() queue.Mode {
	if r.chance(6) {
		return queue.ReceiveAndDelete
	}
	return queue.PeekLock
}

// handed compares a delivery with the message that it should be.
func (r *run) handed(d queue.Delivery, msg *modelMessage, mode queue.Mode) {
	r.t.Helper()
	if d.Sequence != msg.seq || string(d.Payload) != msg.payload || d.DeliveryCount != msg.deliveries || !d.EnqueuedAt.Equal(msg.joined) {
		r.t.Errorf("took %+v, want %+v", d, msg)
		return
	}
	if mode == queue.ReceiveAndDelete {
		r.model.remove(msg)
		return
	}
	until := r.now.Add(lockFor)
	h := r.model.held[msg.session]
	if r.model.config.Sessions && !msg.dead {
		until = h.until
	}
	if !d.LockedUntil.Equal(until) {
		r.t.Errorf("locked until %v, want %v", d.LockedUntil, until)
	}
	if r.model.config.Sessions && !msg.dead {
		until = time.Time{}
	}
	r.model.lock(msg, d.Token, until)
	r.tokens = append(r.tokens, d.Token)
}

func (r *run) take(q *queue.Queue, dead bool) {
	mode := r.mode()
	if r.model.config.Sessions && !dead {
		r.takeFrom(mode)
		return
	}
	d, ok := q.Take(r.now, mode, nil)
	want := r.model.matching(dead, (*modelMessage).active)
	switch {
	case ok != (len(want) > 0):
		r.t.Errorf("take = %v, want %v", ok, want)
	case ok:
		r.handed(d, want[0], mode)
	}
}

// takeDeferred asks for a few sequence numbers, of which each may be wrong.
func (r *run) takeDeferred(q *queue.Queue, dead bool) {
	id := r.one(sessionIDs)
	sessions := r.model.config.Sessions && !dead
	var numbers []int64
	for _, msg := range r.model.list(dead) {
		if r.chance(30) || msg.deferred && !msg.locked() && (!sessions || msg.session == id || r.chance(10)) {
			numbers = append(numbers, msg.seq)
		}
	}
	r.rng.Shuffle(len(numbers), func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
	numbers = numbers[:min(2, len(numbers))]
	if r.chance(10) {
		numbers = append(numbers, r.rng.Int64N(r.model.seq+2))
	}
	if len(numbers) == 0 {
		return
	}
	var want []*modelMessage
	for i, seq := range numbers {
		found := r.model.matching(dead, func(msg *modelMessage) bool {
			return msg.seq == seq && msg.deferred && !msg.locked() && (!sessions || msg.session == id)
		})
		if !slices.Contains(numbers[:i], seq) {
			want = append(want, found...)
		}
	}
	mode := r.mode()
	got, err := q.TakeDeferred(r.now, mode, id, 1<<30, numbers...)
	switch held := r.model.held[id] != nil; {
	case sessions && !held:
		if !errors.Is(err, queue.ErrSessionLost) {
			r.t.Errorf("take deferred of a session that nobody holds: %v", err)
		}
	case (err == nil) != (len(want) == len(numbers)):
		r.t.Errorf("take deferred %v = %v, want %v", numbers, err, want)
	case err == nil:
		for i, d := range got {
			r.handed(d, want[i], mode)
		}
	}
}

// deleteBatch deletes a few messages that are old.
func (r *run) deleteBatch(q *queue.Queue, dead bool) {
	until, limit := r.now.Add(-time.Duration(r.rng.IntN(200))*time.Second), 1+r.rng.IntN(2)
	var within *string
	if r.model.config.Sessions && !dead && r.chance(2) {
		id := r.one(sessionIDs)
		within = &id
	}
	want := r.model.matching(dead, func(msg *modelMessage) bool {
		switch {
		case !msg.active() || msg.joined.After(until):
			return false
		case within != nil:
			return msg.session == *within
		}
		return !r.model.config.Sessions || dead || r.model.held[msg.session] == nil
	})
	want = want[:min(limit, len(want))]
	for _, msg := range want {
		r.model.remove(msg)
	}
	if got := q.DeleteBatch(r.now, within, until, limit); got != len(want) {
		r.t.Errorf("deleted %d, want %d", got, len(want))
	}
}

// cancel cancels a scheduled message, or tries to.
func (r *run) cancel() {
	seq := r.rng.Int64N(r.model.seq + 2)
	if scheduled := r.model.matching(false, func(msg *modelMessage) bool { return msg.scheduled }); len(scheduled) > 0 && !r.chance(3) {
		seq = scheduled[r.rng.IntN(len(scheduled))].seq
	}
	want := r.model.matching(false, func(msg *modelMessage) bool { return msg.scheduled && msg.seq == seq })
	for _, msg := range want {
		r.model.remove(msg)
	}
	if err := r.queue.Cancel(r.now, seq); (err == nil) != (len(want) > 0) {
		r.t.Errorf("cancel %d = %v", seq, err)
	}
}

// settle tries some settlement or renewal with some token, which may be lost
// or belong to the other queue.
func (r *run) settle(q *queue.Queue, dead bool) {
	if len(r.tokens) == 0 {
		return
	}
	tok := r.tokens[r.rng.IntN(len(r.tokens))]
	if !r.chance(3) {
		tok = r.tokens[max(0, len(r.tokens)-1-r.rng.IntN(3))]
	}
	msg := r.model.locks[tok]
	held := msg != nil && msg.dead == dead
	properties := map[string]any{fmt.Sprint("p", r.rng.IntN(3)): r.rng.Int32N(100)}
	var err error
	var apply func()
	switch r.rng.IntN(7) {
	case 0:
		err = q.Complete(r.now, tok)
		apply = func() { r.model.remove(msg) }
	case 1:
		err = q.Abandon(r.now, tok, properties)
		apply = func() { msg.set(properties); r.model.fail(msg) }
	case 2:
		err = q.Release(r.now, tok)
		apply = func() {}
	case 3, 4:
		err = q.Defer(r.now, tok, properties)
		apply = func() { msg.set(properties); msg.deferred = true; r.model.fail(msg) }
	case 5:
		r.renew(q, tok, msg, held)
		return
	default:
		if err = q.DeadLetter(r.now, tok, properties); dead {
			if held != errors.Is(err, queue.ErrDeadLetterQueue) {
				r.t.Errorf("dead-lettering a dead letter = %v", err)
			}
			return
		}
		apply = func() { msg.set(properties); r.model.bury(msg) }
	}
	if held != (err == nil) || !held && !errors.Is(err, queue.ErrLockLost) {
		r.t.Errorf("settlement = %v, but the token is held: %v", err, held)
	}
	if held {
		r.model.unlock(msg)
		apply()
	}
}

func (r *run) renew(q *queue.Queue, tok queue.Token, msg *modelMessage, held bool) {
	until, err := q.Renew(r.now, tok)
	switch {
	case held != (err == nil):
		r.t.Errorf("renew = %v, but the token is held: %v", err, held)
	case !held:
	case msg.until.IsZero():
		if h := r.model.held[msg.session]; !until.Equal(h.until) {
			r.t.Errorf("renewed until %v in a session until %v", until, h.until)
		}
	default:
		if msg.until = r.now.Add(lockFor); !until.Equal(msg.until) {
			r.t.Errorf("renewed until %v, want %v", until, msg.until)
		}
	}
}

func (r *run) compare() {
	if r.model.config.ForwardDead != nil {
		r.queue.Expire(r.now) // what is being handed on is in no queue meanwhile
	}
	if diff := cmp.Diff(r.model.counts(), r.queue.Counts(r.now)); diff != "" {
		r.t.Errorf("counts (-want +got):\n%s", diff)
	}
	for id, h := range r.model.held {
		if h.told {
			r.t.Errorf("session %q is held, and its receiver was told that it is not", id)
		}
	}
	slices.Sort(r.sentOn)
	slices.Sort(r.model.sentOn)
	if !slices.Equal(r.sentOn, r.model.sentOn) {
		r.t.Errorf("dead letters went elsewhere: %v, want %v", r.sentOn, r.model.sentOn)
	}
	if r.model.config.Sessions {
		r.compareSessions()
	}
	if r.chance(20) {
		r.comparePeek(r.queue, false)
		r.comparePeek(r.queue.DeadLetters(), true)
	}
}

// comparePeek reads one page.
func (r *run) comparePeek(q *queue.Queue, dead bool) {
	type seen struct {
		Seq                         int64
		Payload                     string
		Locked, Deferred, Scheduled bool
		Deliveries                  int
		Joined, Expires             time.Time
		Overlay                     map[string]any
	}
	from, limit := r.rng.Int64N(r.model.seq+2), 1+r.rng.IntN(20)
	var within *string
	if r.model.config.Sessions && !dead && r.chance(2) {
		id := r.one(sessionIDs)
		within = &id
	}
	var got, want []seen
	for _, m := range q.Peek(r.now, within, from, limit, 1<<30) {
		got = append(got, seen{
			m.Sequence, string(m.Payload), m.Locked, m.Deferred, m.Scheduled, m.DeliveryCount, m.EnqueuedAt, m.ExpiresAt, m.Overlay,
		})
	}
	for _, m := range r.model.list(dead) {
		if m.seq >= from && (within == nil || m.session == *within) && len(want) < limit {
			want = append(want, seen{m.seq, m.payload, m.locked(), m.deferred, m.scheduled, m.deliveries, m.joined, m.expires, m.overlay})
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("peek from %d (-want +got):\n%s", from, diff)
	}
}
