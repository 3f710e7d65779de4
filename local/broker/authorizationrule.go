package broker

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Bounds of authorization rules (Service Bus: access control with shared access
// signatures, and quotas).
const (
	maxAuthorizationRules = 12
	maxKeyLength          = 256
)

// AuthorizationRule holds two shared access keys of one name that are good for one
// queue or topic and what is below it. A topic's are good for its subscriptions.
type AuthorizationRule struct {
	// Name is unique in the entity.
	Name string
	// Rights are what the keys allow; 0 means RightManage.
	Rights Rights
	// PrimaryKey and SecondaryKey are the values of the keys. One that is empty stays
	// what it was, and is made up for a new rule.
	PrimaryKey, SecondaryKey string
}

// settleRules returns the rules that an entity has from now on, after the old ones.
func settleRules(given, old []AuthorizationRule) []AuthorizationRule {
	settled := slices.Clone(given)
	for i := range settled {
		r := &settled[i]
		if r.Rights == 0 {
			r.Rights = RightManage
		}
		var before AuthorizationRule
		if at := slices.IndexFunc(old, func(o AuthorizationRule) bool { return o.Name == r.Name }); at >= 0 {
			before = old[at]
		}
		for _, key := range []struct{ value, before *string }{{&r.PrimaryKey, &before.PrimaryKey}, {&r.SecondaryKey, &before.SecondaryKey}} {
			if *key.value == "" {
				*key.value = *key.before
			}
			if *key.value == "" {
				*key.value = newKeyValue()
			}
		}
	}
	return settled
}

// newKeyValue makes up a key as long as those of Service Bus.
func newKeyValue() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// validateRules reports every fault. It never shows a key.
func validateRules(rules []AuthorizationRule) []error {
	var faults []error
	if len(rules) > maxAuthorizationRules {
		faults = append(faults, fmt.Errorf("AuthorizationRules: there are %d, the most is %d", len(rules), maxAuthorizationRules))
	}
	named := make(map[string]bool)
	for _, r := range rules {
		fault := func(text string) { faults = append(faults, fmt.Errorf("AuthorizationRules: %q: %s", r.Name, text)) }
		if r.Name == "" || utf8.RuneCountInString(r.Name) > maxKeyLength {
			fault(fmt.Sprintf("the name must have 1 to %d characters", maxKeyLength))
		}
		if named[r.Name] {
			fault("the name is used twice")
		}
		named[r.Name] = true
		if r.Rights&^RightManage != 0 {
			fault("a right is unknown")
		}
		if r.Rights&rightManageOnly != 0 && r.Rights != RightManage {
			fault("Manage permission should also include Send and Listen.")
		}
		for _, key := range []string{r.PrimaryKey, r.SecondaryKey} {
			if utf8.RuneCountInString(key) > maxKeyLength {
				fault(fmt.Sprintf("a key has more than %d characters", maxKeyLength))
			}
		}
	}
	return faults
}

// keys returns the keys with a name that may be good for an address: those of the
// server, and those of the entity.
func (s *Server) keys(name string, a address) []Key {
	var keys []Key
	if k := s.key(name); k != nil {
		keys = append(keys, *k)
	}
	e, ok := s.catalog.find(a.entity)
	if !ok { // it may be a subscription that does not exist
		topic, _, _ := cutFold(a.entity, strings.TrimSuffix(subscriptions, "/"))
		if e, ok = s.catalog.find(topic); !ok {
			return keys
		}
	}
	if e.kind == kindSubscription {
		e = e.subscription.topic
	}
	for _, r := range e.described().AuthorizationRules {
		if r.Name == name {
			keys = append(keys,
				Key{Name: name, Value: r.PrimaryKey, Entity: e.path, Rights: r.Rights},
				Key{Name: name, Value: r.SecondaryKey, Entity: e.path, Rights: r.Rights})
		}
	}
	return keys
}
