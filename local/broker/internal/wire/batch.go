package wire

import "iter"

// Message formats that Service Bus knows, as in the message-format field of a
// transfer.
const (
	// MessageFormat is the AMQP message format of part 3, section 3.2.
	MessageFormat uint32 = 0
	// MessageFormatBatch marks a message each of whose data sections is one
	// complete encoded message. Its other sections repeat those of the first
	// message and mean nothing.
	MessageFormatBatch uint32 = 0x80013700
)

// BatchItems yields the encoded messages inside a payload of MessageFormatBatch,
// each of which Split takes. They alias the payload. An error, a *DecodeError, is
// the last thing yielded. A server that takes all or nothing gathers before
// it acts.
func BatchItems(payload []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		m, err := Split(payload)
		if err != nil {
			yield(nil, err)
			return
		}
		if m.BodyKind != BodyData {
			yield(nil, &DecodeError{
				Condition: CondDecodeError, Field: "batch",
				Expected: "data sections", Found: "a body of kind " + m.BodyKind.String(),
			})
			return
		}
		for item := range m.Data() {
			if !yield(item, nil) {
				return
			}
		}
	}
}
