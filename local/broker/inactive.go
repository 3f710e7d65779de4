package broker

import (
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file ends what a peer leaves unused, as Service Bus does (AMQP errors in Azure
// Service Bus, "Link is closed" and "Connection is closed"). The clients attach and
// connect again when they need to, and a test of one should have seen that.

const (
	// unlinkedTimeout is how long a connection may be without links, and
	// neverLinkedTimeout how long it may wait for its first.
	unlinkedTimeout    = 5 * time.Minute
	neverLinkedTimeout = time.Minute
	// senderTimeout is how long a link to an entity may send nothing.
	senderTimeout = 10 * time.Minute
)

// activity is when something was last seen to be used. It is looked at with every
// heartbeat, so that what is used a lot needs no clock.
type activity struct {
	used bool // since at
	at   time.Time
}

// idle tells for how long there was no use.
func (a *activity) idle(now time.Time) time.Duration {
	if a.used {
		a.used, a.at = false, now
	}
	return now.Sub(a.at)
}

// endInactive detaches senders that send nothing. The error ends a connection that
// has no links.
func (c *conn) endInactive(now time.Time) error {
	for _, s := range c.sessions {
		for _, l := range s.links {
			if l.in != nil && l.entity != nil && !l.address.management && l.in.activity.idle(now) >= senderTimeout {
				l.refuse(refuse(wire.CondDetachForced,
					"The link '%s' is force detached. Code: publisher. Details: AmqpMessagePublisher.IdleTimerExpired: Idle timeout: 00:10:00.", l.name))
			}
		}
	}
	allowed := neverLinkedTimeout
	if c.links > 0 {
		c.activity.used, c.linked = true, true
	}
	if c.linked {
		allowed = unlinkedTimeout
	}
	if c.activity.idle(now) < allowed {
		return nil
	}
	return refuse(wire.CondConnectionForced, "The connection was inactive for more than the allowed %d milliseconds and is closed by container '%s'.",
		allowed.Milliseconds(), containerID)
}
