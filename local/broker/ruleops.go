package broker

import (
	"errors"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file holds the operations of $management on the rules of a subscription.

// maxRulesPage is how many rules a reply tells of at most.
const maxRulesPage = 100

// subscribed refuses what only a subscription has.
func (m management) subscribed() error {
	if m.entity.kind != kindSubscription || m.address.deadLetter {
		return refuse(wire.CondNotAllowed, "only a subscription has rules")
	}
	return nil
}

// ruleError tells of a rule by its path, in the words that clients look for.
func (m management) ruleError(name string, err error) error {
	path := m.entity.path + rulesSegment + name
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrEntityExists):
		return toldError{exists(path), ErrEntityExists}
	case errors.Is(err, ErrUnknownEntity):
		return toldError{notFound(path), ErrUnknownEntity}
	case errors.Is(err, ErrQuotaExceeded):
		return err
	}
	if fault := m.conn.server.diskFails(); fault != nil {
		return fault
	}
	return argumentError{err.Error()}
}

// toldError is an error with a text for the peer.
type toldError struct {
	text  string
	cause error
}

func (e toldError) Error() string { return e.text }
func (e toldError) Unwrap() error { return e.cause }

func (m management) addRule(_ request, args wire.Map) (any, error) {
	if err := m.subscribed(); err != nil {
		return nil, err
	}
	rule, err := parseRule(args)
	if err != nil {
		return nil, err
	}
	sub := m.entity.subscription
	if err := m.conn.server.createRule(sub.topic.path, sub.name, rule); err != nil {
		return nil, m.ruleError(rule.Name, err)
	}
	return done, nil
}

func (m management) removeRule(_ request, args wire.Map) (any, error) {
	if err := m.subscribed(); err != nil {
		return nil, err
	}
	name, ok := text(args, argRuleName)
	if !ok {
		return nil, argumentError{"rule-name must be a string"}
	}
	sub := m.entity.subscription
	if err := m.conn.server.deleteRule(sub.topic.path, sub.name, name); err != nil {
		return nil, m.ruleError(name, err)
	}
	return done, nil
}

// enumerateRules returns a page of rules, nil when there is none.
func (m management) enumerateRules(_ request, args wire.Map) (any, error) {
	if err := m.subscribed(); err != nil {
		return nil, err
	}
	skip, top, err := pageOf(args)
	if err != nil {
		return nil, err
	}
	rules := m.entity.rules()
	rules = rules[min(skip, int64(len(rules))):]
	rules = rules[:min(top, maxRulesPage, int64(len(rules)))]
	if len(rules) == 0 {
		return nil, nil
	}
	list := make(wire.List, len(rules))
	for i, r := range rules {
		list[i] = wire.Map{{Key: "rule-description", Value: encodeRule(r)}}
	}
	return wire.Map{{Key: "rules", Value: list}}, nil
}
