package broker

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// Message annotations of Service Bus.
const (
	annotationEnqueuedTime   = "x-opt-enqueued-time"
	annotationLockedUntil    = "x-opt-locked-until"
	annotationMessageState   = "x-opt-message-state"
	annotationPartitionID    = "x-opt-partition-id"
	annotationPartitionKey   = "x-opt-partition-key"
	annotationScheduledTime  = "x-opt-scheduled-enqueue-time"
	annotationSequenceNumber = "x-opt-sequence-number"
	annotationLockToken      = "x-opt-lock-token"
	annotationBodySize       = "omitted-message-body-size"

	annotationEnqueueSequence  = "x-opt-enqueue-sequence-number"
	annotationDeadLetterSource = "x-opt-deadletter-source"
)

// ownAnnotations are those that only the broker sets. A message that is sent
// on with them, after it was received, loses them. The source of a dead letter
// stays, as in Service Bus.
var ownAnnotations = []string{
	annotationEnqueuedTime, annotationLockedUntil, annotationMessageState, annotationSequenceNumber,
	annotationLockToken, annotationEnqueueSequence, annotationPartitionID,
}

// Values of x-opt-message-state, for a message that can be received or is, one
// that was deferred, and one that is yet to join the queue.
const (
	stateActive    int32 = 0
	stateDeferred  int32 = 1
	stateScheduled int32 = 2
)

// textSessionNeeded is what Service Bus says about a message without a session id
// in an entity that requires one.
const textSessionNeeded = "The SessionId was not set on a message, and it cannot be sent to the entity. " +
	"Entities that have session support enabled can only receive messages that have the SessionId set to a valid value."

// enqueue returns what puts messages, single or batched, into a queue. A batch
// goes in whole or not at all.
func (l *link) enqueue(q *queue.Queue) func(payload []byte, format uint32) *wire.Error {
	now, where := l.session.conn.server.options.Now, l.entity.described().placement()
	return func(payload []byte, format uint32) *wire.Error {
		items, fault := items(payload, format, where)
		if fault != nil {
			return fault
		}
		if fault := l.suffer(); fault != nil {
			return fault
		}
		if fault := l.session.conn.server.diskFull(); fault != nil {
			return fault
		}
		_, err := q.Enqueue(now(), items...)
		switch {
		case errors.Is(err, queue.ErrEnded):
			return refuse(wire.CondNotFound, "%s", notFound(l.entity.path))
		case err != nil:
			return sendFault(err)
		}
		return nil
	}
}

// diskFull refuses messages while the disk has no room for them.
func (s *Server) diskFull() *wire.Error {
	if s.store == nil {
		return nil
	}
	return refusedByDisk(s.store.Room())
}

// diskFails refuses other things that are to be kept while the disk takes nothing.
func (s *Server) diskFails() *wire.Error {
	if s.store == nil {
		return nil
	}
	return refusedByDisk(s.store.Err())
}

func refusedByDisk(err error) *wire.Error {
	if err == nil {
		return nil
	}
	return refuse(wire.CondResourceLimitExceeded, "The disk of the broker takes no more messages at the moment.")
}

// suffer has the faults happen that wait for a message.
func (l *link) suffer() *wire.Error {
	c := l.session.conn
	if delay, strikes := c.server.faults.strikes(FaultDelay, l.entity.path); strikes {
		c.pause(delay)
	}
	if _, strikes := c.server.faults.strikes(FaultBusy, l.entity.path); strikes {
		return refuse(condServerBusy, "The request was terminated because the entity is being throttled. Please wait 2 seconds and try again.")
	}
	return nil
}

func items(payload []byte, format uint32, where placement) ([]queue.Item, *wire.Error) {
	switch format {
	case wire.MessageFormat:
		item, err := newItem(payload, where)
		if err != nil {
			return nil, sendFault(err)
		}
		return []queue.Item{item}, nil
	case wire.MessageFormatBatch:
		var all []queue.Item
		for payload, err := range wire.BatchItems(payload) {
			if err != nil {
				return nil, sendFault(err)
			}
			item, err := newItem(payload, where)
			if err != nil {
				return nil, sendFault(err)
			}
			all = append(all, item)
		}
		return all, nil
	}
	return nil, refuse(wire.CondNotAllowed, "message-format 0x%08x is unknown", format)
}

// newItem checks an encoded message and makes what the queue keeps of it. All of
// it is looked into now, the body too, so that a message which was accepted can be
// delivered and breaks no decoder of a receiver. The payload is copied, as it may be
// a small part of a large batch.
func newItem(payload []byte, where placement) (queue.Item, error) {
	item, err := makeItem(payload, wire.Rewrite{DropDeliveryAnnotations: ownAnnotations, DropMessageAnnotations: ownAnnotations}, where)
	if err == nil && item.Session != nil && item.PartitionKey != *item.Session {
		// Service Bus: partitioned queues and topics, "Use of partition keys".
		err = refuse(wire.CondNotAllowed, "The PartitionKey of a message can't be set to another value than its SessionId.")
	}
	if err == nil {
		err = where.check(item.Payload)
	}
	return item, err
}

// makeItem makes an item of a message with some changes.
func makeItem(payload []byte, rewrite wire.Rewrite, where placement) (queue.Item, error) {
	m, err := wire.Split(payload)
	if err != nil {
		return queue.Item{}, err
	}
	if err := checkHeaderSize(&m); err != nil {
		return queue.Item{}, err
	}
	if err := m.Validate(); err != nil {
		return queue.Item{}, err
	}
	header, err := m.ParseHeader()
	if err != nil {
		return queue.Item{}, err
	}
	annotated, err := readAnnotations(&m)
	if err != nil {
		return queue.Item{}, err
	}
	properties, err := m.ParseProperties()
	if err != nil {
		return queue.Item{}, err
	}
	if err := checkIDs(properties, annotated.partitionKey.Value); err != nil {
		return queue.Item{}, err
	}
	if annotated.nullTime {
		rewrite.DropMessageAnnotations = append(slices.Clip(rewrite.DropMessageAnnotations), annotationScheduledTime)
	}
	size, unnamed := len(payload), properties.MessageID == nil
	if unnamed {
		properties.MessageID = newMessageID()
		rewrite.Properties = &properties
		size += 64
	}
	key, marks := where.place(&properties, annotated.partitionKey)
	rewrite.MessageAnnotations = append(rewrite.MessageAnnotations, marks...)
	size += 64 * len(rewrite.MessageAnnotations)
	kept, err := m.AppendRewritten(make([]byte, 0, size), rewrite)
	if err != nil {
		return queue.Item{}, err
	}
	item := queue.Item{
		Payload: kept, TimeToLive: time.Duration(header.TTL.Or(0)) * time.Millisecond, EnqueueAt: annotated.enqueueAt,
		PartitionKey: key,
	}
	if !unnamed {
		item.MessageID = fmt.Sprint(properties.MessageID)
	}
	if properties.GroupID.Set {
		id := properties.GroupID.Value
		item.Session = &id
	}
	return item, nil
}

// annotated is what the annotations of a message tell the broker.
type annotated struct {
	partitionKey wire.Optional[string]
	enqueueAt    time.Time // zero for at once
	nullTime     bool      // the annotation for that time is there, and null
}

// readAnnotations refuses annotations of other types than Service Bus has for them: the
// Go client takes them for these without a look, and panics.
func readAnnotations(m *wire.Message) (a annotated, err error) {
	annotations, err := m.ParseMessageAnnotations()
	if err != nil {
		return annotated{}, err
	}
	v, there := annotations.Get(annotationScheduledTime)
	switch at := v.(type) {
	case nil:
		a.nullTime = there
	case wire.Timestamp:
		a.enqueueAt = time.UnixMilli(int64(at))
	default:
		return annotated{}, refuse(wire.CondInvalidField, "%s is not a timestamp", annotationScheduledTime)
	}
	if a.partitionKey, err = textAnnotation(annotations, annotationPartitionKey); err != nil {
		return annotated{}, err
	}
	_, err = textAnnotation(annotations, annotationDeadLetterSource)
	return a, err
}

// textAnnotation returns an annotation that must be a string.
func textAnnotation(annotations wire.Map, name string) (wire.Optional[string], error) {
	switch v, _ := annotations.Get(name); v := v.(type) {
	case nil:
		return wire.Optional[string]{}, nil
	case string:
		return wire.Some(v), nil
	}
	return wire.Optional[string]{}, refuse(wire.CondInvalidField, "%s is not a string", name)
}

// newMessageID names a message that came without a name. Service Bus does so too:
// the JavaScript client settles no message without.
func newMessageID() string { return fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()) }

// delivered encodes a message as a receiver gets it, by its link or by its sequence
// number. The delivery annotations of the sender are kept, as Service Bus does, and
// the lock token stands among them: where there is no delivery tag, nowhere else.
func delivered(d queue.Delivery) ([]byte, error) {
	annotations := brokerAnnotations(d.Message)
	if d.Deferred {
		annotations = append(annotations, messageState(d.Message))
	}
	if d.Token == (queue.Token{}) {
		return encode(d.Message, nil, annotations)
	}
	annotations = append(annotations, wire.Pair{Key: wire.Symbol(annotationLockedUntil), Value: timestamp(d.LockedUntil)})
	return encode(d.Message, wire.Map{{Key: wire.Symbol(annotationLockToken), Value: wire.UUID(d.Token)}}, annotations)
}

// peeked encodes a message as peek shows it.
func peeked(m queue.Message) ([]byte, error) {
	return encode(m, nil, append(brokerAnnotations(m), messageState(m)))
}

// withoutBody leaves the body out of an encoded message, and tells its size.
func withoutBody(encoded []byte) ([]byte, error) {
	m, err := wire.Split(encoded)
	if err != nil {
		return nil, err
	}
	size := len(m.Body)
	m.Body = nil
	return m.AppendRewritten(nil, wire.Rewrite{
		DeliveryAnnotations: wire.Map{{Key: wire.Symbol(annotationBodySize), Value: int64(size)}},
	})
}

// brokerAnnotations are those of every message, with room for two more.
func brokerAnnotations(m queue.Message) wire.Map {
	return append(make(wire.Map, 0, 4),
		wire.Pair{Key: wire.Symbol(annotationSequenceNumber), Value: m.Sequence},
		wire.Pair{Key: wire.Symbol(annotationEnqueuedTime), Value: timestamp(m.EnqueuedAt)})
}

func messageState(m queue.Message) wire.Pair {
	state := stateActive
	switch {
	case m.Scheduled:
		state = stateScheduled
	case m.Deferred:
		state = stateDeferred
	}
	return wire.Pair{Key: wire.Symbol(annotationMessageState), Value: state}
}

// errUnread is the error of a message whose payload the disk does not give back.
var errUnread = errors.New("the payload can't be read from the disk")

// encode puts the broker's knowledge of a message around what was sent.
// azservicebus reads the header only if there are properties, so both are
// always written.
func encode(m queue.Message, delivery, annotations wire.Map) ([]byte, error) {
	if m.Payload == nil {
		return nil, errUnread
	}
	sent, err := wire.Split(m.Payload)
	if err != nil {
		return nil, err
	}
	header, err := sent.ParseHeader()
	if err != nil {
		return nil, err
	}
	header.DeliveryCount = uint32(m.DeliveryCount)
	if !m.ExpiresAt.IsZero() {
		// The entity may have shortened the life that the sender gave.
		header.TTL = wire.Some(uint32(min(m.ExpiresAt.Sub(m.EnqueuedAt).Milliseconds(), math.MaxUint32)))
	}
	return sent.AppendRewritten(make([]byte, 0, len(m.Payload)+200), wire.Rewrite{
		Header:                &header,
		DeliveryAnnotations:   delivery,
		MessageAnnotations:    annotations,
		ApplicationProperties: underlay(m.Overlay),
		EnsureProperties:      true,
	})
}

// overlay turns a map with symbols or strings as keys into properties that are
// laid over those of a message. Other keys have no meaning there.
func overlay(m wire.Map) map[string]any {
	properties := make(map[string]any, len(m))
	for _, p := range m {
		switch k := p.Key.(type) {
		case wire.Symbol:
			properties[string(k)] = p.Value
		case string:
			properties[k] = p.Value
		}
	}
	return properties
}

// underlay is the reverse of overlay, in a stable order.
func underlay(properties map[string]any) wire.Map {
	m := make(wire.Map, 0, len(properties))
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		m = append(m, wire.Pair{Key: name, Value: properties[name]})
	}
	return m
}

func timestamp(t time.Time) wire.Timestamp { return wire.Timestamp(t.UnixMilli()) }

// guid reorders a lock token as .NET writes a Guid into bytes: the first three
// groups little-endian. Clients expect that in delivery tags, and only there.
func guid(t queue.Token) [16]byte {
	t[0], t[1], t[2], t[3] = t[3], t[2], t[1], t[0]
	t[4], t[5] = t[5], t[4]
	t[6], t[7] = t[7], t[6]
	return t
}

// sendFault tells a sender why its message was refused.
func sendFault(err error) *wire.Error {
	switch err := err.(type) {
	case *wire.Error:
		return err
	case *wire.DecodeError:
		return err.Peer()
	}
	if errors.Is(err, queue.ErrSessionNeeded) {
		return refuse(wire.CondNotAllowed, "%s", textSessionNeeded)
	}
	return refuse(wire.CondInternalError, "the message could not be stored")
}
