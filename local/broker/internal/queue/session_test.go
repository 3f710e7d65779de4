package queue_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

func newSessionQueue() *queue.Queue {
	return queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, DeadLetterExpired: true, Sessions: true})
}

func in(session, text string) queue.Item {
	return queue.Item{Payload: []byte(text), Session: &session}
}

// accept locks a session that nobody holds.
func accept(t *testing.T, q *queue.Queue, id string) *queue.Session {
	t.Helper()
	s, _, err := q.Accept(start, id, func() {})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAQueueWithSessionsNeedsThem(t *testing.T) {
	q := newSessionQueue()
	if _, err := q.Enqueue(start, in("a", "1"), item("2")); !errors.Is(err, queue.ErrSessionNeeded) {
		t.Errorf("error = %v, want ErrSessionNeeded", err)
	}
	if got := contents(q, start); got != nil {
		t.Errorf("of a batch that was refused, %v is there", got)
	}
	if _, ok := q.Take(start, queue.PeekLock, nil); ok {
		t.Error("a message was taken without its session")
	}
}

func TestASessionHasOneReceiver(t *testing.T) {
	q := newSessionQueue()
	enqueue(t, q, in("b", "1"), in("a", "2"))
	s := accept(t, q, "a")
	if _, _, err := q.Accept(start, "a", nil); !errors.Is(err, queue.ErrSessionLocked) {
		t.Errorf("a second receiver: %v, want ErrSessionLocked", err)
	}
	next, until := q.AcceptNext(start, nil, func() {})
	if next == nil || next.ID() != "b" || !until.Equal(start.Add(lockFor)) {
		t.Fatalf("next is %v until %v, want session b", next, until)
	}
	woken := 0
	if other, _ := q.AcceptNext(start, queue.NewWaiter(func() { woken++ }), nil); other != nil {
		t.Fatalf("a third session: %v", other)
	}
	q.CloseSession(start, s)
	if woken != 1 {
		t.Errorf("the receiver that waits for any session was woken %d times, want once", woken)
	}
	if _, _, err := q.TakeFrom(start, s, queue.PeekLock, nil); !errors.Is(err, queue.ErrSessionLost) {
		t.Errorf("take from a session that was given back: %v, want ErrSessionLost", err)
	}
}

func TestAReceiverOfASessionIsWoken(t *testing.T) {
	q := newSessionQueue()
	s := accept(t, q, "a")
	woken := 0
	w := queue.NewWaiter(func() { woken++ })
	if _, ok, err := q.TakeFrom(start, s, queue.PeekLock, w); ok || err != nil {
		t.Fatalf("an empty session: %v, %v", ok, err)
	}
	enqueue(t, q, in("b", "1"))
	if woken != 0 {
		t.Error("woken for a message of another session")
	}
	enqueue(t, q, in("a", "2"))
	if woken != 1 {
		t.Errorf("woken %d times, want once", woken)
	}
	if _, ok, _ := q.TakeFrom(start, s, queue.PeekLock, w); !ok {
		t.Error("no message")
	}
	q.TakeFrom(start, s, queue.PeekLock, w)
	q.Rest(start, s)
	enqueue(t, q, in("a", "3"))
	if woken != 1 {
		t.Error("woken after it had gone")
	}
}

func TestALockOnASessionThatIsLostFailsItsDeliveries(t *testing.T) {
	q := newSessionQueue()
	enqueue(t, q, in("a", "1"), in("a", "2"))
	lost := 0
	s, _, err := q.Accept(start, "a", func() { lost++ })
	if err != nil {
		t.Fatal(err)
	}
	d, _, _ := q.TakeFrom(start, s, queue.PeekLock, nil)
	if !d.LockedUntil.Equal(start.Add(lockFor)) {
		t.Errorf("locked until %v", d.LockedUntil)
	}
	if _, err := q.RenewSession(start.Add(lockFor-time.Second), "a"); err != nil {
		t.Errorf("renew: %v", err)
	}
	late := start.Add(2*lockFor - time.Second)
	if next, due := q.Expire(late.Add(-time.Second)); !due || !next.Equal(late) || lost != 0 {
		t.Errorf("next due %v, %v; lost %d times", next, due, lost)
	}
	q.Expire(late)
	if lost != 1 {
		t.Errorf("the loss was told %d times, want once", lost)
	}
	if err := q.Complete(late, d.Token); !errors.Is(err, queue.ErrLockLost) {
		t.Errorf("complete after the loss: %v", err)
	}
	if _, err := q.RenewSession(late, "a"); !errors.Is(err, queue.ErrSessionLost) {
		t.Errorf("renew after the loss: %v", err)
	}
	again, _, _ := q.Accept(late, "a", func() {})
	if d, _, _ := q.TakeFrom(late, again, queue.PeekLock, nil); string(d.Payload) != "1" || d.DeliveryCount != 1 {
		t.Errorf("took %q after %d deliveries, want 1 after one", d.Payload, d.DeliveryCount)
	}
	q.CloseSession(late, again)
	again, _, _ = q.Accept(late, "a", func() {})
	if d, _, _ := q.TakeFrom(late, again, queue.PeekLock, nil); d.DeliveryCount != 1 {
		t.Errorf("%d deliveries after the session was given back, want one", d.DeliveryCount)
	}
}

func TestStateOfASession(t *testing.T) {
	q := newSessionQueue()
	if _, err := q.SessionState(start, "a"); !errors.Is(err, queue.ErrSessionLost) {
		t.Errorf("state of a session that nobody holds: %v", err)
	}
	s := accept(t, q, "a")
	if state, err := q.SessionState(start, "a"); state != nil || err != nil {
		t.Errorf("state at first: %v, %v", state, err)
	}
	if err := q.SetSessionState(start, "a", []byte("half")); err != nil {
		t.Fatal(err)
	}
	q.CloseSession(start, s)
	accept(t, q, "a")
	if state, _ := q.SessionState(start, "a"); string(state) != "half" {
		t.Errorf("state = %q", state)
	}
	enqueue(t, q, in("b", "1"), in("c", "2"))
	all := q.Sessions(start, time.Time{}, 0, 100)
	if diff := cmp.Diff([]string{"a", "b", "c"}, all); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
	if got := q.Sessions(start, time.Time{}, 1, 1); !slices.Equal(got, []string{"b"}) {
		t.Errorf("a page: %v", got)
	}
	if got := q.Sessions(start, start.Add(-time.Second), 0, 100); !slices.Equal(got, []string{"a"}) {
		t.Errorf("since a second ago: %v", got)
	}
	if got := q.Sessions(start, start, 0, 100); got != nil {
		t.Errorf("since now: %v", got)
	}
}

func TestDuplicatesAreDropped(t *testing.T) {
	q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, DuplicateWindow: time.Minute})
	named := func(id, text string) queue.Item { return queue.Item{Payload: []byte(text), MessageID: id} }
	enqueue(t, q, named("x", "1"), named("y", "2"), named("x", "3"), named("", "4"), named("", "5"))
	if err := q.Complete(start, take(t, q, start).Token); err != nil {
		t.Fatal(err)
	}
	enqueue(t, q, named("x", "6"))
	if _, err := q.Enqueue(start.Add(time.Minute), named("x", "7")); err != nil {
		t.Fatal(err)
	}
	later := named("z", "8")
	later.EnqueueAt = start.Add(time.Hour)
	enqueue(t, q, later, named("z", "9"))
	if diff := cmp.Diff([]string{"2", "4", "5", "7", "8"}, contents(q, start.Add(time.Minute))); diff != "" {
		t.Errorf("contents (-want +got):\n%s", diff)
	}
}

// sessionModel is a queue with sessions as one would explain it.
type sessionModel struct {
	model
	session map[*modelMessage]string
	holders map[string]*holder
}

type holder struct {
	s     *queue.Session
	until time.Time
	lost  bool
	locks []queue.Token
}

func TestSessionsAgainstModel(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("memory ", seed), func(t *testing.T) { sessionsAgainstModel(t, seed, newShelf(t)) })
	}
	t.Run("disk", func(t *testing.T) { sessionsAgainstModel(t, 12, newDisk(t)) })
}

func sessionsAgainstModel(t *testing.T, seed uint64, kept keeper) {
	r := &sessionRun{
		t: t, rng: rand.New(rand.NewPCG(seed, 2)), now: start, kept: kept,
		m: &sessionModel{
			model:   model{locks: map[queue.Token]*modelMessage{}},
			session: map[*modelMessage]string{}, holders: map[string]*holder{},
		},
	}
	r.queue = queue.New(r.config())
	for step := range 1500 {
		if r.step(); t.Failed() {
			t.Fatalf("at step %d", step)
		}
	}
}

type sessionRun struct {
	t     *testing.T
	rng   *rand.Rand
	now   time.Time
	queue *queue.Queue
	m     *sessionModel
	kept  keeper
}

func (r *sessionRun) config() queue.Config {
	return queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, DeadLetterExpired: true, Sessions: true, Store: r.kept}
}

// restart ends the process: locks on messages and sessions are gone.
func (r *sessionRun) restart() {
	r.queue = queue.New(r.config())
	restore(r.t, r.queue, r.now, r.kept)
	for id := range r.m.holders {
		r.free(id, false)
	}
}

var sessionIDs = []string{"", "a", "b", "c"}

func (r *sessionRun) step() {
	r.tick()
	r.kept.settle()
	id := sessionIDs[r.rng.IntN(len(sessionIDs))]
	switch h := r.m.holders[id]; r.rng.IntN(10) {
	case 9:
		if r.rng.IntN(5) == 0 {
			r.restart()
		}
	case 0, 1:
		r.m.seq++
		msg := &modelMessage{seq: r.m.seq, payload: fmt.Sprint(r.m.seq)}
		item := in(id, msg.payload)
		if r.rng.IntN(5) == 0 {
			item.TimeToLive = time.Duration(1+r.rng.IntN(90)) * time.Second
			msg.expires = r.now.Add(item.TimeToLive)
		}
		r.m.main, r.m.session[msg] = append(r.m.main, msg), id
		if _, err := r.queue.Enqueue(r.now, item); err != nil {
			r.t.Error(err)
		}
	case 2:
		r.accept(id, h)
	case 3:
		r.acceptNext()
	case 4, 5:
		r.take(id, h)
	case 6, 7:
		r.settle(h)
	default:
		switch {
		case h == nil:
			r.now = r.now.Add(time.Duration(r.rng.IntN(20)) * time.Second)
			r.tick()
		case r.rng.IntN(2) == 0:
			until, err := r.queue.RenewSession(r.now, id)
			if h.until = r.now.Add(lockFor); err != nil || !until.Equal(h.until) {
				r.t.Errorf("renew session %q: %v, %v", id, until, err)
			}
		default:
			r.queue.CloseSession(r.now, h.s)
			r.free(id, false)
		}
	}
	r.compare()
}

// tick ends what is over, in the model and, by looking, in the queue.
func (r *sessionRun) tick() {
	r.queue.Expire(r.now)
	for id, h := range r.m.holders {
		if !h.until.After(r.now) {
			if !h.lost {
				r.t.Errorf("nobody was told that session %q is lost", id)
			}
			r.free(id, true)
		}
	}
	r.m.tick(r.now)
}

func (r *sessionRun) free(id string, lost bool) {
	for _, tok := range r.m.holders[id].locks {
		if r.m.locks[tok] == nil {
			continue
		}
		if msg := r.m.unlock(tok); lost {
			r.m.fail(msg)
		}
	}
	delete(r.m.holders, id)
	r.m.tick(r.now)
}

func (r *sessionRun) accept(id string, held *holder) {
	h := &holder{}
	s, until, err := r.queue.Accept(r.now, id, func() { h.lost = true })
	if errors.Is(err, queue.ErrSessionLocked) != (held != nil) {
		r.t.Errorf("accept session %q: %v", id, err)
	}
	if err == nil {
		h.s, h.until = s, until
		r.m.holders[id] = h
	}
}

func (r *sessionRun) acceptNext() {
	want := ""
	found := false
	for _, msg := range r.m.main {
		if id := r.m.session[msg]; msg.locked.IsZero() && !msg.deferred && r.m.holders[id] == nil {
			want, found = id, true
			break
		}
	}
	h := &holder{}
	s, until := r.queue.AcceptNext(r.now, nil, func() { h.lost = true })
	switch {
	case (s != nil) != found || found && s.ID() != want:
		r.t.Errorf("next session %v, want %q: %v", s, want, found)
	case found:
		h.s, h.until = s, until
		r.m.holders[want] = h
	}
}

func (r *sessionRun) take(id string, h *holder) {
	if h == nil {
		return
	}
	d, ok, err := r.queue.TakeFrom(r.now, h.s, queue.PeekLock, nil)
	i := slices.IndexFunc(r.m.main, func(msg *modelMessage) bool {
		return r.m.session[msg] == id && msg.locked.IsZero() && !msg.deferred
	})
	if err != nil || ok != (i >= 0) || ok && d.Sequence != r.m.main[i].seq {
		r.t.Errorf("took %+v, %v, %v from session %q; want message %d", d, ok, err, id, i)
		return
	}
	if ok {
		msg := r.m.main[i]
		msg.locked = start.Add(1 << 60) // ends with the session
		r.m.locks[d.Token] = msg
		h.locks = append(h.locks, d.Token)
	}
}

func (r *sessionRun) settle(h *holder) {
	if h == nil || len(h.locks) == 0 {
		return
	}
	tok := h.locks[r.rng.IntN(len(h.locks))]
	msg := r.m.locks[tok]
	var err error
	var apply func()
	switch r.rng.IntN(4) {
	case 0:
		err, apply = r.queue.Abandon(r.now, tok, nil), func() { r.m.fail(r.m.unlock(tok)) }
	case 1:
		err, apply = r.queue.Defer(r.now, tok, nil), func() { r.m.unlock(tok).deferred = true; r.m.fail(msg) }
	case 2:
		err, apply = r.queue.DeadLetter(r.now, tok, nil), func() { r.m.bury(r.m.unlock(tok)) }
	default:
		err, apply = r.queue.Complete(r.now, tok), func() { r.m.remove(r.m.unlock(tok)) }
	}
	if (err == nil) != (msg != nil) {
		r.t.Errorf("settlement = %v, but the token is held: %v", err, msg != nil)
	}
	if msg != nil {
		apply()
	}
	r.m.tick(r.now)
}

func (r *sessionRun) compare() {
	want := queue.Counts{Locked: len(r.m.locks), DeadLettered: len(r.m.dead)}
	listed := map[string]bool{}
	for _, msg := range r.m.main {
		switch {
		case !msg.locked.IsZero():
		case msg.deferred:
			want.Deferred++
		default:
			want.Active++
			listed[r.m.session[msg]] = true
		}
	}
	if got := r.queue.Counts(r.now); got != want {
		r.t.Errorf("counts = %+v, want %+v", got, want)
	}
	for _, id := range r.queue.Sessions(r.now, time.Time{}, 0, 100) {
		if !listed[id] {
			r.t.Errorf("session %q is listed", id)
		}
		delete(listed, id)
	}
	if len(listed) > 0 {
		r.t.Errorf("sessions %v are not listed", listed)
	}
}
