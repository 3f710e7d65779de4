package queue

import (
	"container/list"
	"encoding/binary"
	"slices"
	"time"
)

// session is what a queue knows of one session: its messages, its state, and who
// holds it. It is there as long as it has any of these.
type session struct {
	id      string
	all     tree[int64, *entry] // its messages, scheduled ones too, by sequence number
	waiting heap[*entry]        // those that can be taken, by sequence number
	active  int                 // those that can, or are
	holder  *Session            // nil while nobody holds it
	state   []byte              // nil where there is none
	changed time.Time           // when the state was set
	listed  bool                // in sessions.listed
	inIdle  int32
}

// sessions are the sessions of a queue.
type sessions struct {
	byID map[string]*session
	// listed are those that have active messages or a state, by their ids, and stated
	// those that have a state, by the time when it was set.
	listed, stated tree[string, *session]
	ready          int // messages that can be taken, in all of them
	// idle are those with messages to be taken that nobody holds, by the sequence
	// number of the first: whoever takes any session gets the one whose message
	// has waited longest.
	idle      heap[*session]
	held      heap[*Session] // by the end of the lock
	accepting *list.List     // of *Waiter, for any session
	bytes     int64          // of all states, with the ids
	// called are those whose receiver waits for a message and has got one, and early
	// are those of them whose message is not safe yet.
	called, early []*Session
}

func newSessions() sessions {
	return sessions{
		byID: make(map[string]*session),
		idle: heap[*session]{
			less:  func(a, b *session) bool { return a.waiting.min().seq < b.waiting.min().seq },
			place: func(s *session) *int32 { return &s.inIdle },
		},
		held: heap[*Session]{
			less:  func(a, b *Session) bool { return a.until.Before(b.until) },
			place: func(s *Session) *int32 { return &s.inHeld },
		},
		accepting: list.New(),
	}
}

// get returns the session with the id, and makes it where it is not there.
func (x *sessions) get(id string) *session {
	s := x.byID[id]
	if s == nil {
		s = &session{id: id, inIdle: -1, waiting: heap[*entry]{
			less:  func(a, b *entry) bool { return a.seq < b.seq },
			place: func(e *entry) *int32 { return &e.inWaiting },
		}}
		x.byID[id] = s
	}
	return s
}

// first returns the first message of the session that is accepted next, nil for none.
func (x *sessions) first() *entry {
	if x.idle.len() == 0 {
		return nil
	}
	return x.idle.min().first()
}

// firstOf returns the first message of a session, nil for none.
func (x *sessions) firstOf(id string) *entry {
	if s := x.byID[id]; s != nil {
		return s.first()
	}
	return nil
}

func (s *session) first() *entry {
	if s.waiting.len() == 0 {
		return nil
	}
	return s.waiting.min()
}

// bytes is how much of the queue's size the state of a session is.
func (s *session) bytes() int64 {
	if s.state == nil {
		return 0
	}
	return int64(len(s.id) + len(s.state))
}

// holder returns who holds the session with the id, nil for nobody.
func (x *sessions) holder(id string) *Session {
	if s := x.byID[id]; s != nil {
		return s.holder
	}
	return nil
}

// overdue returns a lock whose time is over, nil for none.
func (x *sessions) overdue(now time.Time) *Session {
	if x.held.len() == 0 || x.held.min().until.After(now) {
		return nil
	}
	return x.held.min()
}

// push gives an entry of a session a place among those that can be taken.
func (x *sessions) push(e *entry) {
	s := e.session
	s.waiting.push(e)
	x.ready++
	x.settle(s)
	if s.holder != nil {
		x.call(s.holder)
	}
}

// call lists a holder whose receiver is to be woken, if it waits.
func (x *sessions) call(h *Session) {
	if h.waiter != nil && !h.due {
		h.due = true
		x.called = append(x.called, h)
	}
}

// remove takes an entry that can be taken out of where it waits.
func (x *sessions) remove(e *entry) {
	s := e.session
	if s.waiting.len() == 1 {
		x.idle.remove(s) // while it still has the message that says where it is
	}
	s.waiting.remove(e)
	x.ready--
	x.settle(s)
}

// settle puts a session where it belongs now, and forgets one of which there is
// nothing left.
func (x *sessions) settle(s *session) {
	idle := s.holder == nil && s.waiting.len() > 0
	switch {
	case !idle:
		x.idle.remove(s)
	case s.inIdle < 0:
		x.idle.push(s)
	default:
		x.idle.moved(s)
	}
	if list := s.active > 0 || s.state != nil; list != s.listed {
		if s.listed = list; list {
			x.listed.insert(s.id, s)
		} else {
			x.listed.remove(s.id)
		}
	}
	if s.holder == nil && s.all.len() == 0 && s.state == nil {
		delete(x.byID, s.id)
	}
}

// setState gives a session a state, or takes it away.
func (x *sessions) setState(s *session, state []byte, at time.Time) {
	if s.state != nil {
		x.stated.remove(statedKey(s.changed, s.id))
	}
	x.bytes -= s.bytes()
	s.state, s.changed = state, at
	x.bytes += s.bytes()
	if state != nil {
		x.stated.insert(statedKey(at, s.id), s)
	}
	x.settle(s)
}

// statedKey orders sessions by a time, and then by their ids.
func statedKey(at time.Time, id string) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(instantOf(at))^1<<63)) + id // those before 1970 first
}

// joinSession gives an entry, which is in the index only, to its session.
func (q *Queue) joinSession(e *entry, id string) {
	q.enlist(e, id)
	e.state = stateWaiting
	q.sessions.push(e)
}

// enlist makes an entry that has no place yet one of a session's.
func (q *Queue) enlist(e *entry, id string) {
	e.session = q.sessions.get(id)
	e.session.all.insert(e.seq, e)
	if e.active() {
		e.session.active++
	}
}

// leaveSession takes an entry that is in no place any more from its session.
func (q *Queue) leaveSession(e *entry) {
	s := e.session
	if s == nil {
		return
	}
	e.session = nil
	s.all.remove(e.seq)
	if e.active() {
		s.active--
	}
	q.sessions.settle(s)
}

// Session is the lock that a receiver holds on a session of a queue. Its
// messages go to that receiver only, in their order.
type Session struct {
	id     string
	of     *session
	until  time.Time
	locks  map[*lock]bool
	waiter *Waiter // woken when a message comes; nil while nobody waits
	due    bool    // listed in sessions.called or sessions.early
	lost   func()
	inHeld int32
}

// ID is the id of the session, which may be empty.
func (s *Session) ID() string { return s.id }

// wakeHolders wakes the receivers that wait for a message of their session and have
// one.
func (q *Queue) wakeHolders() {
	x := &q.sessions
	for _, h := range x.called {
		switch {
		case h.waiter == nil || h.of.holder != h || h.of.waiting.len() == 0:
			h.due = false
		case !q.safe(h.of.waiting.min()):
			x.early = append(x.early, h)
		default:
			w := h.waiter
			h.waiter, h.due = nil, false
			w.wake()
		}
	}
	clear(x.called)
	x.called = x.called[:0]
}

// Accept locks the session with the id, whether there are messages or not. The
// lock ends by time unless it is renewed, and then lost is called, with the
// queue's mutex held: it must neither block nor call the queue. The error is nil
// or ErrSessionLocked.
func (q *Queue) Accept(now time.Time, id string, lost func()) (*Session, time.Time, error) {
	q.enter(now)
	defer q.leave()
	s := q.sessions.get(id)
	if s.holder != nil {
		return nil, time.Time{}, ErrSessionLocked
	}
	h := q.holdSession(s, now, lost)
	return h, h.until, nil
}

// AcceptNext locks the session whose first active message has waited longest, of
// those that nobody holds. When there is none it returns nil, and w is woken once
// there is.
func (q *Queue) AcceptNext(now time.Time, w *Waiter, lost func()) (*Session, time.Time) {
	q.enter(now)
	defer q.leave()
	q.forget(w)
	if q.sessions.idle.len() == 0 || !q.safe(q.sessions.first()) {
		w.stand(q.sessions.accepting)
		return nil, time.Time{}
	}
	h := q.holdSession(q.sessions.idle.min(), now, lost)
	return h, h.until
}

func (q *Queue) holdSession(s *session, now time.Time, lost func()) *Session {
	q.sessions.idle.remove(s)
	s.holder = &Session{
		id: s.id, of: s, until: now.Add(q.config.LockDuration), locks: make(map[*lock]bool), lost: lost, inHeld: -1,
	}
	q.sessions.held.push(s.holder)
	return s.holder
}

// TakeFrom hands out the first active message of a session. When there is none it
// returns false, and w is woken once there is. The error is nil or
// ErrSessionLost.
func (q *Queue) TakeFrom(now time.Time, s *Session, mode Mode, w *Waiter) (Delivery, bool, error) {
	q.enter(now)
	defer q.leave()
	if s.of.holder != s {
		return Delivery{}, false, ErrSessionLost
	}
	e := q.next(now, func() *entry { return s.of.first() })
	if e == nil {
		s.waiter = w
		q.sessions.call(s) // there may be more, behind what had expired
		return Delivery{}, false, nil
	}
	s.waiter = nil
	return q.hand(e, mode, s, now), true, nil
}

// Rest ends the wait of the session's receiver for a message.
func (q *Queue) Rest(now time.Time, s *Session) {
	q.enter(now)
	defer q.leave()
	s.waiter = nil
}

// CloseSession gives a session back. Messages that its receiver has not settled
// are active again, and this does not count as a delivery
// (service-bus message-sessions). It does nothing once the lock is lost.
func (q *Queue) CloseSession(now time.Time, s *Session) {
	q.enter(now)
	defer q.leave()
	if s.of.holder == s {
		q.endSession(s, now, false)
	}
}

// endSession frees a session. The deliveries of a lock that was lost have failed,
// those of one that was given back have not.
func (q *Queue) endSession(s *Session, now time.Time, lost bool) {
	q.sessions.held.remove(s)
	s.of.holder, s.waiter = nil, nil
	locks := make([]*lock, 0, len(s.locks))
	for l := range s.locks {
		locks = append(locks, l)
	}
	slices.SortFunc(locks, func(a, b *lock) int { return int(a.entry.seq - b.entry.seq) })
	for _, l := range locks {
		if e := q.unhold(l); lost {
			q.fail(e, now)
		} else {
			q.giveBack(e, now)
		}
	}
	q.sessions.settle(s.of)
	if lost {
		s.lost()
	}
}

// RenewSession starts the lock on a session anew and returns its end. The error
// is nil or ErrSessionLost.
func (q *Queue) RenewSession(now time.Time, id string) (time.Time, error) {
	q.enter(now)
	defer q.leave()
	h := q.sessions.holder(id)
	if h == nil {
		return time.Time{}, ErrSessionLost
	}
	h.until = now.Add(q.config.LockDuration)
	q.sessions.held.moved(h)
	return h.until, nil
}

// SessionState returns the state of a session that somebody holds, nil where none
// was set. The error is nil or ErrSessionLost.
func (q *Queue) SessionState(now time.Time, id string) ([]byte, error) {
	q.enter(now)
	defer q.leave()
	h := q.sessions.holder(id)
	if h == nil {
		return nil, ErrSessionLost
	}
	return h.of.state, nil
}

// SetSessionState sets the state of a session that somebody holds; nil removes
// it. The error is nil or ErrSessionLost.
func (q *Queue) SetSessionState(now time.Time, id string, state []byte) error {
	q.enter(now)
	defer q.leave()
	h := q.sessions.holder(id)
	if h == nil || q.ended {
		return ErrSessionLost
	}
	q.sessions.setState(h.of, slices.Clone(state), now)
	q.note(Change{Kind: ChangeSession, ID: id, State: h.of.state, Time: now})
	return nil
}

// Sessions lists the ids of sessions, from the skip-th on and at most limit of them:
// those that have active messages, held by a receiver or not, or a state, by their ids;
// or, where since is set, those whose state was set after it, by that time.
func (q *Queue) Sessions(now time.Time, since time.Time, skip, limit int) []string {
	q.enter(now)
	defer q.leave()
	from := &q.sessions.listed
	if !since.IsZero() {
		from = &q.sessions.stated
		skip += from.before(statedKey(since.Add(1), ""))
	}
	var ids []string
	for _, s := range from.page(skip, limit) {
		ids = append(ids, s.id)
	}
	return ids
}
