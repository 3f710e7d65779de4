package broker

import "github.com/muster-mfa/muster/local/broker/internal/wire"

// thePartition is where all messages of a partitioned entity are. The upper 16 bits of
// their sequence numbers say so, too.
const thePartition int16 = 0

// placement is how messages are placed in the partitions of an entity. The zero
// placement is that of an entity without.
type placement struct {
	partitioned bool
	// byID places a message by its id, if that is a text and nothing else says where
	// it belongs (service-bus-partitioning, "Use of partition keys").
	byID bool
}

func (q Queue) placement() placement {
	return placement{partitioned: q.EnablePartitioning, byID: q.EnablePartitioning && q.RequiresDuplicateDetection}
}

// place returns the partition key of a message, "" where it has none, and the
// annotations by which its receivers are told of its place: the key too, where its
// session or its id has become it.
func (p placement) place(properties *wire.Properties, given wire.Optional[string]) (string, wire.Map) {
	key := given.Or(properties.GroupID.Value)
	if !p.partitioned {
		return key, nil
	}
	marks := wire.Map{{Key: wire.Symbol(annotationPartitionID), Value: thePartition}}
	id, named := properties.MessageID.(string)
	switch {
	case given.Set:
		return key, marks
	case properties.GroupID.Set:
	case p.byID && named:
		key = id
	default:
		return key, marks
	}
	return key, append(marks, wire.Pair{Key: wire.Symbol(annotationPartitionKey), Value: key})
}

// check refuses a message that is too large with what placing it has added: whatever
// it is passed on to checks it again.
func (p placement) check(payload []byte) error {
	if !p.partitioned {
		return nil
	}
	m, err := wire.Split(payload)
	if err != nil {
		return err
	}
	return checkHeaderSize(&m)
}
