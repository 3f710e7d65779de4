package broker

import "github.com/muster-mfa/muster/local/broker/internal/wire"

// size is how many bytes of messages and states of sessions the entity holds; a
// topic holds those of its subscriptions.
func (e *entity) size() int64 {
	size := e.queue.Size()
	for _, sub := range e.subscriptions() {
		size += sub.queue.Size()
	}
	return size
}

// full refuses what would take the entity beyond its size. The ids by which
// duplicates are told take room too.
func (e *entity) full(limit int64, more int) *wire.Error {
	size := e.size() + e.queue.Remembered()
	if size+int64(more) <= limit {
		return nil
	}
	return refuse(wire.CondResourceLimitExceeded,
		"The maximum entity size has been reached or exceeded for '%s'. Size of entity in bytes: %d, Max entity size in bytes: %d.",
		e.path, size, limit)
}

// maxSize is how many bytes the entity may hold.
func (e *entity) maxSize() int64 { return int64(e.described().MaxSizeInMegabytes) << 20 }

// limited refuses a message once the entity is full. The limit is that of the
// moment: an update detaches the link.
func (e *entity) limited(accept func([]byte, uint32) *wire.Error) func([]byte, uint32) *wire.Error {
	if e == nil {
		return accept
	}
	limit := e.maxSize()
	return func(payload []byte, format uint32) *wire.Error {
		if fault := e.full(limit, len(payload)); fault != nil {
			return fault
		}
		return accept(payload, format)
	}
}

// maxBatchSize is how many bytes a batch may have in an entity that takes larger
// messages (Service Bus: large message support, Premium tier), and propertyMaxBatch
// the property of a link by which the sender is told.
const (
	maxBatchSize     = 1 << 20
	propertyMaxBatch = "com.microsoft:max-message-batch-size"
)

// maxMessageSize is the size of the largest message that the entity takes, in
// bytes; e is nil for what is none.
func (s *Server) maxMessageSize(e *entity) int {
	if e == nil {
		return s.options.MaxMessageSize
	}
	q := e.described()
	if own := q.MaxMessageSizeInKilobytes << 10; own != 0 {
		return own
	}
	return ordinarySize(s.options.MaxMessageSize, q.EnablePartitioning)
}

// ordinarySize is the size of the largest message, in bytes, where an entity does not
// say it. Partitions are of the Standard tier, which has its own.
func ordinarySize(size int, partitioned bool) int {
	if partitioned {
		return min(size, maxPartitionedMessage<<10)
	}
	return size
}

// weigh tells how many bytes properties take in a message.
func weigh(properties map[string]any) int {
	b, err := wire.AppendValue(nil, underlay(properties))
	if err != nil {
		return 0 // they come from a peer, or are texts
	}
	return len(b)
}
