package broker

import "github.com/muster-mfa/muster/local/broker/internal/wire"

// maxIncomplete bounds the deliveries to one connection that are not complete yet, in
// bytes. Two of the largest size fit in.
const maxIncomplete = 256 << 20

// partial is a delivery of which some transfers have come.
type partial struct {
	id            uint32
	format        uint32
	settled       bool
	transactional bool
	payload       []byte
	charged       int // bytes of payload that the connection has counted
}

// keep holds a delivery until its next transfer, if there is room.
func (l *incoming) keep(p *partial) *wire.Error {
	c := l.link.session.conn
	c.incomplete += len(p.payload) - p.charged
	l.partial, p.charged = p, len(p.payload)
	if c.incomplete > maxIncomplete {
		return refuse(wire.CondResourceLimitExceeded, "A connection has at most %d bytes of incomplete messages.", maxIncomplete)
	}
	return nil
}

// forget lets go of a delivery that is complete, or will not be.
func (l *incoming) forget() {
	if p := l.partial; p != nil {
		l.link.session.conn.incomplete -= p.charged
		l.partial = nil
	}
}
