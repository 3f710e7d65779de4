package broker

import (
	"strings"
	"time"
)

// credential is a key as somebody has shown that they hold it.
type credential struct {
	// entity is the folded path of the queue or topic whose rule has the key; empty
	// for a key of the server, and where nobody looks at keys.
	entity      string
	name, value string
	rights      Rights // unless it is of an entity: there, the rule says it
}

// credentials returns the keys with a name that may be good for an address: that of
// the server, and those of the entity.
func (s *Server) credentials(name string, a address) []credential {
	var all []credential
	if k := s.key(name); k != nil {
		all = append(all, credential{name: name, value: k.Value, rights: k.Rights})
	}
	if e := s.ruling(a.entity); e != nil {
		all = append(all, e.credentials(name)...)
	}
	return all
}

// ruling returns the queue or topic whose authorization rules count for a folded
// path, nil for none. A subscription need not exist to have those of its topic.
func (s *Server) ruling(path string) *entity {
	e, ok := s.catalog.find(path)
	if !ok {
		topic, _, _ := cutFold(path, strings.TrimSuffix(subscriptions, "/"))
		if e, ok = s.catalog.find(topic); !ok {
			return nil
		}
	}
	if e.kind == kindSubscription {
		return e.subscription.topic
	}
	return e
}

// credentials returns both keys of the entity's rule with a name.
func (e *entity) credentials(name string) []credential {
	for _, r := range e.described().AuthorizationRules {
		if r.Name == name {
			path := strings.ToLower(e.path)
			return []credential{{entity: path, name: name, value: r.PrimaryKey}, {entity: path, name: name, value: r.SecondaryKey}}
		}
	}
	return nil
}

// rightsOf tells what a key allows now: that of an entity may have been changed or
// taken away since it was shown.
func (s *Server) rightsOf(c credential) Rights {
	if c.entity == "" {
		return c.rights
	}
	e, ok := s.catalog.find(c.entity)
	if !ok {
		return 0
	}
	for _, r := range e.described().AuthorizationRules {
		if r.Name == c.name && (r.PrimaryKey == c.value || r.SecondaryKey == c.value) {
			return r.Rights
		}
	}
	return 0
}

// grant is what a token allows.
type grant struct {
	credential
	expires time.Time // zero: with the connection
}

// ended tells whether the token is over.
func (g grant) ended(now time.Time) bool { return !g.expires.IsZero() && !now.Before(g.expires) }

// grants are the audiences that the peer has put valid tokens for. Only audiences
// that exist get in, so a peer can't make the map grow.
type grants map[string]grant

// may tells whether the peer has one of these rights on the address.
func (c *conn) may(a address, wanted Rights) bool {
	s := c.server
	if s.options.Open {
		return true
	}
	now := s.options.Now()
	for audience, given := range c.grants {
		if a.covers(audience) && !given.ended(now) && s.rightsOf(given.credential)&wanted != 0 {
			return true
		}
	}
	return false
}
