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
	to      func(time.Time, Passed) error
	message Passed
	dead    bool // it was dead-lettered here
}

// pass sends a message on. What is done here and where it arrives is one unit.
func (q *Queue) pass(seq int64, item Item, dead bool) {
	p := passing{to: q.config.Forward, dead: dead, message: Passed{
		Sequence: seq, Payload: item.Payload, Overlay: item.Overlay, Hops: item.Hops + 1,
	}}
	if dead {
		p.to = q.config.ForwardDead
	}
	if p.message.Hops > maxHops {
		p.to = func(time.Time, Passed) error { return tooManyHops }
	}
	q.passing = append(q.passing, p)
}

// Refusal is why a message was not taken, as its dead letter tells it.
type Refusal struct{ Reason, Description string }

func (r Refusal) Error() string { return r.Description }

var tooManyHops = Refusal{ReasonHops, fmt.Sprintf(
	"The maximum number of allowed hops when forwarding between queues has been exceeded. This value is set to %d.", maxHops)}

// handOn passes a message on, or puts it into the dead-letter queue.
func (q *Queue) handOn(now time.Time, p passing) {
	err := p.to(now, p.message)
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
	item := Item{Payload: p.message.Payload, Overlay: p.message.Overlay, Hops: p.message.Hops - 1}
	if !p.dead {
		refusal := Refusal{cause.Error(), cause.Error()}
		errors.As(cause, &refusal)
		item.Overlay = overlaid(item.Overlay, because(refusal.Reason, refusal.Description))
	}
	q.toDead(q.newEntry(p.message.Sequence, item, now), now)
}
