package broker

import "github.com/muster-mfa/muster/local/broker/internal/wire"

// Bounds of the deliveries that are not complete yet, in bytes. One of the largest
// size fits into each of them.
const (
	// maxIncomplete is for those of one connection.
	maxIncomplete = 256 << 20
	// maxLarge is for those of all connections, the first commonSize bytes of each
	// left out: large messages may have to wait for each other, and the others wait
	// for nobody.
	maxLarge   = 1 << 30
	commonSize = defaultMaxMessageSize
)

// partial is a delivery of which some transfers have come.
type partial struct {
	id      uint32
	format  uint32
	settled bool
	payload []byte
	charged int // bytes of payload that the connection and the server have counted
}

// keep holds a delivery until its next transfer, if there is room.
func (l *incoming) keep(p *partial) *wire.Error {
	c := l.link.session.conn
	before, after := p.charged, len(p.payload)
	l.partial, p.charged = p, after
	c.incomplete += after - before
	large := c.server.large.Add(int64(max(after, commonSize) - max(before, commonSize)))
	switch {
	case c.incomplete > maxIncomplete:
		return refuse(wire.CondResourceLimitExceeded, "A connection has at most %d bytes of incomplete messages.", maxIncomplete)
	case large > maxLarge && after > commonSize:
		return refuse(condServerBusy, "There are too many large messages on their way in. Please wait 2 seconds and try again.")
	}
	return nil
}

// forget lets go of a delivery that is complete, or will not be.
func (l *incoming) forget() {
	if p := l.partial; p != nil {
		c := l.link.session.conn
		c.incomplete -= p.charged
		c.server.large.Add(int64(commonSize - max(p.charged, commonSize)))
		l.partial = nil
	}
}
