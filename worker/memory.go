package worker

import (
	"sync"
	"time"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

// memory bridges Graph's eventual consistency: a read may come from a replica
// that has not heard of our last write yet. It remembers, per user, the steps
// that were taken a moment ago, to be taken once more over whatever is read; and
// which command set each part last, so that a command that comes again late does
// not undo a newer one.
//
// It knows only what this worker did. It is a few seconds of help, not a cache:
// every plan still begins with a read.
type memory struct {
	consistency time.Duration // how long a read may lag behind a write
	keep        time.Duration // how long the order of commands is remembered
	limit       int           // of users remembered

	mu    sync.Mutex
	users map[string]*recent // guarded by mu
	queue []remembered       // guarded by mu; oldest first
}

type recent struct {
	steps []taken
	parts map[part]int64 // sequence number of the command that set it last
	last  time.Time
}

type taken struct {
	step Step
	at   time.Time
}

type remembered struct {
	user string
	at   time.Time
}

// part is a part of a user's state that one command sets and another may set
// differently.
type part string

const (
	partSMSSignIn     part = "smsSignIn"
	partMFAState      part = "perUserMfaState"
	partDefaultMethod part = "defaultMethod"
)

func newMemory(consistency time.Duration) *memory {
	return &memory{
		consistency: consistency,
		keep:        10 * time.Minute, // two locks of the longest kind
		limit:       50_000,
		users:       make(map[string]*recent),
	}
}

// overlay is the state with the steps of a moment ago taken over it, and whether
// any of them was missing in it.
func (m *memory) overlay(user string, read State, now time.Time) (state State, stale bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.users[user]
	if u == nil {
		return read, false
	}
	for _, t := range u.steps {
		if now.Sub(t.at) <= m.consistency && !read.Holds(t.step) {
			stale = true
			read = read.After(t.step)
		}
	}
	return read, stale
}

// note remembers that a step was taken. Steps whose effect it replaces are
// forgotten, or they would make every later read look stale.
func (m *memory) note(user string, s Step, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.touch(user, now)
	kept := u.steps[:0]
	for _, t := range u.steps {
		if now.Sub(t.at) <= m.consistency && !s.replaces(t.step) {
			kept = append(kept, t)
		}
	}
	u.steps = append(kept, taken{s, now})
}

// done remembers which parts the command with the sequence number has set.
func (m *memory) done(user string, w Wanted, sequence int64, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.touch(user, now)
	for _, p := range w.parts() {
		u.parts[p] = max(u.parts[p], sequence)
	}
}

// newer is what remains of a command once the parts are left out that a newer
// command has set already, and whether any were.
func (m *memory) newer(user string, w Wanted, sequence int64) (Wanted, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.users[user]
	if u == nil {
		return w, false
	}
	left := false
	for _, p := range w.parts() {
		if u.parts[p] > sequence {
			w = w.without(p)
			left = true
		}
	}
	return w, left
}

// touch finds the user's record and forgets those of long ago.
func (m *memory) touch(user string, now time.Time) *recent {
	for len(m.queue) > 0 && (now.Sub(m.queue[0].at) > m.keep || len(m.users) > m.limit || len(m.queue) > 4*m.limit) {
		oldest := m.queue[0]
		m.queue = m.queue[1:]
		// A user who was touched again stands further back in the queue too.
		if u := m.users[oldest.user]; u != nil && !u.last.After(oldest.at) {
			delete(m.users, oldest.user)
		}
	}
	u := m.users[user]
	if u == nil {
		u = &recent{parts: make(map[part]int64)}
		m.users[user] = u
	}
	u.last = now
	m.queue = append(m.queue, remembered{user, now})
	return u
}

// parts lists what the command sets.
func (w Wanted) parts() []part {
	var parts []part
	for _, t := range messages.PhoneTypes {
		if _, named := w.Phones[t]; named {
			parts = append(parts, part(t))
		}
	}
	if w.SMSSignIn != nil {
		parts = append(parts, partSMSSignIn)
	}
	if w.MFAState != "" {
		parts = append(parts, partMFAState)
	}
	if w.setsDefault() {
		parts = append(parts, partDefaultMethod)
	}
	return parts
}

// without is the command with one part left out.
func (w Wanted) without(p part) Wanted {
	switch p {
	case partSMSSignIn:
		w.SMSSignIn = nil
	case partMFAState:
		w.MFAState = ""
	case partDefaultMethod:
		w.DefaultMethod, w.DefaultMethodMode = "", ""
	default:
		phones := make(map[messages.PhoneType]phone.Number, len(w.Phones))
		for t, number := range w.Phones {
			if part(t) != p {
				phones[t] = number
			}
		}
		w.Phones = phones
	}
	return w
}
