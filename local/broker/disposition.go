package broker

import (
	"errors"
	"maps"
	"slices"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// dispose settles deliveries that the peer received. Dispositions about what
// it sent need no answer: we settle those ourselves. Those about deliveries of a link
// that both sides have detached have no effect; until the peer has, what it settles may
// have crossed our detach.
func (s *session) dispose(d *wire.Disposition) {
	if d.Role != wire.RoleReceiver || !d.Settled && !terminal(d.State) {
		return
	}
	for _, id := range s.deliveries(d.First, d.Last.Or(d.First)) {
		u := s.unsettled[id]
		if u.from.disowned {
			s.forget(id)
			continue
		}
		asked := d.State
		if !terminal(asked) {
			asked = u.from.otherwise
		}
		state, settled := u.settle(asked)
		if !settled && !d.Settled {
			continue
		}
		s.forget(id)
		if u.from.gone && !refused(state) {
			s.conn.server.crossed.note(u.token, state)
		}
		if !d.Settled {
			s.writeAfter(u.from.link.entity.ticket(),
				&wire.Disposition{Role: wire.RoleSender, First: id, Last: wire.Some(id), Settled: true, State: state})
		}
	}
	s.refill()
}

// refused tells whether a settlement was not carried out.
func refused(answer wire.DeliveryState) bool {
	r, ok := answer.(*wire.Rejected)
	return ok && r.Error != nil
}

// deliveries returns the unsettled delivery ids from first to last, in order.
// The range is the peer's word and can be enormous; ids wrap around.
func (s *session) deliveries(first, last uint32) []uint32 {
	var ids []uint32
	if size := last - first; size < uint32(len(s.unsettled)) {
		for i := range size + 1 {
			if _, ok := s.unsettled[first+i]; ok {
				ids = append(ids, first+i)
			}
		}
		return ids
	}
	for id := range s.unsettled {
		if id-first <= last-first {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b uint32) int { return int(int32(a - b)) })
	return ids
}

// terminal tells whether a state may be an outcome.
func terminal(state wire.DeliveryState) bool {
	switch state.(type) {
	case nil, *wire.Received:
		return false
	}
	return true
}

// settle does what a delivery state asks for and returns the state to answer
// with: the outcome that was asked for, bare, which the client for Java takes for
// nothing but a success if it is of the same type; or a rejection with an error. A
// state that is no outcome leaves the lock as it is.
func (u unsettled) settle(state wire.DeliveryState) (answer wire.DeliveryState, settled bool) {
	q, now := u.from.queue, u.from.now()
	var err error
	switch state := state.(type) {
	case wire.Accepted:
		answer, err = state, q.Complete(now, u.token)
	case wire.Released:
		answer, err = state, q.Release(now, u.token)
	case *wire.Modified:
		answer = &wire.Modified{DeliveryFailed: state.DeliveryFailed, UndeliverableHere: state.UndeliverableHere}
		if state.UndeliverableHere {
			err = q.Defer(now, u.token, overlay(state.MessageAnnotations))
			break
		}
		// An abandoned message counts as a failed delivery whatever
		// delivery-failed says: the official clients leave it false.
		err = q.Abandon(now, u.token, overlay(state.MessageAnnotations))
	case *wire.Rejected:
		answer, err = &wire.Rejected{}, deadLetter(q, u, state.Error)
	case wire.Described:
		return &wire.Rejected{Error: notBuilt("transactions")}, true
	default:
		return nil, false
	}
	if err != nil {
		return &wire.Rejected{Error: u.fault(err)}, true
	}
	return answer, true
}

// deadLetter does what a rejection asks for. The official clients put reason
// and description into info, that for JavaScript null where none was given; of others,
// the error itself is the reason. What is given stays as it is, whatever its type.
func deadLetter(q *queue.Queue, u unsettled, fault *wire.Error) error {
	properties := map[string]any{}
	if fault != nil && fault.Condition != condDeadLetter {
		properties[queue.PropertyReason] = string(fault.Condition)
		properties[queue.PropertyDescription] = fault.Description
	}
	if fault != nil {
		maps.Copy(properties, overlay(fault.Info))
	}
	for _, name := range []string{queue.PropertyReason, queue.PropertyDescription} {
		if properties[name] == nil { // the Go client panics on a null
			delete(properties, name)
		}
	}
	return q.DeadLetter(u.from.now(), u.token, properties)
}

// fault tells a peer why its settlement failed.
func (u unsettled) fault(err error) *wire.Error {
	switch {
	case errors.Is(err, queue.ErrDeadLetterQueue):
		return refuse(wire.CondNotAllowed, "%s", err.Error())
	case errors.Is(err, queue.ErrProperties):
		return refuse(wire.CondNotAllowed, "%s", textProperties)
	case u.from.holds != nil && u.from.lost.Load():
		return refuse(condSessionLockLost, "%s", textSessionLost)
	}
	return refuse(condLockLost, "%s", textLockLost)
}
