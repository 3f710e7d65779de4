package queue

import (
	"container/list"
	"slices"
	"strings"
	"time"
)

// session is what a queue knows of one session: its messages, its state, and who
// holds it. It is there as long as it has any of these.
type session struct {
	id       string
	waiting  heap[*entry] // the active messages, by sequence number
	messages int          // all of them
	holder   *Session     // nil while nobody holds it
	state    []byte       // nil where there is none
	changed  time.Time    // when the state was set
	inIdle   int32
}

// sessions are the sessions of a queue.
type sessions struct {
	byID  map[string]*session
	ready int // active messages in all of them
	// idle are those with active messages that nobody holds, by the sequence
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

// set gives a session a state, nil for none.
func (x *sessions) set(s *session, state []byte, now time.Time) {
	x.bytes -= s.bytes()
	s.state, s.changed = state, now
	x.bytes += s.bytes()
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

// push makes an entry of a session active.
func (x *sessions) push(e *entry) {
	s := e.session
	x.idle.remove(s) // its place is by its first message
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

// remove takes an active entry out of where it waits.
func (x *sessions) remove(e *entry) {
	s := e.session
	x.idle.remove(s)
	s.waiting.remove(e)
	x.ready--
	x.settle(s)
}

// settle puts a session, which is not in idle, where it belongs, and forgets one
// of which there is nothing left.
func (x *sessions) settle(s *session) {
	switch {
	case s.holder != nil:
	case s.waiting.len() > 0:
		x.idle.push(s)
	case s.messages == 0 && s.state == nil:
		delete(x.byID, s.id)
	}
}

// joinSession gives an entry, which is in the index only, to its session.
func (q *Queue) joinSession(e *entry, id string) {
	e.session = q.sessions.get(id)
	e.session.messages++
	e.state = stateWaiting
	q.sessions.push(e)
}

// leaveSession takes an entry that is in no place any more from its session.
func (q *Queue) leaveSession(e *entry) {
	s := e.session
	if s == nil {
		return
	}
	e.session = nil
	s.messages--
	q.sessions.idle.remove(s)
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
	if q.sessions.idle.len() == 0 || !q.safe(q.sessions.idle.min().waiting.min()) {
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
	if s.of.waiting.len() == 0 || !q.safe(s.of.waiting.min()) {
		s.waiter = w
		q.sessions.call(s)
		return Delivery{}, false, nil
	}
	s.waiter = nil
	e := s.of.waiting.min()
	q.withdraw(e)
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
	s.of.messages++ // so that it is not forgotten on the way
	for _, l := range locks {
		if e := q.unhold(l); lost {
			q.fail(e, now)
		} else {
			q.giveBack(e, now)
		}
	}
	s.of.messages--
	q.sessions.idle.remove(s.of)
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
	q.sessions.set(h.of, slices.Clone(state), now)
	q.note(Change{Kind: ChangeSession, ID: id, State: h.of.state, Time: now})
	return nil
}

// Sessions lists the ids of sessions, sorted, from the skip-th on and at most
// limit of them: those with active messages or a state or, where since is set,
// those whose state was set after it.
func (q *Queue) Sessions(now time.Time, since time.Time, skip, limit int) []string {
	q.enter(now)
	defer q.leave()
	var ids []string
	for id, s := range q.sessions.byID {
		if since.IsZero() && (s.waiting.len() > 0 || s.state != nil) || !since.IsZero() && s.state != nil && s.changed.After(since) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, strings.Compare)
	ids = ids[min(skip, len(ids)):]
	return ids[:min(limit, len(ids))]
}
