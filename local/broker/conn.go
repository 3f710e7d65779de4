package broker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

const (
	// closeGrace is how long a peer gets to answer our close.
	closeGrace = time.Second
	// maxName bounds the name of a link and the addresses of its ends, in bytes. Of
	// each link they are remembered.
	maxName = 1024
	// maxHostname is how much of the host is remembered that the peer has dialled.
	maxHostname = 255
	// maxTold is how many faults of a peer the log tells of.
	maxTold = 1000
	// maxLinks bounds the links of one connection.
	maxLinks = 5000
)

// conn is one connection. All fields but those that say otherwise belong to
// the goroutine that runs serve; two more goroutines read and write.
type conn struct {
	server *Server
	net    net.Conn
	log    *slog.Logger

	reader  *wire.Reader     // of serve up to the open, then of the read goroutine
	outbox  *outbox          // shared
	woken   *wakeups         // shared
	out     []byte           // frames that are not in the outbox yet
	holding []*session       // those with frames that wait for the disk
	waits   int              // bytes of these frames
	written chan struct{}    // has a token when the disk has written
	paused  <-chan time.Time // not nil while a fault has the connection wait

	surplus    bool          // there are as many connections as may be without it
	since      time.Time     // when it was accepted
	opened     atomic.Bool   // the peer's open was taken; shared
	hostname   string        // as the peer dialled it
	frameSize  uint32        // the largest frame that the peer takes
	keepAlive  time.Duration // the longest time without a frame from us
	grants     grants
	cbs        cbs
	tokenEnds  <-chan time.Time    // not nil while there are tokens that end
	sessions   map[uint16]*session // by channel, which is the same both ways
	links      int                 // attached in all sessions
	incomplete int                 // bytes of deliveries to us that are not complete
	sending    int                 // bytes of deliveries from us that are not complete
	crowded    map[*outgoing]bool  // links that wait for there to be fewer of the latter
	replyBytes int                 // of replies that wait for credit
	linked     bool                // there was a link
	activity   activity            // of having links
	ready      []*outgoing         // links that may have something to send

	held   held   // shared
	told   int64  // what the server was last told of it
	weight int64  // what links, sessions and unsettled deliveries are taken for
	queued int    // bytes that are to be written
	wrote  uint64 // ticket of the last that the peer had written to the disk
	faults int    // that the log was told of
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		server:    s,
		net:       nc,
		since:     time.Now(),
		log:       s.options.Logger.With("peer", nc.RemoteAddr().String()),
		reader:    wire.NewReader(nc, maxFrameSize),
		outbox:    newOutbox(nc),
		woken:     newWakeups(),
		written:   make(chan struct{}, 1),
		frameSize: wire.MinMaxFrameSize,
		keepAlive: keepAlive,
		grants:    make(grants),
		sessions:  make(map[uint16]*session),
		crowded:   make(map[*outgoing]bool),
	}
	c.held.end = func() { signal(c.woken.signal) }
	return c
}

// serve runs the connection to its end, which comes at the latest soon after
// stop has ended.
func (c *conn) serve(stop context.Context) {
	var reader, writer sync.WaitGroup
	writer.Go(func() {
		if err := c.outbox.write(); err != nil {
			c.log.Debug("peer lost", "error", err)
		}
	})
	defer c.listen()()
	stopped := context.AfterFunc(stop, func() { cutOff(c.net) })
	// TLS writes while it is read, so the deadline for reading is not enough.
	overdue := time.AfterFunc(handshakeTimeout+closeGrace, func() { cutOff(c.net) })
	err := c.handshake()
	overdue.Stop()
	stopped()
	frames := newIntake(c.hold)
	if err == nil {
		c.opened.Store(true)
		c.log.Debug("connection opened", "hostname", c.hostname)
		reader.Go(func() { c.read(frames) })
		err = c.run(stop, frames)
	} else {
		close(frames.frames)
	}
	for _, s := range c.sessions {
		s.drop()
	}
	c.bid(err)
	c.outbox.end()
	writer.Wait()
	c.hangUp(frames)
	reader.Wait()
	c.server.letGo(&c.held)
	c.log.Debug("connection ended", "cause", err)
}

// read reads frames until there are no more, and closes the channel.
func (c *conn) read(frames *intake) {
	defer close(frames.frames)
	for {
		if err := c.net.SetReadDeadline(time.Now().Add(2 * idleTimeout)); err != nil {
			frames.put(inbound{err: err})
			return
		}
		f, err := c.reader.ReadFrame()
		if err != nil {
			frames.put(inbound{err: err})
			_, _ = io.Copy(io.Discard, c.net) // see hangUp
			return
		}
		size := int64(c.reader.FrameSize())
		if t, ok := f.Body.(*wire.Transfer); ok {
			f.Body, f.Payload = t.Clone(), bytes.Clone(f.Payload)
		} else {
			size *= decodedWeight
		}
		frames.put(inbound{frame: f, size: size})
	}
}

// errPeerClosed ends a connection that the peer has closed.
var errPeerClosed = errors.New("closed by the peer")

// run does the protocol until the connection ends, and returns why it does.
func (c *conn) run(stop context.Context, frames *intake) error {
	heartbeat := time.NewTicker(c.keepAlive)
	defer heartbeat.Stop()
	c.activity.at = time.Now()
	var turns turns
	for {
		next := frames.frames
		if c.paused != nil {
			next = nil
		} else {
			c.deliver()
			c.flush()
		}
		if err := c.account(); err != nil {
			return err
		}
		if c.queued > stallAt || c.behind() {
			next = nil
		}
		select {
		case in := <-next:
			err := c.receive(in)
			frames.done(in)
			if err != nil {
				return err
			}
			turns.yield()
		case <-c.woken.signal:
			c.attend()
		case <-c.outbox.room:
		case <-c.written:
		case <-c.tokenEnds:
			c.endTokens()
		case <-c.paused:
			c.paused = nil
		case now := <-heartbeat.C:
			c.rest()
			c.outbox.add(wire.AppendEmptyFrame(nil)) // at once, however long the disk takes
			if err := c.endInactive(now); err != nil {
				return err
			}
		case <-stop.Done():
			return c.finish(frames)
		}
	}
}

// pause lets the connection wait: nothing is read, answered or delivered.
func (c *conn) pause(d time.Duration) { c.paused = time.After(d) }

// attend does what others want of the connection.
func (c *conn) attend() {
	woken, ended := c.woken.take()
	for _, l := range woken {
		l.woken = true
		c.makeReady(l)
	}
	for _, e := range ended {
		e.link.end(e.fault)
	}
}

// finish answers what has been read already and ends the connection.
func (c *conn) finish(frames *intake) error {
	for {
		select {
		case in := <-frames.frames:
			err := c.receive(in)
			frames.done(in)
			if err != nil {
				return err
			}
		default:
			return refuse(wire.CondConnectionForced, "The broker is shutting down.")
		}
	}
}

// bid says goodbye: the fault if the peer is to be told of one, or the answer
// to its close.
func (c *conn) bid(err error) {
	var told *wire.Error
	var broken *wire.DecodeError
	switch {
	case errors.As(err, &broken):
		told = broken.Peer()
	case errors.As(err, &told):
	case errors.Is(err, os.ErrDeadlineExceeded) && c.opened.Load():
		told = refuse(wire.CondResourceLimitExceeded, "No frame for %v.", 2*idleTimeout)
	case !errors.Is(err, errPeerClosed):
		return
	}
	if told != nil {
		c.log.Info("connection closed", "condition", string(told.Condition), "description", told.Description)
	}
	c.settle()
	c.write(0, &wire.Close{Error: told})
	c.flush()
}

// hangUp ends the transport once the peer has hung up, or after closeGrace. To
// close it at once, with bytes of the peer unread, would make TCP reset the
// connection, and the peer would never read our last words.
func (c *conn) hangUp(frames *intake) {
	patience := time.AfterFunc(closeGrace, func() { closeGently(c.net) })
	defer patience.Stop()
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	if !c.opened.Load() {
		_, _ = io.Copy(io.Discard, c.net)
	}
	for in := range frames.frames {
		frames.done(in)
		if _, closed := in.frame.Body.(*wire.Close); closed {
			break
		}
	}
	closeGently(c.net)
	for in := range frames.frames { // until the reader has noticed
		frames.done(in)
	}
}

// receive handles one frame. An error ends the connection.
func (c *conn) receive(in inbound) error {
	if in.err != nil {
		if errors.Is(in.err, io.EOF) {
			return io.EOF
		}
		return in.err
	}
	switch body := in.frame.Body.(type) {
	case nil:
		return nil
	case *wire.Close:
		return errPeerClosed
	case *wire.Open:
		return refuse(wire.CondNotAllowed, "a second open")
	case *wire.Begin:
		return c.begin(in.frame.Channel, body)
	}
	s, ok := c.sessions[in.frame.Channel]
	if _, end := in.frame.Body.(*wire.End); end && !ok {
		// go-amqp ends a session whose begin was cancelled, also before it was sent.
		return nil
	}
	if !ok {
		return refuse(wire.CondNotAllowed, "no session on channel %d", in.frame.Channel)
	}
	return s.receive(in.frame)
}

// report tells the log of a fault of the peer. A peer that goes on with its faults does
// not fill the disk with them.
func (c *conn) report(what string, args ...any) {
	switch c.faults++; {
	case c.faults < maxTold:
		c.log.Info(what, args...)
	case c.faults == maxTold:
		c.log.Warn("no more is told of the faults of this connection", "faults", maxTold)
	}
}

// write appends a frame to what goes out next.
func (c *conn) write(channel uint16, p wire.Performative) {
	out, err := wire.AppendFrame(c.out, channel, p, nil)
	if err != nil {
		// All values that we write were made or decoded here.
		c.log.Error("frame could not be encoded", "error", err)
		return
	}
	c.out = out
}

// flush gives what was written, and rests on nothing that could still be lost, to
// the outbox.
func (c *conn) flush() {
	c.release()
	if c.out = c.outbox.add(c.out); cap(c.out) > 2*pauseAt {
		c.out = nil
	}
}

// rest gives up the buffers that were made for what has been written.
func (c *conn) rest() {
	if len(c.out) == 0 {
		c.out = nil
	}
	c.outbox.rest()
}
