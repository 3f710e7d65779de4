package broker_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// place is where a message is, as far as it can be seen from outside.
type place string

const (
	nowhere   place = "nowhere" // never sent, or settled for good
	active    place = "active"  // locked ones too
	aside     place = "deferred"
	scheduled place = "scheduled"
	dead      place = "dead"
)

// fate is all that a server must keep of a message in one queue.
type fate struct {
	place  place
	fails  int    // the delivery count
	mark   int64  // a property that settlements set
	reason string // of a dead letter
}

// letter is a message in one queue; what is forwarded is one letter in each.
type letter struct {
	queue, id string
	session   string
	number    int // in its session, from 1
	due       time.Time
	seq       int64 // the last that was seen
	fate      fate
	was       bool // it has been somewhere
	held      bool // by a client of this life
	under     *step
}

// becomes gives a letter a fate.
func (l *letter) becomes(f fate) {
	l.fate = f
	l.was = l.was || f.place != nowhere
}

func (l *letter) String() string { return l.queue + ":" + l.id }

// step is a change that a client asked for and that has not been answered: either all
// of it has happened or nothing.
type step struct {
	kind    string
	letters []*letter
	after   []fate
	may     bool // the server may refuse it, as it may come too late
	late    bool // it has come too late
}

// account is what the clients of a server that is killed again and again know for
// certain. A life is what is between two kills.
type account struct {
	t  *testing.T
	mu sync.Mutex

	letters map[string]*letter // by queue and id
	numbers map[string]int     // the last of each line of ids
	holders map[string]string  // the letter that has a sequence number, by queue and number
	states  map[string]*variable
	made    map[string]*variable // what entities there are, by path
	repeats map[string]int       // the number that is sent again until it is answered

	answered                    map[string]int // steps, by kind
	left                        int            // how many more answers end the life
	enough                      chan struct{}  // closed then
	received, replayed, checked int
	fetching                    int // receive-and-delete links of the life that has ended
}

// variable is a value of which the last change may not have been answered.
type variable struct {
	value string
	next  *string
}

func newAccount(t *testing.T) *account {
	return &account{
		t: t, letters: map[string]*letter{}, numbers: map[string]int{}, holders: map[string]string{},
		states: map[string]*variable{}, made: map[string]*variable{"rules": {value: "1"}}, repeats: map[string]int{},
		answered: map[string]int{},
	}
}

// next makes an id of a line.
func (a *account) next(line string) (id string, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.numbers[line]++
	return fmt.Sprintf("%s-%d", line, a.numbers[line]), a.numbers[line]
}

func (a *account) letter(queue, id string) *letter {
	l := a.letters[queue+":"+id]
	if l == nil {
		l = &letter{queue: queue, id: id, fate: fate{place: nowhere}}
		a.letters[l.String()] = l
	}
	return l
}

// find returns the letter with an id, which is made if need be.
func (a *account) find(queue, id string) *letter {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.letter(queue, id)
}

// try notes that something is asked for, by which letters get other fates.
func (a *account) try(kind string, letters []*letter, change func(l *letter, f *fate)) *step {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := &step{kind: kind, letters: letters}
	for _, l := range letters {
		f := l.fate
		change(l, &f)
		s.after = append(s.after, f)
		if l.under != nil {
			a.errorf("two clients have to do with %s", l)
		}
		l.under = s
	}
	return s
}

// sent is the change of a letter that is sent.
func sent(_ *letter, f *fate) { *f = fate{place: active} }

// done notes that the server has answered.
func (a *account) done(s *step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer(s.kind)
	if s.late {
		a.errorf("what came too late for %v was answered as done", s.letters)
	}
	a.happened(s)
}

// happened notes that a step has been taken.
func (a *account) happened(s *step) {
	for i, l := range s.letters {
		if l.under == s { // else somebody has seen it before, and has gone on
			l.becomes(s.after[i])
			l.under = nil
		}
	}
}

// answer counts an answer; the caller holds the mutex.
func (a *account) answer(kind string) {
	a.answered[kind]++
	if kind == emptying {
		return // there are too many to count
	}
	if a.left--; a.left == 0 {
		close(a.enough)
	}
}

// refused notes that the server has said no.
func (a *account) refused(s *step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range s.letters {
		if l.under == s {
			l.under = nil
		}
	}
}

// seen is what a client sees of a message.
type seen struct {
	queue, id string
	seq       int64
	fate      fate
}

func (a *account) errorf(format string, args ...any) {
	a.t.Helper()
	a.t.Errorf(format, args...)
}

// arrived notes that a client has received a message, whose fate must be what it was
// last known to be.
func (a *account) arrived(s seen) *letter {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.received++
	l := a.letter(s.queue, s.id)
	a.numbered(s)
	a.ripe(l, s.fate.place)
	switch under := l.under; {
	case under == nil:
	case l.queue == "brief" && s.fate.place == dead:
		// It was sent and has outlived its time before the answer came.
		a.happened(under)
		a.ripe(l, dead)
	case under.may && l.fate == s.fate:
		under.late, l.under = true, nil
	default:
		// It would not be here otherwise; the answer is on its way.
		a.happened(under)
		a.ripe(l, s.fate.place)
	}
	if l.fate != s.fate || l.held {
		a.errorf("%s came as %+v (held: %v), but was %+v", l, s.fate, l.held, l.fate)
	}
	l.held, l.seq = true, s.seq
	return l
}

// ripe lets a message go on at its time: a scheduled one joins its queue, and one of
// the queue brief is dead-lettered.
func (a *account) ripe(l *letter, as place) {
	switch {
	case time.Now().Before(l.due):
	case l.fate.place == scheduled && as == active:
		l.fate.place = active
	case l.queue == "brief" && l.fate.place == active && as == dead:
		l.fate.place, l.fate.reason = dead, "TTLExpiredException"
	}
}

// numbered checks that a sequence number stands on one message only, ever.
func (a *account) numbered(s seen) {
	key := fmt.Sprint(s.queue, " ", s.seq)
	if other, used := a.holders[key]; used && other != s.id {
		a.errorf("the number %d of %s stands on %s and on %s", s.seq, s.queue, other, s.id)
	}
	a.holders[key] = s.id
}

// inOrder checks that what comes in a session is the first of what is there, but for
// what the same client has taken.
func (a *account) inOrder(l *letter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for n := 1; n < l.number; n++ {
		earlier := a.letter(l.queue, fmt.Sprintf("%s-%d", l.session, n))
		if earlier.fate.place == active && earlier.under == nil && !earlier.held {
			a.errorf("%s came before %s", l, earlier)
		}
	}
}

// giveBack notes that a letter can come again.
func (a *account) giveBack(l *letter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l.held = false
}

// pick returns a letter of a queue that is at a place and that nobody has to do with,
// and takes it.
func (a *account) pick(queue string, at place) *letter {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, l := range a.letters {
		if l.queue == queue && l.fate.place == at && l.under == nil && !l.held {
			l.held = true
			return l
		}
	}
	return nil
}

// waiting is how many letters of a queue are active.
func (a *account) waiting(queue string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, l := range a.letters {
		if l.queue == queue && l.fate.place == active {
			n++
		}
	}
	return n
}

// repeat returns the number of a line that is to be sent, and the letters of it that
// have not been seen anywhere. Mostly it is one that was not answered, or the next one;
// sometimes it is one that was.
func (a *account) repeat(line string, letters func(n int) []*letter) (n int, unseen []*letter) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.repeats[line] == 0 {
		a.repeats[line] = 1
	}
	n = a.repeats[line]
	if n > 1 && rand.IntN(4) == 0 {
		return 1 + rand.IntN(n-1), nil
	}
	all := letters(n)
	for _, l := range all {
		if !l.was {
			unseen = append(unseen, l)
		}
	}
	switch len(unseen) {
	case 0:
		a.replayed++
	case len(all):
	default:
		a.errorf("%s-%d has arrived in a part of %v", line, n, all)
	}
	return n, unseen
}

// repeated notes that a number was answered.
func (a *account) repeated(line string, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n == a.repeats[line] {
		a.repeats[line]++
	}
}

// set notes that a variable is about to change, and the function that it returns that
// it has.
func (a *account) set(kind string, of map[string]*variable, name, value string) (done func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.variable(of, name)
	v.next = &value
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.answer(kind)
		v.value, v.next = value, nil
	}
}

func (a *account) variable(of map[string]*variable, name string) *variable {
	v := of[name]
	if v == nil {
		v = &variable{}
		of[name] = v
	}
	return v
}

// is checks what a variable is found to be.
func (a *account) is(of map[string]*variable, name, value string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v := a.variable(of, name)
	switch {
	case v.next != nil && value == *v.next:
	case value != v.value:
		a.errorf("%s is %q, and was %q", name, value, v.value)
	}
	v.value, v.next = value, nil
}

// compare holds the account against all that is in the server's queues when it has
// come up again. What was not answered is known from then on.
func (a *account) compare(all []seen) {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := make(map[*letter]seen, len(all))
	for _, s := range all {
		l := a.letter(s.queue, s.id)
		// Between two pages, a scheduled message may join the queue, and one that lives
		// briefly may be dead-lettered.
		expired := l.queue == "brief" && found[l].fate.place == active && s.fate.place == dead
		joined := found[l].fate.place == scheduled && s.fate.place == active && !time.Now().Before(l.due)
		if other, twice := found[l]; twice && !joined && !expired {
			a.errorf("%s is there twice, as %d and %d", l, other.seq, s.seq)
		}
		found[l] = s
		a.numbered(s)
	}
	for _, key := range slices.Sorted(maps.Keys(a.letters)) {
		l := a.letters[key]
		if s := l.under; s != nil {
			a.settle(s, found)
		}
	}
	missing := 0
	for _, key := range slices.Sorted(maps.Keys(a.letters)) {
		l := a.letters[key]
		l.held = false
		is := a.found(l, found)
		a.ripe(l, is.place)
		switch {
		case l.queue == "fetched" && l.fate.place == active && is.place == nowhere:
			missing++ // maybe it was on its way to a receiver, which is how that goes
		case l.fate != is:
			a.errorf("%s is %+v, and was %+v", l, is, l.fate)
		}
		l.becomes(is)
		if s, here := found[l]; here {
			l.seq = s.seq
		}
		a.checked++
	}
	if missing > a.fetching {
		a.errorf("%d messages were deleted that nobody received; %d may have been on their way", missing, a.fetching)
	}
	a.fetching = 0
}

// found is the fate in which a letter was found.
func (a *account) found(l *letter, in map[*letter]seen) fate {
	if s, here := in[l]; here {
		return s.fate
	}
	return fate{place: nowhere}
}

// settle decides whether a step that was not answered has been taken: as a whole or
// not at all.
func (a *account) settle(s *step, found map[*letter]seen) {
	before, after := true, true
	for i, l := range s.letters {
		if l.under != s {
			continue
		}
		is := a.found(l, found)
		a.ripe(l, is.place)
		will := s.after[i]
		if !time.Now().Before(l.due) {
			switch {
			case will.place == scheduled && is.place == active:
				will.place = active
			case l.queue == "brief" && will.place == active && is.place == dead:
				will.place, will.reason = dead, "TTLExpiredException"
			}
			s.after[i] = will
		}
		before, after = before && is == l.fate, after && is == will
	}
	switch {
	case after:
		a.happened(s)
	case !before:
		for i, l := range s.letters {
			a.errorf("%s is %+v; it was %+v or %+v", l, a.found(l, found), l.fate, s.after[i])
		}
	}
	for _, l := range s.letters {
		if l.under == s {
			l.under = nil
		}
	}
}
