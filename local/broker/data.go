package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file keeps what entities there are, and finds them again.

// savedEntity is an entity as it is kept. A topic's subscriptions are entities of
// their own.
type savedEntity struct {
	Kind             kind
	Created, Updated time.Time
	Queue            Queue
	// The rest is of a subscription.
	Topic     string      `json:",omitempty"`
	Name      string      `json:",omitempty"`
	BuryFault bool        `json:",omitempty"`
	Rules     []savedRule `json:",omitempty"`
}

// savedRule is a Rule. Values whose AMQP types JSON would lose are kept as AMQP.
type savedRule struct {
	Rule
	Created                                              time.Time
	AMQPParameters, AMQPActionParameters, AMQPProperties []byte `json:",omitempty"`
}

func saveRule(r Rule) (savedRule, error) {
	s := savedRule{Rule: r}
	var err error
	if s.AMQPParameters, err = amqpMap(r.Parameters); err != nil {
		return savedRule{}, err
	}
	if s.AMQPActionParameters, err = amqpMap(r.ActionParameters); err != nil {
		return savedRule{}, err
	}
	s.Parameters, s.ActionParameters = nil, nil
	if r.Correlation != nil {
		c := *r.Correlation
		if s.AMQPProperties, err = amqpMap(c.Properties); err != nil {
			return savedRule{}, err
		}
		c.Properties = nil
		s.Correlation = &c
	}
	return s, nil
}

func (s savedRule) rule() (Rule, error) {
	r := s.Rule
	var err error
	if r.Parameters, err = goMap(s.AMQPParameters); err != nil {
		return Rule{}, err
	}
	if r.ActionParameters, err = goMap(s.AMQPActionParameters); err != nil {
		return Rule{}, err
	}
	if r.Correlation != nil {
		if r.Correlation.Properties, err = goMap(s.AMQPProperties); err != nil {
			return Rule{}, err
		}
	}
	return r, nil
}

// The descriptors of values that AMQP has no type for.
const (
	describedTime     wire.Symbol = "muster:time"
	describedDuration wire.Symbol = "muster:duration"
	describedInt      wire.Symbol = "muster:int" // which is shown by its size
)

func amqpMap(m map[string]any) ([]byte, error) {
	if m == nil {
		return nil, nil
	}
	pairs := underlay(m)
	for i := range pairs {
		switch v := pairs[i].Value.(type) {
		case time.Time:
			_, text, _ := formatDateTime(v)
			pairs[i].Value = wire.Described{Descriptor: describedTime, Value: text}
		case time.Duration:
			pairs[i].Value = wire.Described{Descriptor: describedDuration, Value: int64(v)}
		case int:
			pairs[i].Value = wire.Described{Descriptor: describedInt, Value: int64(v)}
		}
	}
	return wire.AppendValue(nil, pairs)
}

func goMap(b []byte) (map[string]any, error) {
	if b == nil {
		return nil, nil
	}
	v, _, err := wire.DecodeValue(b)
	if err != nil {
		return nil, err
	}
	pairs, _ := v.(wire.Map)
	m := overlay(pairs)
	for name, v := range m {
		d, _ := v.(wire.Described)
		switch d.Descriptor {
		case describedTime:
			text, _ := d.Value.(string)
			if m[name], err = parseDateTime(text); err != nil {
				return nil, fmt.Errorf("read time: %w", err)
			}
		case describedDuration:
			n, _ := d.Value.(int64)
			m[name] = time.Duration(n)
		case describedInt:
			n, _ := d.Value.(int64)
			m[name] = int(n)
		}
	}
	return m, nil
}

// save keeps the entity as it is now; the caller holds its mutex, or is alone with
// it. Without a store it does nothing. The error is most often store.ErrRefused.
func (s *Server) save(e *entity) error {
	if s.store == nil {
		return nil
	}
	if err := s.store.Err(); err != nil {
		return fmt.Errorf("keep %s %q: %w", e.kind, e.path, err)
	}
	saved := savedEntity{Kind: e.kind, Created: e.created, Updated: e.updated, Queue: e.description}
	if sub := e.subscription; sub != nil {
		saved.Topic, saved.Name, saved.BuryFault = sub.topic.path, sub.name, sub.buryFault
		for _, r := range sub.rules {
			rule, err := saveRule(r.description)
			if err != nil {
				return fmt.Errorf("keep rule %q: %w", r.description.Name, err)
			}
			rule.Created = r.created
			saved.Rules = append(saved.Rules, rule)
		}
	}
	body, err := json.Marshal(saved)
	if err != nil {
		return fmt.Errorf("keep %s %q: %w", e.kind, e.path, err)
	}
	if e.kept != nil {
		e.kept.Describe(body)
		return nil
	}
	e.kept = s.store.Create(e.path, body)
	return nil
}

// kept waits until what was done to entities is on disk, and returns err or else why
// it may not get there. An error rests on what others have done as much as success
// does.
func (s *Server) kept(err error) error {
	if s.store == nil {
		return err
	}
	if waited := s.store.Wait(s.stop, s.store.Described()); err == nil {
		return waited
	}
	return err
}

// restore makes the entities that the store has kept, topics before their
// subscriptions.
func (s *Server) restore() error {
	kept := s.store.Entities()
	saved := make([]savedEntity, len(kept))
	for i, k := range kept {
		if err := json.Unmarshal(k.Body(), &saved[i]); err != nil {
			return fmt.Errorf("restore %s: %w", k.Path(), err)
		}
	}
	for _, subscriptions := range []bool{false, true} {
		for i, k := range kept {
			if (saved[i].Kind == kindSubscription) == subscriptions {
				if err := s.restoreEntity(k, saved[i]); err != nil {
					return fmt.Errorf("restore %s: %w", k.Path(), err)
				}
			}
		}
	}
	return nil
}

func (s *Server) restoreEntity(k *store.Entity, d savedEntity) error {
	e := newEntity(s, d.Kind, d.Queue)
	e.kept, e.created, e.updated = k, d.Created, d.Updated
	if d.Kind == kindSubscription {
		t, err := s.catalog.findKind(kindTopic, d.Topic)
		if err != nil {
			return err
		}
		rules := make([]Rule, len(d.Rules))
		for i := range rules {
			if rules[i], err = d.Rules[i].rule(); err != nil {
				return err
			}
		}
		if err := e.subscribe(t, d.Name, d.BuryFault, rules); err != nil {
			return err
		}
		for _, saved := range d.Rules {
			if r, ok := e.rule(saved.Name); ok {
				r.created = saved.Created
			}
		}
		defer t.enlist(e)
	}
	now := s.options.Now()
	content, err := k.Saved(now)
	if err != nil {
		return err
	}
	e.queue = queue.New(e.config(s, d.Queue))
	if err := e.queue.Restore(now, content); err != nil {
		return err
	}
	return s.open(e)
}

// configure makes the entities of the options. One that the store has kept gets
// the description of the options, but for what can't change.
func (s *Server) configure() error {
	s.configuring = true
	defer func() { s.configuring = false }()
	if err := s.forwardsOfOptions(); err != nil {
		return err
	}
	for _, q := range s.options.Queues {
		err := s.createQueue(q)
		if errors.Is(err, ErrEntityExists) && s.store != nil {
			q.AuthorizationRules = s.rulesAfter(q.AuthorizationRules, q.Name)
			err = s.updateQueue(q)
		}
		if err != nil {
			return err
		}
	}
	for _, t := range s.options.Topics {
		err := s.createTopic(t)
		if errors.Is(err, ErrEntityExists) && s.store != nil {
			err = s.reconfigure(t)
		}
		if err != nil {
			return err
		}
	}
	return s.addEntityKeys()
}

// forwardsOfOptions names every target of forwarding that is not there.
func (s *Server) forwardsOfOptions() error {
	var faults []error
	for _, q := range s.options.Queues {
		faults = append(faults, s.targets(kindQueue, q)...)
	}
	for _, t := range s.options.Topics {
		for _, d := range t.Subscriptions {
			faults = append(faults, s.targets(kindSubscription, d.queue(t.Name))...)
		}
	}
	return errors.Join(faults...)
}

// rulesAfter returns the authorization rules that an entity which the store has kept
// is given: those of the options or, where they have none, its own.
func (s *Server) rulesAfter(given []AuthorizationRule, path string) []AuthorizationRule {
	if e, ok := s.catalog.find(strings.ToLower(path)); ok && given == nil {
		return e.described().AuthorizationRules
	}
	return given
}

// reconfigure updates a topic and its subscriptions, and makes those that are not
// there. Rules stay as they are: clients add and remove them, and what they did must
// outlive the process.
func (s *Server) reconfigure(t Topic) error {
	t.AuthorizationRules = s.rulesAfter(t.AuthorizationRules, t.Name)
	if err := s.updateTopic(t); err != nil {
		return err
	}
	for _, d := range t.Subscriptions {
		err := s.createSubscription(t.Name, d)
		if errors.Is(err, ErrEntityExists) {
			err = s.updateSubscription(t.Name, d)
			if err == nil && !s.hasRules(t.Name, d) {
				s.options.Logger.Warn("a subscription that is there already keeps its rules, and not those that it is configured with",
					"subscription", t.Name+subscriptions+d.Name)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// hasRules tells whether a subscription has the rules that the options name for it, if
// they name any.
func (s *Server) hasRules(topic string, d Subscription) bool {
	e, ok := s.catalog.find(strings.ToLower(topic + subscriptions + d.Name))
	if !ok || len(d.Rules) == 0 {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	want := slices.Clone(d.Rules)
	slices.SortFunc(want, func(a, b Rule) int { return compareFold(a.Name, b.Name) })
	return slices.EqualFunc(e.subscription.rules, want, func(r *rule, d Rule) bool { return sameRule(r.description, d) })
}

// sameRule compares rules as they are kept, where the values of both have the same
// types.
func sameRule(a, b Rule) bool {
	x, err := saveRule(a)
	y, other := saveRule(b)
	return err == nil && other == nil && reflect.DeepEqual(x, y)
}
