package broker

import (
	"errors"
	"fmt"
)

// ErrQuotaExceeded is returned for an entity or a rule of which there are as many as
// Service Bus has (Service Bus quotas).
var ErrQuotaExceeded = errors.New("broker: quota exceeded")

const (
	maxEntities           = 10_000  // queues and topics of a namespace
	maxSubscriptions      = 2_000   // of a topic
	maxSQLFilters         = 2_000   // of a topic, with those that want all or nothing
	maxCorrelationFilters = 100_000 // of a topic
	// maxRuleValues is how many bytes the values of a rule take that are not in its
	// expressions.
	maxRuleValues = 32 << 10
)

// checkEntities refuses an entity beyond the quota. The caller holds Server.making.
func (s *Server) checkEntities(e *entity) error {
	if sub := e.subscription; sub != nil {
		if n := len(sub.topic.subscriptions()); n >= maxSubscriptions {
			return fmt.Errorf("create %q: %w: topic %q has %d subscriptions", e.path, ErrQuotaExceeded, sub.topic.path, n)
		}
		return nil
	}
	if n := s.catalog.count(kindQueue, kindTopic); n >= maxEntities {
		return fmt.Errorf("create %q: %w: there are %d queues and topics", e.path, ErrQuotaExceeded, n)
	}
	return nil
}

// checkRules refuses more rules than a topic may have.
func checkRules(topic *entity, more []*rule) error {
	sql, correlation := countFilters(topic.subscriptions())
	c, s := countRules(more)
	correlation, sql = correlation+c, sql+s
	if correlation > maxCorrelationFilters || sql > maxSQLFilters {
		return fmt.Errorf("%w: topic %q would have %d correlation filters and %d other filters", ErrQuotaExceeded, topic.path, correlation, sql)
	}
	return nil
}

func countRules(rules []*rule) (correlation, sql int) {
	for _, r := range rules {
		if r.description.Correlation != nil {
			correlation++
		}
	}
	return correlation, len(rules) - correlation
}

// checkValues refuses a rule whose values are too large to be compared with every
// message.
func (d Rule) checkValues() error {
	size := 0
	for _, values := range []map[string]any{d.Parameters, d.ActionParameters, d.Correlation.properties()} {
		b, err := amqpMap(values)
		if err != nil {
			return err
		}
		size += len(b)
	}
	if d.Correlation != nil {
		for _, f := range correlationFields(d.Correlation) {
			if *f.value != nil {
				size += len(**f.value)
			}
		}
	}
	if size > maxRuleValues {
		return fmt.Errorf("the values have %d bytes: the most is %d", size, maxRuleValues)
	}
	return nil
}
