package broker

import (
	"fmt"
	"strings"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

const (
	// containerID is the name by which the broker calls itself in AMQP.
	containerID = "muster-broker"
	// handshakeTimeout bounds the time from the first byte to the open.
	handshakeTimeout = 20 * time.Second
	// maxFrameSize is the largest frame in either direction.
	maxFrameSize = 64 << 10
	// channelMax is the highest channel number, hence one less than the number
	// of sessions of a connection.
	channelMax = 4999
	// idleTimeout is what we tell the peer. It drops out after twice as long
	// without a frame (part 2, section 2.4.5).
	idleTimeout = 60 * time.Second
	// keepAlive is the longest time without a frame from us. azservicebus
	// gives up after 60 s of silence, whatever it announces.
	keepAlive = 25 * time.Second
	// shortestIdle is the shortest idle time-out of a peer that we serve.
	shortestIdle = 100 * time.Millisecond
)

// handshake exchanges protocol headers, runs SASL if the peer wants it, and
// exchanges opens. A *wire.Error is what to close the connection with; after
// any other error there is nobody to tell.
func (c *conn) handshake() error {
	if err := c.net.SetReadDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return fmt.Errorf("set read deadline: %w", err)
	}
	id, err := c.reader.ReadProtocolHeader()
	if err != nil {
		return c.answerHeader(err)
	}
	if id == wire.ProtocolSASL {
		if err := c.authenticate(); err != nil {
			return err
		}
		if id, err = c.reader.ReadProtocolHeader(); err != nil {
			return c.answerHeader(err)
		}
	}
	c.out = wire.AppendProtocolHeader(c.out, wire.ProtocolAMQP)
	c.flush()
	if id != wire.ProtocolAMQP {
		return fmt.Errorf("peer asked for protocol %d", id)
	}
	return c.open()
}

// answerHeader tells a peer with another protocol or version which one is
// spoken here (part 2, section 2.2).
func (c *conn) answerHeader(err error) error {
	c.out = wire.AppendProtocolHeader(c.out, wire.ProtocolSASL)
	c.flush()
	return fmt.Errorf("read protocol header: %v", err) // no close is due before an open
}

// open exchanges opens. Ours goes first, so that a close can follow whatever
// the peer sends.
func (c *conn) open() error {
	c.write(0, &wire.Open{
		ContainerID:  containerID,
		MaxFrameSize: wire.Some[uint32](maxFrameSize),
		ChannelMax:   wire.Some[uint16](channelMax),
		IdleTimeout:  wire.Some(uint32(idleTimeout / time.Millisecond)),
	})
	c.flush()
	f, err := c.reader.ReadFrame()
	if err != nil {
		return fmt.Errorf("read open: %w", err)
	}
	peer, ok := f.Body.(*wire.Open)
	if !ok || f.Channel != 0 {
		return refuse(wire.CondNotAllowed, "the first frame must be an open on channel 0")
	}
	c.hostname = strings.Clone(peer.Hostname[:min(len(peer.Hostname), maxHostname)])
	c.frameSize = min(peer.MaxFrameSize.Or(wire.DefaultMaxFrameSize), maxFrameSize)
	if c.frameSize < wire.MinMaxFrameSize {
		return refuse(wire.CondInvalidField, "max-frame-size must be at least %d", wire.MinMaxFrameSize)
	}
	if c.surplus {
		return refuse(wire.CondResourceLimitExceeded, "ConnectionsQuotaExceeded for namespace: %s. The most is %d.",
			namespaceName, c.server.options.MaxConnections)
	}
	idle := time.Duration(peer.IdleTimeout.Or(0)) * time.Millisecond
	switch {
	case idle == 0:
	case idle < shortestIdle:
		return refuse(wire.CondNotAllowed, "idle-time-out must be at least %v", shortestIdle)
	default:
		c.keepAlive = min(keepAlive, idle/2)
	}
	return nil
}
