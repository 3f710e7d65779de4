package store

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// A message is kept as a version, a fixed part, and what varies in length, each
// behind its length; the payload is the rest.
//
//	version 1 | flags 1 | hops 1 | deliveries 4 | enqueued 8 | expires 8
//	session | overlay (an AMQP map) | payload
//
// Times are nanoseconds since 1970, 0 for none.
const (
	recordVersion = 2
	fixedSize     = 23
)

// What a record has.
const (
	flagDeferred = 1 << iota
	flagSession
	flagOverlay
	flagScheduled
)

var errRecord = fmt.Errorf("%w: it has a record that can't be read", ErrDamaged)

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.BigEndian.AppendUint64(b, 0)
	}
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixNano()))
}

func readTime(b []byte) time.Time {
	if n := int64(binary.BigEndian.Uint64(b)); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

// appendRecord encodes a message.
func appendRecord(b []byte, r queue.Record) ([]byte, error) {
	flags := byte(0)
	session := ""
	if r.Deferred {
		flags |= flagDeferred
	}
	if r.Scheduled {
		flags |= flagScheduled
	}
	if r.Session != nil {
		flags |= flagSession
		session = *r.Session
	}
	var overlay []byte
	if r.Overlay != nil {
		flags |= flagOverlay
		m := make(wire.Map, 0, len(r.Overlay))
		for k, v := range r.Overlay {
			m = append(m, wire.Pair{Key: k, Value: v})
		}
		var err error
		if overlay, err = wire.AppendValue(nil, m); err != nil {
			return nil, fmt.Errorf("encode properties: %w", err)
		}
	}
	b = append(b, recordVersion, flags, byte(r.Hops))
	b = binary.BigEndian.AppendUint32(b, uint32(r.Deliveries))
	b = appendTime(b, r.EnqueuedAt)
	b = appendTime(b, r.ExpiresAt)
	for _, part := range [][]byte{[]byte(session), overlay} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return append(b, r.Payload...), nil
}

// readRecord decodes a message. Its payload is a part of b.
func readRecord(b []byte) (queue.Record, error) {
	if len(b) < fixedSize || b[0] != recordVersion {
		return queue.Record{}, errRecord
	}
	flags := b[1]
	r := queue.Record{
		Deferred:   flags&flagDeferred != 0,
		Hops:       int(b[2]),
		Deliveries: int(binary.BigEndian.Uint32(b[3:])),
		EnqueuedAt: readTime(b[7:]),
		ExpiresAt:  readTime(b[15:]),
		Scheduled:  flags&flagScheduled != 0,
	}
	var parts [2][]byte
	rest := b[fixedSize:]
	for i := range parts {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > uint64(len(rest)-size) {
			return queue.Record{}, errRecord
		}
		parts[i], rest = rest[size:size+int(n)], rest[size+int(n):]
	}
	if flags&flagSession != 0 {
		session := string(parts[0])
		r.Session = &session
	}
	if flags&flagOverlay != 0 {
		v, _, err := wire.DecodeValue(parts[1])
		m, ok := v.(wire.Map)
		if err != nil || !ok {
			return queue.Record{}, errRecord
		}
		r.Overlay = make(map[string]any, len(m))
		for _, p := range m {
			name, ok := p.Key.(string)
			if !ok {
				return queue.Record{}, errRecord
			}
			r.Overlay[name] = p.Value
		}
	}
	r.Payload = rest
	return r, nil
}
