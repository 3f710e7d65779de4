package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/filter"
	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// Topic describes a topic. What is sent to it goes to all its subscriptions that
// want it.
type Topic struct {
	// Name is matched without regard to case. It may contain slashes.
	Name string
	// The fields of the same names are as in a Queue. A topic is in use when one of
	// its subscriptions is, and its size is that of all of them.
	DefaultMessageTimeToLive            time.Duration
	RequiresDuplicateDetection          bool
	DuplicateDetectionHistoryTimeWindow time.Duration
	Status                              Status
	AutoDeleteOnIdle                    time.Duration
	MaxSizeInMegabytes                  int
	MaxMessageSizeInKilobytes           int
	EnablePartitioning                  bool
	AuthorizationRules                  []AuthorizationRule
	NoBatchedOperations, NoOrdering     bool
	EnableExpress                       bool
	UserMetadata                        string
	// Subscriptions are those that exist from the beginning.
	Subscriptions []Subscription
}

// Subscription describes a subscription of a topic. Its messages are received
// from <topic>/Subscriptions/<name> as from a queue; the fields of the same names
// are as in a Queue.
type Subscription struct {
	Name                             string
	LockDuration                     time.Duration
	MaxDeliveryCount                 int
	DeadLetteringOnMessageExpiration bool
	DefaultMessageTimeToLive         time.Duration
	RequiresSession                  bool
	ForwardTo                        string
	ForwardDeadLetteredMessagesTo    string
	Status                           Status
	AutoDeleteOnIdle                 time.Duration
	NoBatchedOperations              bool
	UserMetadata                     string
	// DeadLetteringOnFilterEvaluationExceptions puts a message for which a rule
	// can't be evaluated into the dead-letter queue. Otherwise the rule does not
	// match.
	DeadLetteringOnFilterEvaluationExceptions bool
	// Rules say which messages the subscription wants. With none of them there is
	// one named $Default, which wants all.
	Rules []Rule
}

// Rule describes a rule of a subscription. A message that meets one of the rules
// without an action comes once; for each rule with an action that it meets, a copy
// comes that the action has changed.
type Rule struct {
	Name string
	// SQL is the filter, unless there is a Correlation or Never is set, by which no
	// message meets the rule. Without any of them, every message does.
	SQL         string
	Correlation *CorrelationFilter
	Never       bool
	// Action is SET and REMOVE statements; empty changes nothing.
	Action string
	// Parameters are the values of @name in SQL, and ActionParameters those in
	// Action: strings, numbers, booleans, time.Time or time.Duration.
	Parameters, ActionParameters map[string]any
}

// CorrelationFilter wants messages that have all the values that are set; nil is no
// condition.
type CorrelationFilter struct {
	ContentType, CorrelationID, Label, MessageID, ReplyTo, ReplyToSessionID, SessionID, To *string
	// Properties are values of application properties, of the types of parameters.
	Properties map[string]any
}

func (c *CorrelationFilter) properties() map[string]any {
	if c == nil {
		return nil
	}
	return c.Properties
}

const (
	defaultRuleName = "$Default"
	maxRuleName     = 50
	subscriptions   = "/Subscriptions/"
	rulesSegment    = "/Rules/"
)

// queue is the topic as the queue that takes what is sent. It keeps what is
// scheduled, and passes on all else.
func (t Topic) queue() Queue {
	return Queue{
		Name: t.Name, DefaultMessageTimeToLive: t.DefaultMessageTimeToLive, RequiresDuplicateDetection: t.RequiresDuplicateDetection,
		DuplicateDetectionHistoryTimeWindow: t.DuplicateDetectionHistoryTimeWindow, Status: t.Status, UserMetadata: t.UserMetadata,
		AutoDeleteOnIdle: t.AutoDeleteOnIdle, MaxSizeInMegabytes: t.MaxSizeInMegabytes, MaxMessageSizeInKilobytes: t.MaxMessageSizeInKilobytes,
		NoBatchedOperations: t.NoBatchedOperations, NoOrdering: t.NoOrdering, EnableExpress: t.EnableExpress,
		EnablePartitioning: t.EnablePartitioning, AuthorizationRules: t.AuthorizationRules,
	}
}

// queue is the subscription as a queue.
func (d Subscription) queue(topic string) Queue {
	return Queue{
		Name: topic + subscriptions + d.Name, LockDuration: d.LockDuration, MaxDeliveryCount: d.MaxDeliveryCount,
		DeadLetteringOnMessageExpiration: d.DeadLetteringOnMessageExpiration, DefaultMessageTimeToLive: d.DefaultMessageTimeToLive,
		RequiresSession: d.RequiresSession, ForwardTo: d.ForwardTo, ForwardDeadLetteredMessagesTo: d.ForwardDeadLetteredMessagesTo,
		Status: d.Status, UserMetadata: d.UserMetadata,
		AutoDeleteOnIdle: d.AutoDeleteOnIdle, NoBatchedOperations: d.NoBatchedOperations,
	}
}

// rule is a rule that is ready to be asked.
type rule struct {
	description Rule
	folded      string // its name
	created     time.Time
	filter      filter.Filter
	action      *filter.Action // nil for none
}

func newRule(d Rule, now time.Time) (*rule, error) {
	if d.Name == "" || len(d.Name) > maxRuleName || strings.ContainsAny(d.Name, "/\\?#@") || !showable(d.Name) {
		return nil, fmt.Errorf("rule %q: the name must have 1 to %d characters, and none of / \\ ? # @ or control characters", d.Name, maxRuleName)
	}
	for _, values := range []map[string]any{d.Parameters, d.ActionParameters, d.Correlation.properties()} {
		for name, v := range values {
			if _, _, ok := atomValueOf(v); !ok {
				return nil, fmt.Errorf("rule %q: the value of %q has a type that is not supported", d.Name, name)
			}
		}
	}
	if err := d.checkValues(); err != nil {
		return nil, fmt.Errorf("rule %q: %w", d.Name, err)
	}
	r := &rule{description: d, folded: strings.ToLower(d.Name), created: now, filter: filter.True}
	var err error
	switch {
	case d.Correlation != nil && d.SQL != "", d.Never && (d.Correlation != nil || d.SQL != ""):
		return nil, fmt.Errorf("rule %q: SQL, Correlation and Never exclude each other", d.Name)
	case d.Never:
		r.filter = filter.False
	case d.Correlation != nil:
		r.filter = filter.Correlation(*d.Correlation).Filter()
	case d.SQL != "":
		if r.filter, err = filter.ParseSQL(d.SQL, d.Parameters); err != nil {
			return nil, fmt.Errorf("rule %q: %w", d.Name, err)
		}
	}
	if d.Action != "" {
		if r.action, err = filter.ParseAction(d.Action, d.ActionParameters); err != nil {
			return nil, fmt.Errorf("rule %q: %w", d.Name, err)
		}
	}
	return r, nil
}

// subscribed is what only a subscription has.
type subscribed struct {
	topic     *entity
	name      string
	buryFault bool    // DeadLetteringOnFilterEvaluationExceptions
	rules     []*rule // by folded name, as every message meets them; never changed, only replaced
}

// findRule returns where the rule with a name in any case stands, or would.
func findRule(rules []*rule, name string) (int, bool) {
	return slices.BinarySearchFunc(rules, strings.ToLower(name), func(r *rule, folded string) int { return strings.Compare(r.folded, folded) })
}

// rules returns the rules of a subscription, sorted by name.
func (e *entity) rules() []*rule {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.subscription.rules
}

// rule returns the rule of a subscription with a name in any case.
func (e *entity) rule(name string) (*rule, bool) {
	rules := e.rules()
	i, ok := findRule(rules, name)
	if !ok {
		return nil, false
	}
	return rules[i], true
}

// buriesFaults tells whether a subscription makes dead letters of messages for
// which a rule fails.
func (e *entity) buriesFaults() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.subscription.buryFault
}

// publish returns what gives a message to the subscriptions of a topic.
func (e *entity) publish(now time.Time, p queue.Passed) error {
	m, err := newOffer(p, now, e.described().placement())
	if err != nil {
		return err
	}
	for _, s := range e.subscriptions() {
		s.offered(now, m)
	}
	return nil
}

// subscriptions returns those of a topic, sorted by name.
func (e *entity) subscriptions() []*entity {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sorted
}

// offered takes the copies of a message that the subscription wants.
func (e *entity) offered(now time.Time, m *offer) {
	plain := false
	var faults []error
	for _, r := range e.rules() {
		wanted, err := r.filter.Matches(&m.message)
		if err != nil {
			faults = append(faults, err)
		}
		switch {
		case !wanted:
		case r.action == nil:
			plain = true
		default:
			copied, err := m.changed(r)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			e.receive(now, copied)
		}
	}
	switch {
	case plain:
		e.receive(now, m.item)
	case faults != nil && e.buriesFaults():
		e.queue.Bury(now, m.item, "FilterEvaluationException", clip(errors.Join(faults...).Error()))
	}
}

// receive enqueues a message that the subscription wants. The time to live of the
// topic bounds that of the subscription.
func (e *entity) receive(now time.Time, item queue.Item) {
	if bound := e.subscription.topic.described().DefaultMessageTimeToLive; bound > 0 && (item.TimeToLive == 0 || item.TimeToLive > bound) {
		item.TimeToLive = bound
	}
	if err := e.queue.Arrive(now, item); errors.Is(err, queue.ErrSessionNeeded) {
		e.queue.Bury(now, item, errSessionNull.Reason, errSessionNull.Description)
	}
}
