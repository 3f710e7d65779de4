package broker

import (
	"maps"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file has links end with the tokens that allow them. A client that wants to
// keep them puts a new token to $cbs in time (Service Bus AMQP protocol guide,
// "Claims-based authorization": when a token expires, all links on that connection
// to the respective entity are dropped).

// watchTokens has the connection learn when the next of its tokens ends.
func (c *conn) watchTokens() {
	c.tokenEnds = nil
	if end, ok := c.grants.nextEnd(); ok {
		c.tokenEnds = time.After(end.Sub(c.server.options.Now()))
	}
}

// endTokens forgets the tokens that have ended and detaches the links that no other
// token allows.
func (c *conn) endTokens() {
	now := c.server.options.Now()
	maps.DeleteFunc(c.grants, func(_ string, given grant) bool { return given.ended(now) })
	for _, s := range c.sessions {
		for _, l := range s.links {
			if l.entity != nil && !l.detached && !c.may(l.address, l.right) {
				l.end(refuse(wire.CondDetachForced,
					"The link '%s' is force detached. Code: RenewToken. Details: Unauthorized access. "+
						"'%s' claim(s) are required to perform this operation. Resource: 'sb://%s/%s'.",
					l.name, l.right, c.hostname, l.address.path()))
			}
		}
	}
	c.watchTokens()
}

// nextEnd is when the first of the tokens ends; it is false where none does.
func (g grants) nextEnd() (end time.Time, ok bool) {
	for _, given := range g {
		if !given.expires.IsZero() && (!ok || given.expires.Before(end)) {
			end, ok = given.expires, true
		}
	}
	return end, ok
}
