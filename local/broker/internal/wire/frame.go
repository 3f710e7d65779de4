package wire

import (
	"encoding/binary"
	"fmt"
)

// FrameType is the sixth byte of a frame (part 2, section 2.3.1).
type FrameType uint8

// The frame types.
const (
	FrameAMQP FrameType = 0
	FrameSASL FrameType = 1
)

// MinMaxFrameSize is the smallest max-frame-size that a peer may ask for (part
// 2, section 2.7.1). SASL frames never exceed it (part 5, section 5.3.2).
const MinMaxFrameSize = 512

// frameHeaderSize is the size of a frame header without extended header.
const frameHeaderSize = 8

// Frame is one frame as it was read. Payload, and the delivery tag of a
// *Transfer in Body, alias the reader's memory and hold until its next read.
// Everything else in Body is its own.
type Frame struct {
	Type    FrameType
	Channel uint16
	// Body is nil in an empty frame, which a peer sends to show that it is
	// alive.
	Body Performative
	// Payload follows the performative of a transfer, and is empty otherwise.
	Payload []byte
}

// frame decodes a whole frame. The size field was checked against len(b).
func (d *decoder) frame(b []byte) (Frame, error) {
	doff := int(b[4]) * 4
	if doff < frameHeaderSize || doff > len(b) {
		return Frame{}, &DecodeError{
			Condition: CondFramingError, Offset: 4, Field: "frame header",
			Expected: fmt.Sprintf("a data offset of 2 to %d words", len(b)/4), Found: fmt.Sprint(b[4]),
		}
	}
	f := Frame{Type: FrameType(b[5])}
	switch f.Type {
	case FrameAMQP:
		f.Channel = binary.BigEndian.Uint16(b[6:])
	case FrameSASL: // the two bytes mean nothing here
	default:
		return Frame{}, &DecodeError{
			Condition: CondFramingError, Offset: 5, Field: "frame header",
			Expected: "frame type 0 or 1", Found: fmt.Sprint(b[5]),
		}
	}
	if doff == len(b) && f.Type == FrameAMQP {
		return f, nil
	}
	d.reset(b, doff)
	f.Body = d.performative()
	if d.err != nil {
		return Frame{}, d.err
	}
	if f.Body.frameType() != f.Type {
		return Frame{}, &DecodeError{
			Condition: CondFramingError, Offset: doff, Field: "frame body",
			Expected: fmt.Sprintf("a performative of frame type %d", f.Type), Found: "one of the other type",
		}
	}
	f.Payload = b[d.pos:]
	if _, ok := f.Body.(*Transfer); !ok && len(f.Payload) > 0 {
		return Frame{}, &DecodeError{
			Condition: CondFramingError, Offset: d.pos, Field: "frame body",
			Expected: "the end of the frame", Found: fmt.Sprintf("%d more bytes", len(f.Payload)),
		}
	}
	return f, nil
}

// AppendFrame appends a frame with the performative and, after a transfer, the
// payload. The frame type follows from the performative. The error is an
// *EncodeError; b is then returned as it came. The peer's max-frame-size is the
// caller's care: only transfers grow beyond 512 bytes as a rule, and
// AppendTransfer minds it.
func AppendFrame(b []byte, channel uint16, p Performative, payload []byte) ([]byte, error) {
	start := len(b)
	out := appendFrameHeader(b, p.frameType(), channel)
	out, err := p.AppendBinary(out)
	if err != nil {
		return b, err
	}
	return closeFrame(append(out, payload...), start), nil
}

// AppendEmptyFrame appends the frame without a body that keeps a connection
// alive.
func AppendEmptyFrame(b []byte) []byte {
	return append(b, 0, 0, 0, frameHeaderSize, frameHeaderSize/4, byte(FrameAMQP), 0, 0)
}

// AppendTransfer appends one transfer frame of at most maxFrameSize bytes with
// as much of payload as fits, and returns how much that was. While n is short
// of len(payload) the frame says that more follows, and the caller goes on with
// payload[n:] and t.Continuation(), when the session's window allows. The error
// is an *EncodeError; b is then returned as it came.
func AppendTransfer(b []byte, channel uint16, t *Transfer, payload []byte, maxFrameSize uint32) (out []byte, n int, err error) {
	start := len(b)
	out, err = t.AppendBinary(appendFrameHeader(b, FrameAMQP, channel))
	if err != nil {
		return b, 0, err
	}
	if uint64(len(out)-start)+uint64(len(payload)) <= uint64(maxFrameSize) {
		return closeFrame(append(out, payload...), start), len(payload), nil
	}
	partial := *t
	partial.More = true
	if out, err = partial.AppendBinary(appendFrameHeader(b, FrameAMQP, channel)); err != nil {
		return b, 0, err
	}
	n = int(maxFrameSize) - (len(out) - start)
	if n <= 0 {
		return b, 0, &EncodeError{Problem: fmt.Sprintf("transfer leaves no room for payload in a frame of %d bytes", maxFrameSize)}
	}
	return closeFrame(append(out, payload[:n]...), start), n, nil
}

func appendFrameHeader(b []byte, t FrameType, channel uint16) []byte {
	return append(b, 0, 0, 0, 0, frameHeaderSize/4, byte(t), byte(channel>>8), byte(channel))
}

// closeFrame fills in the size of the frame that reaches from start to the end
// of b.
func closeFrame(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}
