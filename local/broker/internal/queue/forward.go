package queue

import (
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
}

// passing is a message that leaves when the mutex has been given back: where it
// goes, another queue's is taken.
type passing struct {
	to      func(time.Time, Passed) error
	message Passed
	dead    bool  // it was dead-lettered here
	kept    int64 // the number under which the store still has it; 0 for none
}

// pass sends a message on. One that the store has stays there until it has
// arrived: it may come twice if the process ends in between, but it is not lost.
func (q *Queue) pass(item Item, kept int64, dead bool) {
	p := passing{to: q.config.Forward, dead: dead, kept: kept, message: Passed{Payload: item.Payload, Overlay: item.Overlay, Hops: item.Hops + 1}}
	if dead {
		p.to = q.config.ForwardDead
	}
	if p.message.Hops > maxHops {
		p.to = func(time.Time, Passed) error { return tooManyHops{} }
	}
	q.passing = append(q.passing, p)
}

type tooManyHops struct{}

func (tooManyHops) Error() string {
	return fmt.Sprintf(
		"The maximum number of allowed hops when forwarding between queues has been exceeded. This value is set to %d.", maxHops)
}

// handOn passes a message on, or puts it into the dead-letter queue.
func (q *Queue) handOn(now time.Time, p passing) {
	err := p.to(now, p.message)
	if err == nil && p.kept == 0 {
		return
	}
	q.enter(now)
	defer q.leave()
	if err != nil {
		q.keep(now, p, err)
	}
	if p.kept != 0 {
		q.note(Change{Kind: ChangeDelete, Sequence: p.kept})
	}
}

// keep puts a message that could not be passed on into the dead-letter queue, as
// a message of its own.
func (q *Queue) keep(now time.Time, p passing, cause error) {
	item := Item{Payload: p.message.Payload, Overlay: p.message.Overlay, Hops: p.message.Hops}
	if !p.dead {
		reason := cause.Error()
		if _, far := cause.(tooManyHops); far {
			reason = ReasonHops
		}
		item.Overlay = overlaid(item.Overlay, because(reason, cause.Error()))
	}
	q.lastSeq++
	q.note(Change{Kind: ChangeLast, Sequence: q.lastSeq})
	q.toDead(&entry{
		seq: q.lastSeq, inWaiting: -1, inExpiring: -1, hops: int8(item.Hops), enqueuedAt: now, size: len(item.Payload),
		payload: item.Payload, overlay: item.Overlay,
	}, now)
}
