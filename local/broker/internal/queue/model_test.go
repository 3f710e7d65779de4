package queue_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// model is a queue as one would explain it: two lists that are searched from
// end to end.
type model struct {
	seq   int64
	main  []*modelMessage
	later []*modelMessage // in the order of joining
	dead  []*modelMessage
	locks map[queue.Token]*modelMessage
}

type modelMessage struct {
	seq        int64
	payload    string
	joins      time.Time // of one that is scheduled
	joined     time.Time
	lives      time.Duration // of one that is scheduled; zero: for ever
	deliveries int
	expires    time.Time
	locked     time.Time // zero: active, or deferred
	deferred   bool      // locked ones too, if that is how they come back
	overlay    map[string]any
	inDead     bool
}

func (m *model) list(dead bool) *[]*modelMessage {
	if dead {
		return &m.dead
	}
	return &m.main
}

func (m *model) remove(msg *modelMessage) {
	list := m.list(msg.inDead)
	*list = slices.DeleteFunc(*list, func(o *modelMessage) bool { return o == msg })
}

func (m *model) unlock(tok queue.Token) *modelMessage {
	msg := m.locks[tok]
	delete(m.locks, tok)
	msg.locked = time.Time{}
	return msg
}

func (m *model) bury(msg *modelMessage) {
	m.remove(msg)
	msg.inDead, msg.deferred, msg.expires = true, false, time.Time{}
	m.dead = append(m.dead, msg)
	slices.SortFunc(m.dead, func(a, b *modelMessage) int { return int(a.seq - b.seq) })
}

func (msg *modelMessage) set(properties map[string]any) {
	if msg.overlay == nil && len(properties) > 0 {
		msg.overlay = map[string]any{}
	}
	for k, v := range properties {
		msg.overlay[k] = v
	}
}

func (msg *modelMessage) explain(reason, description string) {
	msg.set(map[string]any{queue.PropertyReason: reason, queue.PropertyDescription: description})
}

func (m *model) fail(msg *modelMessage) {
	if msg.inDead {
		return
	}
	msg.deliveries++
	if msg.deliveries >= maxDeliveries {
		msg.explain(queue.ReasonMaxDeliveryCount, "Message could not be consumed after 3 delivery attempts.")
		m.bury(msg)
	}
}

// tick lets scheduled messages join, ends locks and drops what outlived its time.
func (m *model) tick(now time.Time) {
	for len(m.later) > 0 && !m.later[0].joins.After(now) {
		msg := m.later[0]
		m.later = m.later[1:]
		m.seq++
		msg.seq, msg.joined = m.seq, msg.joins
		if msg.lives > 0 {
			msg.expires = msg.joins.Add(msg.lives)
		}
		m.main = append(m.main, msg)
	}
	for tok, msg := range m.locks {
		if !msg.locked.After(now) {
			m.fail(m.unlock(tok))
		}
	}
	for _, msg := range slices.Clone(m.main) {
		if msg.locked.IsZero() && !msg.deferred && !msg.expires.IsZero() && !msg.expires.After(now) {
			msg.explain(queue.ReasonExpired, "The message expired and was dead lettered.")
			m.bury(msg)
		}
	}
}

func (m *model) next(dead bool) *modelMessage {
	for _, msg := range *m.list(dead) {
		if msg.locked.IsZero() && !msg.deferred {
			return msg
		}
	}
	return nil
}

// aside returns the message with a sequence number, if it is deferred and not
// locked.
func (m *model) aside(dead bool, seq int64) *modelMessage {
	for _, msg := range *m.list(dead) {
		if msg.seq == seq && msg.deferred && msg.locked.IsZero() {
			return msg
		}
	}
	return nil
}

// run drives a queue and the model side by side.
type run struct {
	t      *testing.T
	rng    *rand.Rand
	now    time.Time
	queue  *queue.Queue
	model  *model
	tokens []queue.Token // all ever seen, lost ones too
	kept   keeper        // nil where nothing outlives the process
}

func TestAgainstModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("nothing kept ", seed), func(t *testing.T) { againstModel(t, seed, nil) })
		t.Run(fmt.Sprint("memory ", seed), func(t *testing.T) { againstModel(t, seed, newShelf(t)) })
	}
	t.Run("disk", func(t *testing.T) { againstModel(t, 7, newDisk(t)) })
}

func againstModel(t *testing.T, seed uint64, kept keeper) {
	r := &run{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: start,
		model: &model{locks: map[queue.Token]*modelMessage{}}, kept: kept,
	}
	r.queue = queue.New(r.config())
	for step := range 1500 {
		if r.step(step); t.Failed() {
			t.Fatalf("at step %d", step)
		}
	}
}

func (r *run) config() queue.Config {
	c := queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, DeadLetterExpired: true}
	if r.kept != nil {
		c.Store = r.kept
	}
	return c
}

// restart ends the process: locks are gone, and nothing else.
func (r *run) restart() {
	if r.kept == nil {
		return
	}
	r.queue = queue.New(r.config())
	restore(r.t, r.queue, r.now, r.kept)
	for tok := range r.model.locks {
		r.model.unlock(tok)
	}
	r.model.tick(r.now)
}

func (r *run) step(step int) {
	r.model.tick(r.now)
	dead := r.rng.IntN(4) == 0
	q := r.queue
	if dead {
		q = r.queue.DeadLetters()
	}
	switch r.rng.IntN(16) {
	case 15:
		r.restart()
	case 14:
		r.deleteBatch(q, dead)
	case 12:
		r.takeDeferred(q, dead)
	case 13:
		r.cancel()
	case 0, 1, 2:
		r.enqueue(1 + r.rng.IntN(5))
	case 3, 4, 5:
		r.take(q, dead)
	case 6:
		r.now = r.now.Add(time.Duration(r.rng.IntN(20)) * time.Second)
		r.model.tick(r.now)
		if r.rng.IntN(2) == 0 { // else the next operation notices what is due
			r.queue.Expire(r.now)
			r.queue.DeadLetters().Expire(r.now)
		}
	default:
		r.settle(q, dead)
	}
	r.compare(step)
}

func (r *run) enqueue(n int) {
	for range n {
		r.model.seq++
		msg := &modelMessage{seq: r.model.seq, payload: fmt.Sprint(r.model.seq), joined: r.now}
		in := item(msg.payload)
		if r.rng.IntN(5) == 0 {
			in.TimeToLive = time.Duration(1+r.rng.IntN(90)) * time.Second
			msg.expires, msg.lives = r.now.Add(in.TimeToLive), in.TimeToLive
		}
		if r.rng.IntN(6) == 0 {
			in.EnqueueAt = r.now.Add(time.Duration(r.rng.IntN(60)-10) * time.Second)
		}
		if in.EnqueueAt.After(r.now) {
			msg.joins, msg.expires = in.EnqueueAt, time.Time{}
			r.model.later = append(r.model.later, msg)
			slices.SortStableFunc(r.model.later, func(a, b *modelMessage) int { return a.joins.Compare(b.joins) })
		} else {
			r.model.main = append(r.model.main, msg)
		}
		if got, err := r.queue.Enqueue(r.now, in); err != nil || got != msg.seq {
			r.t.Errorf("sequence number = %d, want %d", got, msg.seq)
		}
	}
}

func (r *run) take(q *queue.Queue, dead bool) {
	if r.kept != nil {
		r.kept.settle()
	}
	mode := queue.PeekLock
	if r.rng.IntN(6) == 0 {
		mode = queue.ReceiveAndDelete
	}
	d, ok := q.Take(r.now, mode, nil)
	want := r.model.next(dead)
	switch {
	case ok != (want != nil):
		r.t.Errorf("take = %v, want %v", ok, want != nil)
	case !ok:
	case d.Sequence != want.seq || string(d.Payload) != want.payload || d.DeliveryCount != want.deliveries:
		r.t.Errorf("took %+v, want %+v", d, want)
	case mode == queue.ReceiveAndDelete:
		r.model.remove(want)
	default:
		want.locked = r.now.Add(lockFor)
		r.model.locks[d.Token] = want
		r.tokens = append(r.tokens, d.Token)
	}
}

// takeDeferred asks for two sequence numbers, of which each may be wrong.
func (r *run) takeDeferred(q *queue.Queue, dead bool) {
	var candidates []int64
	for _, msg := range *r.model.list(dead) {
		if msg.deferred || r.rng.IntN(20) == 0 {
			candidates = append(candidates, msg.seq)
		}
	}
	r.rng.Shuffle(len(candidates), func(i, j int) { candidates[i], candidates[j] = candidates[j], candidates[i] })
	candidates = candidates[:min(2, len(candidates))]
	if r.rng.IntN(10) == 0 {
		candidates = append(candidates, r.rng.Int64N(r.model.seq+2))
	}
	var want []*modelMessage
	known := len(candidates) > 0
	for i, seq := range candidates {
		msg := r.model.aside(dead, seq)
		known = known && msg != nil && !slices.Contains(candidates[:i], seq)
		want = append(want, msg)
	}
	mode := queue.PeekLock
	if r.rng.IntN(6) == 0 {
		mode = queue.ReceiveAndDelete
	}
	got, err := q.TakeDeferred(r.now, mode, "", candidates...)
	if len(candidates) == 0 {
		return
	}
	if (err == nil) != known {
		r.t.Errorf("take deferred %v = %v, want found: %v", candidates, err, known)
	}
	for i, d := range got {
		switch {
		case d.Sequence != want[i].seq || d.DeliveryCount != want[i].deliveries:
			r.t.Errorf("took deferred %+v, want %+v", d, want[i])
		case mode == queue.ReceiveAndDelete:
			r.model.remove(want[i])
		default:
			want[i].locked = r.now.Add(lockFor)
			r.model.locks[d.Token] = want[i]
			r.tokens = append(r.tokens, d.Token)
		}
	}
}

// deleteBatch deletes a few messages that are old.
func (r *run) deleteBatch(q *queue.Queue, dead bool) {
	until, limit := r.now.Add(-time.Duration(r.rng.IntN(200))*time.Second), 1+r.rng.IntN(2)
	want := 0
	for _, msg := range slices.Clone(*r.model.list(dead)) {
		if want < limit && msg.locked.IsZero() && !msg.deferred && !msg.joined.After(until) {
			r.model.remove(msg)
			want++
		}
	}
	if got := q.DeleteBatch(r.now, nil, until, limit); got != want {
		r.t.Errorf("deleted %d, want %d", got, want)
	}
}

// cancel cancels a scheduled message, or tries to.
func (r *run) cancel() {
	seq := r.rng.Int64N(r.model.seq + 2)
	if n := len(r.model.later); n > 0 && r.rng.IntN(3) > 0 {
		seq = r.model.later[r.rng.IntN(n)].seq
	}
	before := len(r.model.later)
	r.model.later = slices.DeleteFunc(r.model.later, func(msg *modelMessage) bool { return msg.seq == seq })
	if err := r.queue.Cancel(r.now, seq); (err == nil) != (len(r.model.later) < before) {
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
	if r.rng.IntN(3) > 0 {
		tok = r.tokens[len(r.tokens)-1]
	}
	msg, held := r.model.locks[tok]
	held = held && msg.inDead == dead
	properties := map[string]any{fmt.Sprint("p", r.rng.IntN(3)): r.rng.Int32N(100)}
	var err error
	var apply func()
	switch r.rng.IntN(6) {
	case 4:
		err = q.Defer(r.now, tok, properties)
		apply = func() { r.model.unlock(tok).set(properties); msg.deferred = true; r.model.fail(msg) }
	case 0:
		err = q.Complete(r.now, tok)
		apply = func() { r.model.remove(r.model.unlock(tok)) }
	case 1:
		err = q.Abandon(r.now, tok, properties)
		apply = func() { r.model.unlock(tok).set(properties); r.model.fail(msg) }
	case 2:
		err = q.Release(r.now, tok)
		apply = func() { r.model.unlock(tok) }
	case 3:
		if dead {
			return
		}
		properties[queue.PropertyReason] = "given"
		err = q.DeadLetter(r.now, tok, properties)
		apply = func() { r.model.unlock(tok).set(properties); r.model.bury(msg) }
	default:
		_, err = q.Renew(r.now, tok)
		apply = func() { msg.locked = r.now.Add(lockFor) }
	}
	if (err == nil) != held {
		r.t.Errorf("settlement = %v, but the token is held: %v", err, held)
	}
	if held {
		apply()
	}
	r.model.tick(r.now) // a message given back after its time is gone at once
}

func (r *run) compare(step int) {
	locked, deferred := 0, 0
	for _, msg := range r.model.main {
		switch {
		case !msg.locked.IsZero():
			locked++
		case msg.deferred:
			deferred++
		}
	}
	want := queue.Counts{Active: len(r.model.main) - locked - deferred, Deferred: deferred, Scheduled: len(r.model.later), Locked: locked, DeadLettered: len(r.model.dead)}
	if got := r.queue.Counts(r.now); got != want {
		r.t.Errorf("counts = %+v, want %+v", got, want)
	}
	if step%50 == 0 {
		from := r.rng.Int64N(r.model.seq + 2)
		all := append(slices.Clone(r.model.later), r.model.main...)
		slices.SortFunc(all, func(a, b *modelMessage) int { return int(a.seq - b.seq) })
		r.comparePeek(r.queue, all, from)
		r.comparePeek(r.queue.DeadLetters(), r.model.dead, from)
	}
}

func (r *run) comparePeek(q *queue.Queue, list []*modelMessage, from int64) {
	type seen struct {
		Seq      int64
		Locked   bool
		Deferred bool
		Overlay  map[string]any
	}
	var got, want []seen
	for _, m := range q.Peek(r.now, nil, from, 1<<30) {
		got = append(got, seen{m.Sequence, m.Locked, m.Deferred, m.Overlay})
	}
	for _, m := range list {
		if m.seq >= from {
			want = append(want, seen{m.seq, !m.locked.IsZero(), m.deferred, m.overlay})
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("peek from %d (-want +got):\n%s", from, diff)
	}
}
