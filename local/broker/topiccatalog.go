package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// CreateTopic makes a topic with its subscriptions, or none of them. The error names
// every fault of the description, or is ErrEntityExists or ErrQuotaExceeded.
func (s *Server) CreateTopic(t Topic) error { return s.kept(s.createTopic(t)) }

func (s *Server) createTopic(t Topic) error {
	faults := t.validate()
	if faults != nil {
		return fmt.Errorf("create topic: %w", errors.Join(faults...))
	}
	e := newEntity(s, kindTopic, t.queue().withDefaults())
	if err := s.make(e); err != nil {
		return err
	}
	for _, d := range t.Subscriptions {
		if err := s.createSubscription(t.Name, d); err != nil {
			faults = append(faults, err)
		}
	}
	if faults != nil {
		s.remove(e)
	}
	return errors.Join(faults...)
}

func (t Topic) validate() []error {
	faults := t.queue().withDefaults().validate(kindTopic)
	named := make(map[string]bool, len(t.Subscriptions))
	for _, d := range t.Subscriptions {
		faults = append(faults, d.validate(t.Name)...)
		folded := strings.ToLower(d.Name)
		if named[folded] {
			faults = append(faults, fmt.Errorf("subscription %q: the name is used twice", d.Name))
		}
		named[folded] = true
	}
	return faults
}

// UpdateTopic changes a topic, and not its subscriptions, as UpdateQueue does a
// queue.
func (s *Server) UpdateTopic(t Topic) error { return s.kept(s.updateTopic(t)) }

func (s *Server) updateTopic(t Topic) error {
	e, err := s.catalog.findKind(kindTopic, t.Name)
	if err != nil {
		return fmt.Errorf("update %w", err)
	}
	return s.update(e, t.queue())
}

// DeleteTopic ends a topic and its subscriptions. The error is nil or
// ErrUnknownEntity.
func (s *Server) DeleteTopic(name string) error { return s.kept(s.delete(kindTopic, name)) }

func (d Subscription) validate(topic string) []error {
	faults := d.queue(topic).withDefaults().validate(kindSubscription)
	if d.Name == "" || len(d.Name) > maxRuleName || strings.Contains(d.Name, "/") {
		faults = append(faults, fmt.Errorf("subscription %q: the name must have 1 to %d characters, and no slash", d.Name, maxRuleName))
	}
	_, err := newRules(d.Rules, time.Time{})
	if err != nil {
		faults = append(faults, fmt.Errorf("subscription %q: %w", d.Name, err))
	}
	return faults
}

// newRules makes the rules of a subscription ready.
func newRules(descriptions []Rule, now time.Time) ([]*rule, error) {
	var rules []*rule
	var faults []error
	named := make(map[string]bool, len(descriptions))
	for _, d := range descriptions {
		r, err := newRule(d, now)
		folded := strings.ToLower(d.Name)
		if named[folded] {
			err = fmt.Errorf("rule %q: the name is used twice", d.Name)
		}
		named[folded] = true
		faults = append(faults, err)
		if err == nil {
			rules = append(rules, r)
		}
	}
	slices.SortFunc(rules, func(a, b *rule) int { return strings.Compare(a.folded, b.folded) })
	return rules, errors.Join(faults...)
}

// withRule adds a rule to others. The error is ErrEntityExists.
func withRule(rules []*rule, r *rule) ([]*rule, error) {
	i, taken := findRule(rules, r.folded)
	if taken {
		return rules, ErrEntityExists
	}
	return slices.Insert(slices.Clip(rules), i, r), nil
}

// CreateSubscription makes a subscription of a topic. The error names every fault
// of the description, or is ErrUnknownEntity, ErrEntityExists or ErrQuotaExceeded.
func (s *Server) CreateSubscription(topic string, d Subscription) error {
	return s.kept(s.createSubscription(topic, d))
}

func (s *Server) createSubscription(topic string, d Subscription) error {
	t, err := s.catalog.findKind(kindTopic, topic)
	if err != nil {
		return fmt.Errorf("create subscription of %w", err)
	}
	if faults := append(d.validate(t.path), s.targets(kindSubscription, d.queue(t.path))...); faults != nil {
		return fmt.Errorf("create subscription: %w", errors.Join(faults...))
	}
	e := newEntity(s, kindSubscription, d.queue(t.path).withDefaults())
	rules := d.Rules
	if len(rules) == 0 {
		rules = []Rule{{Name: defaultRuleName}}
	}
	if err := e.subscribe(t, d.Name, d.DeadLetteringOnFilterEvaluationExceptions, rules); err != nil {
		return fmt.Errorf("create subscription: %w", err)
	}
	if err := checkRules(t, e.subscription.rules); err != nil {
		return fmt.Errorf("create subscription: %w", err)
	}
	return s.make(e)
}

// subscribe makes an entity that has no queue yet a subscription of a topic.
func (e *entity) subscribe(t *entity, name string, buryFault bool, descriptions []Rule) error {
	rules, err := newRules(descriptions, e.created)
	if err != nil {
		return err
	}
	e.subscription = &subscribed{topic: t, name: name, buryFault: buryFault, rules: rules}
	return nil
}

// enlist has a topic give messages to a subscription.
func (e *entity) enlist(sub *entity) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sorted = append(slices.Clone(e.sorted), sub)
	slices.SortFunc(e.sorted, func(a, b *entity) int { return strings.Compare(a.path, b.path) })
}

// UpdateSubscription changes a subscription, and not its rules, as UpdateQueue
// does a queue.
func (s *Server) UpdateSubscription(topic string, d Subscription) error {
	return s.kept(s.updateSubscription(topic, d))
}

func (s *Server) updateSubscription(topic string, d Subscription) error {
	e, err := s.catalog.findKind(kindSubscription, topic+subscriptions+d.Name)
	if err != nil {
		return fmt.Errorf("update %w", err)
	}
	if err := s.update(e, d.queue(topic)); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	old, before := e.subscription.buryFault, e.updated
	if old == d.DeadLetteringOnFilterEvaluationExceptions {
		return nil
	}
	e.subscription.buryFault, e.updated = d.DeadLetteringOnFilterEvaluationExceptions, s.options.Now()
	if err := s.save(e); err != nil {
		e.subscription.buryFault, e.updated = old, before
		return err
	}
	e.detach(refuse(wire.CondDetachForced, "The entity '%s' was updated.", e.path))
	return nil
}

// DeleteSubscription ends a subscription. The error is nil or ErrUnknownEntity.
func (s *Server) DeleteSubscription(topic, name string) error {
	return s.kept(s.delete(kindSubscription, topic+subscriptions+name))
}

// forget takes a subscription out of its topic.
func (e *entity) forget(sub *entity) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sorted = slices.DeleteFunc(slices.Clone(e.sorted), func(other *entity) bool { return other == sub })
}

// CreateRule adds a rule to a subscription. The error says what is wrong with it,
// or is ErrUnknownEntity, ErrEntityExists or ErrQuotaExceeded.
func (s *Server) CreateRule(topic, subscription string, d Rule) error {
	return s.kept(s.createRule(topic, subscription, d))
}

func (s *Server) createRule(topic, subscription string, d Rule) error {
	r, err := newRule(d, s.options.Now())
	if err != nil {
		return fmt.Errorf("create rule: %w", err)
	}
	if t, err := s.catalog.findKind(kindTopic, topic); err == nil {
		if err := checkRules(t, []*rule{r}); err != nil {
			return fmt.Errorf("create rule %q: %w", d.Name, err)
		}
	}
	return s.changeRules(topic, subscription, func(rules []*rule) ([]*rule, error) {
		rules, err := withRule(rules, r)
		if err != nil {
			return nil, fmt.Errorf("create rule %q: %w", d.Name, err)
		}
		return rules, nil
	})
}

// UpdateRule replaces a rule of a subscription. The error says what is wrong with it,
// or is ErrUnknownEntity.
func (s *Server) UpdateRule(topic, subscription string, d Rule) error {
	return s.kept(s.updateRule(topic, subscription, d))
}

func (s *Server) updateRule(topic, subscription string, d Rule) error {
	r, err := newRule(d, s.options.Now())
	if err != nil {
		return fmt.Errorf("update rule: %w", err)
	}
	return s.changeRules(topic, subscription, func(rules []*rule) ([]*rule, error) {
		i, ok := findRule(rules, d.Name)
		if !ok {
			return nil, fmt.Errorf("update rule %q: %w", d.Name, ErrUnknownEntity)
		}
		r.created, r.description.Name = rules[i].created, rules[i].description.Name
		rules = slices.Clone(rules)
		rules[i] = r
		return rules, nil
	})
}

// DeleteRule removes a rule from a subscription, which wants nothing by it any
// more. The error is nil or ErrUnknownEntity.
func (s *Server) DeleteRule(topic, subscription, name string) error {
	return s.kept(s.deleteRule(topic, subscription, name))
}

func (s *Server) deleteRule(topic, subscription, name string) error {
	return s.changeRules(topic, subscription, func(rules []*rule) ([]*rule, error) {
		i, ok := findRule(rules, name)
		if !ok {
			return nil, fmt.Errorf("delete rule %q: %w", name, ErrUnknownEntity)
		}
		return slices.Delete(slices.Clone(rules), i, i+1), nil
	})
}

func (s *Server) changeRules(topic, subscription string, change func([]*rule) ([]*rule, error)) error {
	e, err := s.catalog.findKind(kindSubscription, topic+subscriptions+subscription)
	if err != nil {
		return fmt.Errorf("change rules of %w", err)
	}
	e.use(e.now())
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.subscription.rules
	rules, err := change(old)
	if err != nil {
		return err
	}
	e.subscription.rules = rules
	if err := s.save(e); err != nil {
		e.subscription.rules = old
		return err
	}
	return nil
}
