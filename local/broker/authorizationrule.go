package broker

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
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

// addEntityKeys makes rules of the keys that the options have for single entities. The
// error names every key whose entity is not there.
func (s *Server) addEntityKeys() error {
	var faults []error
	for _, k := range s.options.Keys {
		if k.Entity == "" {
			continue
		}
		e, ok := s.catalog.find(strings.ToLower(k.Entity))
		if !ok || e.kind == kindSubscription {
			faults = append(faults, fmt.Errorf("key %q: %q is no queue and no topic: %w", k.Name, k.Entity, ErrUnknownEntity))
			continue
		}
		q := e.described()
		q.AuthorizationRules = slices.Clone(q.AuthorizationRules)
		r := AuthorizationRule{Name: k.Name, Rights: k.Rights, PrimaryKey: k.Value}
		if at := slices.IndexFunc(q.AuthorizationRules, func(old AuthorizationRule) bool { return old.Name == k.Name }); at >= 0 {
			q.AuthorizationRules[at] = r
		} else {
			q.AuthorizationRules = append(q.AuthorizationRules, r)
		}
		if err := s.update(e, q); err != nil {
			faults = append(faults, fmt.Errorf("key %q: %w", k.Name, err))
		}
	}
	return errors.Join(faults...)
}
