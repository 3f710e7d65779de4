package broker

import (
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file holds the operations of $management that name messages by their
// sequence numbers.

// textMessageNotFound is what Service Bus says about a sequence number that holds
// no such message.
const textMessageNotFound = "Failed to lock one or more specified messages. The message does not exist."

// maxDeferredBytes bounds the messages of one reply. A single one is no larger than
// what can be sent.
const maxDeferredBytes = 16 << 20

// receiveBySequenceNumber takes deferred messages. Those that can't be read are missing in
// the reply, unless there are no others.
func (m management) receiveBySequenceNumber(r request, args wire.Map) (any, error) {
	if fault := m.entity.closed(StatusReceiveDisabled); fault != nil {
		return nil, fault
	}
	numbers, err := sequenceNumbers(args)
	if err != nil {
		return nil, err
	}
	settled, err := integer(args, "receiver-settle-mode")
	if err != nil {
		return nil, err
	}
	mode := queue.ReceiveAndDelete
	if settled == 1 {
		mode = queue.PeekLock
	}
	id, _ := m.session(r, args)
	deliveries, err := m.queue.TakeDeferred(m.now(), mode, id, maxDeferredBytes, numbers...)
	if err != nil {
		return nil, err
	}
	var list wire.List
	for _, d := range deliveries {
		encoded, unread := delivered(d)
		if unread != nil { // the others have been taken, and may be deleted already
			err = unread
			continue
		}
		entry := wire.Map{{Key: "message", Value: encoded}}
		if mode == queue.PeekLock {
			entry = append(entry, wire.Pair{Key: "lock-token", Value: wire.UUID(d.Token)})
		}
		list = append(list, entry)
	}
	if len(list) == 0 {
		return nil, err
	}
	return wire.Map{{Key: "messages", Value: list}}, nil
}

// schedule sends messages that join the queue later. Each says when by an
// annotation.
func (m management) schedule(_ request, args wire.Map) (any, error) {
	if fault := m.sendable(); fault != nil {
		return nil, fault
	}
	v, _ := args.Get("messages")
	given := elements(v)
	items := make([]queue.Item, len(given))
	size, largest := 0, m.conn.server.maxMessageSize(m.entity)
	where := m.entity.described().placement()
	for i, e := range given {
		entry, _ := e.(wire.Map)
		v, _ := entry.Get("message")
		payload, ok := v.([]byte)
		if !ok {
			return nil, argumentError{"messages must be a list of maps with a binary message"}
		}
		if len(payload) > largest {
			return nil, refuse(wire.CondMessageSizeExceeded, "The message exceeds the maximum size of %d bytes.", largest)
		}
		item, err := newItem(payload, where)
		if err != nil {
			return nil, sendFault(err)
		}
		items[i] = item
		size += len(item.Payload)
	}
	if len(items) == 0 {
		return nil, argumentError{"messages must hold at least one message"}
	}
	if fault := m.entity.full(m.entity.maxSize(), size); fault != nil {
		return nil, fault
	}
	first, err := m.queue.Enqueue(m.now(), items...)
	if err != nil {
		return nil, err
	}
	numbers := make([]int64, len(items))
	for i := range numbers {
		numbers[i] = first + int64(i)
	}
	return wire.Map{{Key: "sequence-numbers", Value: wire.ArrayOf(numbers...)}}, nil
}

// sendable refuses what a link to send on would be refused for.
func (m management) sendable() *wire.Error {
	switch {
	case m.address.deadLetter:
		return refuse(wire.CondNotAllowed, "%s", textToDeadLetters)
	case m.entity.kind == kindSubscription:
		return refuse(wire.CondNotAllowed, "%s", textToSubscription)
	}
	if fault := m.entity.closed(StatusSendDisabled); fault != nil {
		return fault
	}
	return m.conn.server.diskFull()
}

// maxDelete is how many messages a request deletes at most (service-bus
// batch-delete).
const maxDelete = 4000

// deleteBatch deletes active messages that are old enough, the oldest first.
func (m management) deleteBatch(r request, args wire.Map) (any, error) {
	if fault := m.entity.closed(StatusReceiveDisabled); fault != nil {
		return nil, fault
	}
	count, err := integer(args, "message-count")
	if err != nil {
		return nil, err
	}
	v, _ := args.Get("enqueued-time-utc")
	until, ok := v.(wire.Timestamp)
	if !ok || count < 1 {
		return nil, argumentError{"batch-delete-messages needs a message-count of at least 1 and a timestamp enqueued-time-utc"}
	}
	// The client's clock has milliseconds, the queue's has more.
	before := time.UnixMilli(int64(until)).Add(time.Millisecond - 1)
	deleted := m.queue.DeleteBatch(m.now(), m.within(r, args), before, int(min(count, maxDelete)))
	if deleted == 0 {
		return nil, nil
	}
	return wire.Map{{Key: "message-count", Value: int32(deleted)}}, nil
}

func (m management) cancelScheduled(_ request, args wire.Map) (any, error) {
	if fault := m.entity.closed(StatusSendDisabled); fault != nil {
		return nil, fault
	}
	numbers, err := sequenceNumbers(args)
	if err != nil {
		return nil, err
	}
	if err := m.queue.Cancel(m.now(), numbers...); err != nil {
		return nil, err
	}
	return done, nil
}
