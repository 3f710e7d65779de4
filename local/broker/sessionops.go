package broker

import (
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file holds the operations of $management on sessions.

const (
	maxSessionState  = 256 << 10 // Service Bus quotas, Standard tier
	maxSessionsPage  = 100
	allSessions      = 253_402_300_800_000 // the time that asks for every session, in Unix milliseconds
	argSessionID     = "session-id"
	propertyLinkName = "associated-link-name"
)

// session returns the session that a request is about: the one that it names, or
// that its receiver's link holds.
func (m management) session(r request, args wire.Map) (string, bool) {
	if id, named := text(args, argSessionID); named {
		return id, true
	}
	name := r.text(propertyLinkName)
	for _, s := range m.conn.sessions {
		for _, l := range s.links {
			if l.name == name && l.out != nil && l.out.holds != nil && l.out.queue == m.queue {
				return l.out.holds.ID(), true
			}
		}
	}
	return "", false
}

// within returns the session that a request keeps to, nil for none. The Go client
// doesn't name the session when it peeks, but only its receiver's link: what it
// wants to see is that session, as the other clients say outright.
func (m management) within(r request, args wire.Map) *string {
	if id, named := m.session(r, args); named {
		return &id
	}
	return nil
}

func (m management) namedSession(r request, args wire.Map) (string, error) {
	id, named := m.session(r, args)
	if !named {
		return "", argumentError{"the request names no session, and no link that holds one"}
	}
	return id, nil
}

func (m management) renewSessionLock(r request, args wire.Map) (any, error) {
	id, err := m.namedSession(r, args)
	if err != nil {
		return nil, err
	}
	until, err := m.queue.RenewSession(m.now(), id)
	if err != nil {
		return nil, err
	}
	return wire.Map{{Key: "expiration", Value: timestamp(until)}}, nil
}

func (m management) sessionState(r request, args wire.Map) (any, error) {
	id, err := m.namedSession(r, args)
	if err != nil {
		return nil, err
	}
	state, err := m.queue.SessionState(m.now(), id)
	if err != nil {
		return nil, err
	}
	var value any
	if state != nil {
		value = state
	}
	return wire.Map{{Key: "session-state", Value: value}}, nil
}

func (m management) setSessionState(r request, args wire.Map) (any, error) {
	id, err := m.namedSession(r, args)
	if err != nil {
		return nil, err
	}
	var state []byte
	switch v, _ := args.Get("session-state"); v := v.(type) {
	case nil:
	case []byte:
		// The Go client has no other way to say null.
		if len(v) > 0 {
			state = v
		}
	default:
		return nil, argumentError{"session-state must be binary or null"}
	}
	if len(state) > maxSessionState {
		return nil, refuse(wire.CondMessageSizeExceeded, "The state of a session has at most %d bytes.", maxSessionState)
	}
	old, err := m.queue.SessionState(m.now(), id)
	if err != nil {
		return nil, err
	}
	if fault := m.conn.server.diskFails(); fault != nil {
		return nil, fault
	}
	if grows := len(state) - len(old); grows > 0 {
		if fault := m.entity.full(m.entity.maxSize(), grows); fault != nil {
			return nil, fault
		}
	}
	if err := m.queue.SetSessionState(m.now(), id, state); err != nil {
		return nil, err
	}
	return done, nil
}

// messageSessions lists sessions: those with active messages or a state, or those
// whose state was set since a time.
func (m management) messageSessions(_ request, args wire.Map) (any, error) {
	skip, top, err := pageOf(args)
	if err != nil {
		return nil, err
	}
	var since time.Time
	if v, _ := args.Get("last-updated-time"); v != nil {
		at, ok := v.(wire.Timestamp)
		if !ok {
			return nil, argumentError{"last-updated-time must be a timestamp"}
		}
		if at < allSessions {
			since = time.UnixMilli(int64(at))
		}
	}
	ids := m.queue.Sessions(m.now(), since, int(min(skip, 1<<30)), int(min(top, maxSessionsPage)))
	if len(ids) == 0 {
		return nil, nil
	}
	return wire.Map{
		// Where the next page begins: some clients ask for it by this.
		{Key: "skip", Value: int32(min(skip, 1<<30)) + int32(len(ids))},
		{Key: "sessions-ids", Value: wire.ArrayOf(ids...)},
	}, nil
}
