package queue_test

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// model is a queue as one would explain it: lists that are searched from end to end,
// and a clock that is asked about everything. It shares no code with the queue.
type model struct {
	config queue.Config
	seq    int64
	all    [2][]*modelMessage // by number; [1] are the dead letters
	locks  map[queue.Token]*modelMessage
	held   map[string]*modelHolder
	states map[string]modelState
	seen   map[string]time.Time // until when an id is remembered
	sentOn []string             // dead letters that went elsewhere, in any order
}

type modelMessage struct {
	seq        int64
	payload    string
	session    string
	joined     time.Time // or joins, while it is scheduled
	lives      time.Duration
	expires    time.Time // zero: never
	scheduled  bool
	deferred   bool // a locked one too, if that is how it comes back
	deliveries int
	overlay    map[string]any
	token      queue.Token // zero: not locked
	until      time.Time   // of the lock; zero in a session
	dead       bool
}

// modelHolder is the lock on a session.
type modelHolder struct {
	session *queue.Session
	until   time.Time
	told    bool // that it is lost
}

type modelState struct {
	state   string
	changed time.Time
}

func newModel(config queue.Config) *model {
	return &model{
		config: config, locks: map[queue.Token]*modelMessage{}, held: map[string]*modelHolder{},
		states: map[string]modelState{}, seen: map[string]time.Time{},
	}
}

func (m *modelMessage) locked() bool { return m.token != queue.Token{} }
func (m *modelMessage) active() bool { return !m.locked() && !m.deferred && !m.scheduled }

func (m *modelMessage) set(properties map[string]any) {
	if len(properties) > 0 {
		merged := map[string]any{}
		maps.Copy(merged, m.overlay)
		maps.Copy(merged, properties)
		m.overlay = merged
	}
}

func side(dead bool) int {
	if dead {
		return 1
	}
	return 0
}

func (m *model) list(dead bool) []*modelMessage { return m.all[side(dead)] }

func (m *model) add(msg *modelMessage) {
	i := side(msg.dead)
	m.all[i] = append(m.all[i], msg)
	slices.SortFunc(m.all[i], func(a, b *modelMessage) int { return cmp.Compare(a.seq, b.seq) })
}

func (m *model) remove(msg *modelMessage) {
	i := side(msg.dead)
	m.all[i] = slices.DeleteFunc(m.all[i], func(o *modelMessage) bool { return o == msg })
}

// matching are the messages of a list that are so.
func (m *model) matching(dead bool, is func(*modelMessage) bool) []*modelMessage {
	return slices.Collect(func(yield func(*modelMessage) bool) {
		for _, msg := range m.list(dead) {
			if is(msg) && !yield(msg) {
				return
			}
		}
	})
}

// send takes one message and tells whether it is a duplicate.
func (m *model) send(now time.Time, msg *modelMessage, id string) (duplicate bool) {
	m.seq++
	if m.config.DuplicateWindow > 0 && id != "" {
		if until, known := m.seen[id]; known && until.After(now) {
			return true
		}
		m.seen[id] = now.Add(m.config.DuplicateWindow)
	}
	msg.seq = m.seq
	switch msg.scheduled = msg.joined.After(now); {
	case !msg.scheduled:
		m.join(msg, now)
	case msg.lives > 0:
		msg.expires = msg.joined.Add(msg.lives)
	}
	m.add(msg)
	return false
}

// join starts a message's life.
func (m *model) join(msg *modelMessage, at time.Time) {
	msg.scheduled, msg.joined, msg.expires = false, at, time.Time{}
	lives := msg.lives
	if bound := m.config.TimeToLive; bound > 0 && (lives == 0 || lives > bound) {
		lives = bound
	}
	if lives > 0 {
		msg.expires = at.Add(lives)
	}
}

// tick does what time does.
func (m *model) tick(now time.Time) {
	due := m.matching(false, func(msg *modelMessage) bool { return msg.scheduled && !msg.joined.After(now) })
	slices.SortStableFunc(due, func(a, b *modelMessage) int { return a.joined.Compare(b.joined) })
	for _, msg := range due {
		m.remove(msg)
		m.seq++
		msg.seq = m.seq
		m.join(msg, msg.joined)
		m.add(msg)
	}
	for _, msg := range m.locks {
		if !msg.until.IsZero() && !msg.until.After(now) {
			m.unlock(msg)
			m.fail(msg)
		}
	}
	for id, h := range m.held {
		if !h.until.After(now) {
			m.free(id, true)
		}
	}
	for _, msg := range m.matching(false, (*modelMessage).active) {
		if !msg.expires.IsZero() && !msg.expires.After(now) {
			m.expire(msg)
		}
	}
}

func (m *model) expire(msg *modelMessage) {
	if !m.config.DeadLetterExpired {
		m.remove(msg)
		return
	}
	msg.set(map[string]any{queue.PropertyReason: queue.ReasonExpired, queue.PropertyDescription: "The message expired and was dead lettered."})
	m.bury(msg)
}

func (m *model) lock(msg *modelMessage, token queue.Token, until time.Time) {
	msg.token, msg.until = token, until
	m.locks[token] = msg
}

func (m *model) unlock(msg *modelMessage) {
	delete(m.locks, msg.token)
	msg.token, msg.until = queue.Token{}, time.Time{}
}

// fail counts a delivery, outside of the dead letters.
func (m *model) fail(msg *modelMessage) {
	if msg.dead {
		return
	}
	msg.deliveries++
	if msg.deliveries >= m.config.MaxDeliveryCount {
		msg.set(map[string]any{
			queue.PropertyReason: queue.ReasonMaxDeliveryCount, queue.PropertyDescription: "Message could not be consumed after 3 delivery attempts.",
		})
		m.bury(msg)
	}
}

func (m *model) bury(msg *modelMessage) {
	m.remove(msg)
	if m.config.ForwardDead != nil && takenElsewhere(msg.payload) {
		m.sentOn = append(m.sentOn, msg.payload)
		return
	}
	msg.dead, msg.deferred = true, false
	m.add(msg)
}

// takenElsewhere tells which dead letters another queue takes.
func takenElsewhere(payload string) bool { return payload[len(payload)-1]%2 == 0 }

// free ends the lock on a session.
func (m *model) free(id string, lost bool) {
	delete(m.held, id)
	for _, msg := range m.matching(false, func(msg *modelMessage) bool { return msg.locked() && msg.session == id }) {
		m.unlock(msg)
		if lost {
			m.fail(msg)
		}
	}
}

// of are the messages of a session.
func (m *model) of(id string, is func(*modelMessage) bool) []*modelMessage {
	return m.matching(false, func(msg *modelMessage) bool { return msg.session == id && is(msg) })
}

// next is the session to be accepted next: that of the oldest active message that is
// in none that somebody holds.
func (m *model) next() (id string, ok bool) {
	for _, msg := range m.matching(false, (*modelMessage).active) {
		if m.held[msg.session] == nil {
			return msg.session, true
		}
	}
	return "", false
}

// listed are the sessions that have messages to be received, held by somebody or
// not, or a state; with since, those whose state was set after it.
func (m *model) listed(since time.Time) []string {
	ids := map[string]bool{}
	for id, s := range m.states {
		if since.IsZero() || s.changed.After(since) {
			ids[id] = true
		}
	}
	if since.IsZero() {
		for _, msg := range m.matching(false, func(msg *modelMessage) bool { return !msg.deferred && !msg.scheduled }) {
			ids[msg.session] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

func (m *model) counts() queue.Counts {
	count := func(is func(*modelMessage) bool) int { return len(m.matching(false, is)) }
	return queue.Counts{
		Active:       count((*modelMessage).active),
		Deferred:     count(func(msg *modelMessage) bool { return msg.deferred && !msg.locked() }),
		Scheduled:    count(func(msg *modelMessage) bool { return msg.scheduled }),
		Locked:       count((*modelMessage).locked),
		DeadLettered: len(m.list(true)),
	}
}

// restart ends all locks. Nothing has failed by that.
func (m *model) restart() {
	for _, msg := range m.locks {
		m.unlock(msg)
	}
	clear(m.held)
}
