package broker

import (
	"unicode/utf8"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// Bounds of what describes a message (Service Bus quotas: message header size, size
// of message-id and session-id, size of partition key).
const (
	maxHeaderSize = 64 << 10 // bytes, of all sections but the body
	maxIDLength   = 128      // characters
)

// checkHeaderSize refuses a message that says too much about itself, before any of it
// is decoded.
func checkHeaderSize(m *wire.Message) error {
	if size := m.Len() - len(m.Body); size > maxHeaderSize {
		return refuse(wire.CondNotAllowed, "The header and the properties of the message have %d bytes: the most is %d.", size, maxHeaderSize)
	}
	return nil
}

// checkIDs refuses ids that are too long: they are compared, and remembered for as
// long as their message and longer.
func checkIDs(p wire.Properties, partitionKey string) error {
	for _, id := range []struct {
		name  string
		value any
	}{{"MessageId", p.MessageID}, {"SessionId", p.GroupID.Value}, {"PartitionKey", partitionKey}} {
		if n := idLength(id.value); n > maxIDLength {
			return refuse(wire.CondNotAllowed, "The %s of the message has %d characters: the most is %d.", id.name, n, maxIDLength)
		}
	}
	return nil
}

func idLength(id any) int {
	switch id := id.(type) {
	case string:
		return utf8.RuneCountInString(id)
	case []byte:
		return len(id)
	}
	return 0
}
