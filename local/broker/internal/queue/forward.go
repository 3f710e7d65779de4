package queue

import "time"

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
	dead    bool // it was dead-lettered here
}

// pass sends a message on.
func (q *Queue) pass(item Item, dead bool) {
	p := passing{to: q.config.Forward, dead: dead, message: Passed{Payload: item.Payload, Overlay: item.Overlay, Hops: item.Hops + 1}}
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
	return "The message was forwarded more often than the maximum of 4 hops allows."
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
		q.Bury(now, item, reason, cause.Error())
		return
	}
	q.enter(now)
	defer q.leave()
	q.lastSeq++
	q.dead.enter(now)
	defer q.dead.leave()
	q.dead.admit(q.lastSeq, item, now)
}
