package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// readBuffer is the size of a reader's buffer. Frames up to it are decoded in
// place; longer ones are gathered in a second buffer that grows with the bytes
// that have really come.
const readBuffer = 16 << 10

// Reader reads frames from one connection. It is not safe for concurrent use.
// It holds 16 KiB, and as much again as the longest frame that was longer.
type Reader struct {
	br      *bufio.Reader
	max     uint32
	pending int // bytes of the last frame that still stand in br
	size    int // of the last frame
	d       decoder
	long    []byte // memory for frames beyond readBuffer
}

// NewReader returns a Reader that refuses frames of more than maxFrameSize
// bytes. Before the connection's open was sent that is 512 by the specification;
// clients have been seen to be less strict, so a server may start with its own
// limit.
func NewReader(r io.Reader, maxFrameSize uint32) *Reader {
	return &Reader{br: bufio.NewReaderSize(r, readBuffer), max: maxFrameSize}
}

// SetMaxFrameSize changes the limit for the frames to come.
func (r *Reader) SetMaxFrameSize(n uint32) { r.max = n }

// Buffered returns how many bytes have been received beyond the frame that was
// read last. While it is not 0, an owner may put off flushing its answers.
func (r *Reader) Buffered() int { return r.br.Buffered() - r.pending }

// FrameSize returns the size in bytes of the frame that was read last.
func (r *Reader) FrameSize() int { return r.size }

// ReadFrame reads the next frame. The Frame's payload and delivery tag hold
// until the next read. io.EOF means that the peer hung up between frames,
// io.ErrUnexpectedEOF within one; a *DecodeError that the connection must be
// closed with its condition. Errors of the underlying reader are returned as
// they are.
func (r *Reader) ReadFrame() (Frame, error) {
	r.release()
	head, err := r.br.Peek(4)
	if err != nil {
		if errors.Is(err, io.EOF) && len(head) > 0 {
			return Frame{}, io.ErrUnexpectedEOF
		}
		return Frame{}, err
	}
	size := binary.BigEndian.Uint32(head)
	if size < frameHeaderSize || size > r.max {
		return Frame{}, &DecodeError{
			Condition: CondFramingError, Field: "frame header",
			Expected: fmt.Sprintf("a size of %d to %d", frameHeaderSize, r.max), Found: fmt.Sprint(size),
		}
	}
	r.size = int(size)
	b, err := r.whole(r.size)
	if err != nil {
		return Frame{}, err
	}
	return r.d.frame(b)
}

// release gives back the bytes of the last frame.
func (r *Reader) release() {
	// Discard cannot fail: these bytes have been peeked at.
	_, _ = r.br.Discard(r.pending)
	r.pending = 0
}

// whole returns the size bytes of a frame.
func (r *Reader) whole(size int) ([]byte, error) {
	if size > readBuffer {
		return r.gather(size)
	}
	b, err := r.br.Peek(size)
	if err != nil {
		return nil, unexpected(err)
	}
	r.pending = size
	return b, nil
}

// gather reads a frame that is longer than the buffer, in steps, so that a
// claimed size takes no memory before the bytes come.
func (r *Reader) gather(size int) ([]byte, error) {
	r.long = r.long[:0]
	for len(r.long) < size {
		have := len(r.long)
		if have == cap(r.long) {
			grown := make([]byte, have, min(size, max(2*have, 2*readBuffer)))
			copy(grown, r.long)
			r.long = grown
		}
		r.long = r.long[:min(size, cap(r.long))]
		if _, err := io.ReadFull(r.br, r.long[have:]); err != nil {
			return nil, unexpected(err)
		}
	}
	return r.long, nil
}

// unexpected turns an end of input inside a frame into io.ErrUnexpectedEOF.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
