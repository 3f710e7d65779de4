package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// A message is kept as a version, a fixed part, and what varies in length, each
// behind its length; the payload is the rest.
//
//	version 1 | flags 1 | hops 1 | deliveries 4 | enqueued 8 | expires 8
//	length of the payload 4 | its checksum 4 (CRC-32C)
//	session | overlay (an AMQP map) | payload
//
// Times are nanoseconds since 1970, 0 for none. All but the payload is the head.
const (
	recordVersion = 3
	fixedSize     = 31
	lengthAt      = 23
	checksumAt    = 27
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

// checksum is that of a payload.
func checksum(payload []byte) uint32 { return crc32.Checksum(payload, checksums) }

// appendRecord encodes a message, whose payload has a checksum.
func appendRecord(b []byte, r queue.Record, checksum uint32) ([]byte, error) {
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
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.Payload)))
	b = binary.BigEndian.AppendUint32(b, checksum)
	for _, part := range [][]byte{[]byte(session), overlay} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return append(b, r.Payload...), nil
}

// splitRecord returns what varies in length of a message: the session, the overlay and
// the payload, as parts of b.
func splitRecord(b []byte) (parts [2][]byte, payload []byte, err error) {
	if len(b) < fixedSize || b[0] != recordVersion {
		return parts, nil, errRecord
	}
	rest := b[fixedSize:]
	for i := range parts {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > uint64(len(rest)-size) {
			return parts, nil, errRecord
		}
		parts[i], rest = rest[size:size+int(n)], rest[size+int(n):]
	}
	if uint32(len(rest)) != binary.BigEndian.Uint32(b[lengthAt:]) {
		return parts, nil, errRecord
	}
	return parts, rest, nil
}

// recordHead returns a message without its payload.
func recordHead(b []byte) ([]byte, error) {
	_, payload, err := splitRecord(b)
	return b[:len(b)-len(payload)], err
}

// checksumOf returns the checksum that was kept with a message's payload.
func checksumOf(b []byte) uint32 { return binary.BigEndian.Uint32(b[checksumAt:]) }

// readPayload returns the payload of a message, a part of b, if it is what was written.
func readPayload(b []byte) ([]byte, error) {
	_, payload, err := splitRecord(b)
	if err != nil {
		return nil, err
	}
	if checksum(payload) != checksumOf(b) {
		return nil, fmt.Errorf("%w: its payload is not what was written", errRecord)
	}
	return payload, nil
}

// readRecord decodes a message. Its payload is a part of b, and not looked at.
func readRecord(b []byte) (queue.Record, error) {
	parts, payload, err := splitRecord(b)
	if err != nil {
		return queue.Record{}, err
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
	r.Payload = payload
	return r, nil
}
