package queue_test

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// This file drives what only a queue with sessions does.

func (r *run) takeFrom(mode queue.Mode) {
	id := r.one(sessionIDs)
	h := r.model.held[id]
	if h == nil {
		return
	}
	d, ok, err := r.queue.TakeFrom(r.now, h.session, mode, nil)
	want := r.model.of(id, (*modelMessage).active)
	switch {
	case err != nil || ok != (len(want) > 0):
		r.t.Errorf("take from %q = %v, %v; want %v", id, ok, err, want)
	case ok:
		r.handed(d, want[0], mode)
	}
}

// accept locks a session by its name, or the next one.
func (r *run) accept() {
	h := &modelHolder{until: r.now.Add(lockFor)}
	lost := func() { h.told = true }
	id := r.one(sessionIDs)
	if r.chance(2) {
		s, until, err := r.queue.Accept(r.now, id, lost)
		if held := r.model.held[id] != nil; held != errors.Is(err, queue.ErrSessionLocked) {
			r.t.Errorf("accept session %q: %v", id, err)
		} else if !held {
			r.hold(id, h, s, until)
		}
		return
	}
	s, until := r.queue.AcceptNext(r.now, nil, lost)
	next, ok := r.model.next()
	switch {
	case (s != nil) != ok || ok && s.ID() != next:
		r.t.Errorf("next session %v, want %q: %v", s, next, ok)
	case ok:
		r.hold(next, h, s, until)
	}
}

func (r *run) hold(id string, h *modelHolder, s *queue.Session, until time.Time) {
	if !until.Equal(h.until) {
		r.t.Errorf("session %q is held until %v, want %v", id, until, h.until)
	}
	h.session = s
	r.model.held[id] = h
}

// onSession does something with a session that may be held.
func (r *run) onSession() {
	id := r.one(sessionIDs)
	h := r.model.held[id]
	var err error
	switch r.rng.IntN(4) {
	case 0:
		var until time.Time
		if until, err = r.queue.RenewSession(r.now, id); err == nil && h != nil {
			if h.until = r.now.Add(lockFor); !until.Equal(h.until) {
				r.t.Errorf("renewed until %v, want %v", until, h.until)
			}
		}
	case 1:
		if h != nil {
			r.queue.CloseSession(r.now, h.session)
			r.model.free(id, false)
		}
		return
	case 2:
		var state []byte
		if state, err = r.queue.SessionState(r.now, id); err == nil && string(state) != r.model.states[id].state {
			r.t.Errorf("state of %q is %q, want %q", id, state, r.model.states[id].state)
		}
	default:
		var state []byte
		if !r.chance(3) {
			state = fmt.Append(nil, r.now)
		}
		if err = r.queue.SetSessionState(r.now, id, state); err == nil {
			r.model.states[id] = modelState{string(state), r.now}
			if state == nil {
				delete(r.model.states, id)
			}
		}
	}
	if (err == nil) != (h != nil) || err != nil && !errors.Is(err, queue.ErrSessionLost) {
		r.t.Errorf("an operation on session %q: %v, but it is held: %v", id, err, h != nil)
	}
}

// compareSessions reads one page of the list of sessions.
func (r *run) compareSessions() {
	var since time.Time
	if r.chance(2) {
		since = r.now.Add(-time.Duration(r.rng.IntN(60)) * time.Second)
	}
	if since.IsZero() {
		want := r.model.listed(since)
		skip, limit := r.rng.IntN(3), 1+r.rng.IntN(4)
		want = want[min(skip, len(want)):]
		want = want[:min(limit, len(want))]
		if got := r.queue.Sessions(r.now, since, skip, limit); !slices.Equal(got, want) {
			r.t.Errorf("sessions from %d: %q, want %q", skip, got, want)
		}
		return
	}
	// By time, their order is that of the times, which may be the same.
	got := append(r.queue.Sessions(r.now, since, 0, 2), r.queue.Sessions(r.now, since, 2, 9)...)
	slices.Sort(got)
	if want := r.model.listed(since); !slices.Equal(got, want) {
		r.t.Errorf("sessions since %v: %q, want %q", since, got, want)
	}
}
