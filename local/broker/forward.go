package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// errSessionNull is what Service Bus says of a message without a session that was
// forwarded to an entity which requires one.
var errSessionNull = queue.Refusal{
	Reason:      "Session ID is null.",
	Description: "Session enabled entity doesn't allow a message whose session identifier is null.",
}

// errNoTarget is the cause of a refusal to forward to an entity that isn't there.
var errNoTarget = errors.New("The auto forwarding destination entity does not exist.")

// forwardTo returns what passes messages on to the entity with the name, nil for
// no name. The entity is looked up for every message: it may come and go. With a
// source, which is where they were dead-lettered, that is noted on them.
func (s *Server) forwardTo(name, source string) func(time.Time, queue.Passed) error {
	if name == "" {
		return nil
	}
	path := strings.ToLower(entityOf(name))
	return func(now time.Time, p queue.Passed) error {
		target, ok := s.catalog.find(path)
		if !ok {
			return fmt.Errorf("%s", notFound(name))
		}
		target.use(now)
		if fault := target.closed(StatusSendDisabled); fault != nil {
			return errors.New(fault.Description)
		}
		if fault := target.full(target.maxSize(), len(p.Payload)); fault != nil {
			return errors.New(fault.Description)
		}
		item, err := passedItem(p, source, target.described().placement())
		if err != nil {
			return err
		}
		err = target.queue.Arrive(now, item)
		switch {
		case errors.Is(err, queue.ErrSessionNeeded):
			return errSessionNull
		case errors.Is(err, queue.ErrEnded):
			return fmt.Errorf("%s", notFound(name))
		}
		return err
	}
}

// passedItem makes what the next queue keeps of a message that another has passed
// on. The first number that it got stays with it (service-bus messages-payloads,
// EnqueuedSequenceNumber), its place does not.
func passedItem(p queue.Passed, source string, where placement) (queue.Item, error) {
	if p.Payload == nil {
		return queue.Item{}, errUnread
	}
	var marks wire.Map
	if p.Hops == 1 {
		marks = append(marks, wire.Pair{Key: wire.Symbol(annotationEnqueueSequence), Value: p.Sequence})
	}
	if source != "" {
		marks = append(marks, wire.Pair{Key: wire.Symbol(annotationDeadLetterSource), Value: source})
	}
	item, err := makeItem(p.Payload, wire.Rewrite{MessageAnnotations: marks, DropMessageAnnotations: []string{annotationPartitionID}}, where)
	item.Overlay, item.Hops = p.Overlay, p.Hops
	return item, err
}

// forwards refuses a link that receives what is forwarded.
func (l *link) forwards() *wire.Error {
	d, to := l.entity.described(), ""
	switch {
	case l.address.transfer:
	case l.address.deadLetter:
		to = d.ForwardDeadLetteredMessagesTo
	default:
		to = d.ForwardTo
	}
	if to == "" {
		return nil
	}
	return refuse(wire.CondNotAllowed, "Cannot create a message receiver on an entity with auto-forwarding enabled.")
}

// targets tells where an entity is to forward to and can't, as there is no such
// queue or topic.
func (s *Server) targets(k kind, q Queue) []error {
	var faults []error
	for field, name := range map[string]string{"ForwardTo": q.ForwardTo, "ForwardDeadLetteredMessagesTo": q.ForwardDeadLetteredMessagesTo} {
		if name == "" {
			continue
		}
		if !s.known(strings.ToLower(entityOf(name))) {
			faults = append(faults, fmt.Errorf("%s %q: %s %q: %w", k, q.Name, field, name, errNoTarget))
		}
	}
	return faults
}

// known tells whether there is a queue or topic at a folded path, or will be once
// the options are carried out: their order is no matter.
func (s *Server) known(path string) bool {
	e, ok := s.catalog.find(path)
	return ok && e.kind != kindSubscription || s.configuring &&
		(slices.ContainsFunc(s.options.Queues, func(q Queue) bool { return strings.ToLower(q.Name) == path }) ||
			slices.ContainsFunc(s.options.Topics, func(t Topic) bool { return strings.ToLower(t.Name) == path }))
}
