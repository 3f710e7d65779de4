package broker

import "github.com/muster-mfa/muster/local/broker/internal/queue"

// maxUnsettled bounds the deliveries of a session that the peer has not
// settled. A peer that never settles gets no more.
const maxUnsettled = 16384

// unsettled is a delivery that the peer has not settled.
type unsettled struct {
	from  *outgoing
	token queue.Token
}

// hold notes that the next delivery is to be settled.
func (s *session) hold(l *outgoing, t queue.Token) {
	s.unsettled[s.nextDelivery] = unsettled{from: l, token: t}
	s.conn.weight += unsettledWeight
	l.unsettled++
}

// forget is the end of a delivery.
func (s *session) forget(id uint32) {
	l := s.unsettled[id].from
	delete(s.unsettled, id)
	s.conn.weight -= unsettledWeight
	l.unsettled--
	if l.disowned {
		s.stale--
	}
}

// disown ends the deliveries of a link that both sides have detached. They are looked
// for only when they are at least half of all, so that links that come and go cost
// little.
func (s *session) disown(l *outgoing) {
	l.disowned = true
	s.stale += l.unsettled
	if s.stale > 0 && s.stale >= len(s.unsettled)/2 {
		for id, u := range s.unsettled {
			if u.from.disowned {
				s.forget(id)
			}
		}
	}
	s.refill()
}

// refill has links try again that waited for the peer to settle something.
func (s *session) refill() {
	if len(s.unsettled)-s.stale < maxUnsettled {
		s.conn.unblock(s.full)
	}
}
