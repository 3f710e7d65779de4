package broker

import (
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// pauseAt is how many unwritten bytes stop a connection from taking more
	// messages from its queues.
	pauseAt = 256 << 10
	// stallAt is how many stop it from reading, too: replies pile up at a peer
	// that sends requests and does not read.
	stallAt = 4 << 20
	// writeChunk bytes must get through within writeTimeout, or the peer is
	// taken for dead.
	writeChunk   = 64 << 10
	writeTimeout = 60 * time.Second
)

// outbox takes the frames of one connection to its peer. The connection adds
// to it and is never blocked by it; a goroutine of its own writes, in as few
// writes as the peer's pace allows.
type outbox struct {
	net   net.Conn
	ready chan struct{} // holds a token when there is something to do
	room  chan struct{} // holds a token when a write has ended

	mu      sync.Mutex
	pending []byte
	spare   []byte // the buffer that was written last
	writing []byte // what is being written
	ended   bool   // nothing more will be added
}

func newOutbox(nc net.Conn) *outbox {
	return &outbox{net: nc, ready: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// add hands b over and returns a buffer to go on with, which may be b.
func (o *outbox) add(b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	o.mu.Lock()
	if len(o.pending) == 0 {
		o.pending, b, o.spare = b, o.spare, nil
	} else {
		o.pending = append(o.pending, b...)
	}
	o.mu.Unlock()
	signal(o.ready)
	return b[:0]
}

// backlog is the number of bytes that the peer has not taken yet, and what the buffers
// take, which are kept for the next ones.
func (o *outbox) backlog() (bytes, buffers int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.pending) + len(o.writing), cap(o.pending) + cap(o.writing) + cap(o.spare)
}

// rest gives up the buffers that are kept.
func (o *outbox) rest() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.spare = nil
}

// end lets write return once everything is written, for which little time is
// left.
func (o *outbox) end() {
	o.mu.Lock()
	o.ended = true
	_ = o.net.SetWriteDeadline(time.Now().Add(closeGrace))
	o.mu.Unlock()
	signal(o.ready)
}

// extend gives the peer time for the next chunk.
func (o *outbox) extend() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return nil
	}
	return o.net.SetWriteDeadline(time.Now().Add(writeTimeout))
}

// write writes until end was called or the peer is lost. In the latter case it
// closes the connection, so that the reader learns of it.
func (o *outbox) write() error {
	for range o.ready {
		for {
			b, ended := o.next()
			if len(b) == 0 {
				if ended {
					return nil
				}
				break
			}
			if err := o.send(b); err != nil {
				cutOff(o.net)
				return err
			}
			o.sent(b)
		}
	}
	return nil
}

func (o *outbox) next() (b []byte, ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b = o.pending
	o.pending, o.writing = nil, b
	return b, o.ended
}

func (o *outbox) send(b []byte) error {
	for len(b) > 0 {
		chunk := b[:min(len(b), writeChunk)]
		if err := o.extend(); err != nil {
			return fmt.Errorf("set write deadline: %w", err)
		}
		if _, err := o.net.Write(chunk); err != nil {
			return fmt.Errorf("write frames: %w", err)
		}
		b = b[len(chunk):]
	}
	return nil
}

func (o *outbox) sent(b []byte) {
	o.mu.Lock()
	o.writing = nil
	if cap(b) <= 2*pauseAt {
		o.spare = b[:0]
	}
	o.mu.Unlock()
	signal(o.room)
}

// signal leaves a token in a channel that has room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
