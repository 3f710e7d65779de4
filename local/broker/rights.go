package broker

import (
	"fmt"
	"strings"
)

// Rights is what a shared access key lets its holder do, a set of bits.
type Rights uint8

// The rights of Service Bus. Whoever may manage may do everything.
const (
	RightListen Rights = 1 << iota
	RightSend
	rightManageOnly
	RightManage = rightManageOnly | RightSend | RightListen
)

// ParseRights reads rights by their names: Listen, Send and Manage in any case,
// joined by commas or plus signs.
func ParseRights(text string) (Rights, error) {
	var r Rights
	for _, name := range strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == '+' }) {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "listen":
			r |= RightListen
		case "send":
			r |= RightSend
		case "manage":
			r |= RightManage
		default:
			return 0, fmt.Errorf("right %q is unknown: use Listen, Send or Manage", name)
		}
	}
	if r == 0 {
		return 0, fmt.Errorf("no right is named: use Listen, Send or Manage")
	}
	return r, nil
}

func (r Rights) String() string {
	if r&rightManageOnly != 0 {
		return "Manage"
	}
	var names []string
	for _, n := range []struct {
		right Rights
		name  string
	}{{RightListen, "Listen"}, {RightSend, "Send"}} {
		if r&n.right != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ", ")
}

// Key is a shared access key.
type Key struct {
	Name, Value string
	// Entity is the queue or the topic that the key is good for; empty means all of
	// them. It must be there. The key becomes the primary one of its
	// AuthorizationRule with the name.
	Entity string
	// Rights are what it allows; 0 means RightManage.
	Rights Rights
}

// key returns the key with a name that is good for all entities, nil where there is
// none.
func (s *Server) key(name string) *Key {
	for i := range s.options.Keys {
		if k := &s.options.Keys[i]; k.Name == name && k.Entity == "" {
			return k
		}
	}
	return nil
}
