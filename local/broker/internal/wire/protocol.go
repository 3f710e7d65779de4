package wire

import (
	"fmt"
	"io"
)

// ProtocolID is the fifth byte of a protocol header (part 2, section 2.2; part
// 5, sections 5.2.1 and 5.3.1).
type ProtocolID uint8

// The protocols.
const (
	ProtocolAMQP ProtocolID = 0
	ProtocolTLS  ProtocolID = 2
	ProtocolSASL ProtocolID = 3
)

// protocolHeaderSize is the size of a protocol header in bytes.
const protocolHeaderSize = 8

// AppendProtocolHeader appends the header of version 1.0.0 of a protocol.
func AppendProtocolHeader(b []byte, id ProtocolID) []byte {
	return append(b, 'A', 'M', 'Q', 'P', byte(id), 1, 0, 0)
}

// ReadProtocolHeader reads the eight bytes that start a protocol. A peer that
// speaks something else, or a version other than 1.0.0, is a *DecodeError: the
// server then answers with a header that it supports and closes the socket.
// The id may be one that this package does not name.
func (r *Reader) ReadProtocolHeader() (ProtocolID, error) {
	r.release()
	var h [protocolHeaderSize]byte
	if _, err := io.ReadFull(r.br, h[:]); err != nil {
		return 0, err
	}
	if string(h[:4]) != "AMQP" {
		return 0, &DecodeError{Condition: CondFramingError, Field: "protocol header", Expected: `"AMQP"`, Found: "other bytes"}
	}
	if h[5] != 1 || h[6] != 0 || h[7] != 0 {
		return 0, &DecodeError{
			Condition: CondFramingError, Offset: 5, Field: "protocol header",
			Expected: "version 1.0.0", Found: fmt.Sprintf("%d.%d.%d", h[5], h[6], h[7]),
		}
	}
	return ProtocolID(h[4]), nil
}
