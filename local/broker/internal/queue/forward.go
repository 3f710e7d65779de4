package queue

import (
	"errors"
	"fmt"
	"time"
)

// maxHops is how many queues may pass a message on (service-bus auto-forwarding).
const maxHops = 4

// Passed is a message on its way from one queue to others.
type Passed struct {
	Payload []byte
	Overlay map[string]any // nil for none; it must not be changed
	Hops    int            // this one included
	// Sequence is the number that the message had in the queue that it leaves.
	Sequence int64
}

// passing is a message that leaves when the mutex has been given back: where it
// goes, another queue's is taken.
type passing struct {
	entry   *entry // in no place any more
	payload []byte
	to      func(time.Time, Passed) error
	dead    bool // it was dead-lettered here
}

// pass sends a message on. What is done here and where it arrives is one unit.
func (q *Queue) pass(e *entry, payload []byte, dead bool) {
	to := q.config.Forward
	if dead {
		to = q.config.ForwardDead
	}
	q.passing = append(q.passing, passing{e, payload, to, dead})
}

// Refusal is why a message was not taken, as its dead letter tells it.
type Refusal struct{ Reason, Description string }

func (r Refusal) Error() string { return r.Description }

var tooManyHops = Refusal{ReasonHops, fmt.Sprintf(
	"The maximum number of allowed hops when forwarding between queues has been exceeded. This value is set to %d.", maxHops)}

// handOn passes a message on, or puts it into the dead-letter queue.
func (q *Queue) handOn(now time.Time, p passing) {
	e := p.entry
	var err error = tooManyHops
	if e.hops < maxHops || q.config.AnyHop && !p.dead {
		err = p.to(now, Passed{Payload: p.payload, Overlay: e.overlay, Hops: int(e.hops) + 1, Sequence: e.seq})
	}
	if err == nil {
		return
	}
	q.enterWithin(now)
	defer q.leave()
	if !q.ended {
		q.keep(now, p, err)
	}
}

// keep puts a message that could not be passed on into the dead-letter queue.
func (q *Queue) keep(now time.Time, p passing, cause error) {
	if !p.dead {
		refusal := Refusal{cause.Error(), cause.Error()}
		errors.As(cause, &refusal)
		p.entry.overlay = overlaid(p.entry.overlay, because(refusal.Reason, refusal.Description))
		p.entry.weight = int32(q.weigh(p.entry.overlay))
	}
	q.toDead(p.entry, p.payload, now)
}
