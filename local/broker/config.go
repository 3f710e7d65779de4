package broker

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/tailscale/hujson"
)

// Defaults of a configuration, which are not those of Service Bus (Service Bus
// emulator, Config-schema.json).
const (
	configTimeToLive       = time.Hour
	configMaxDeliveryCount = 3
	configDuplicateWindow  = 20 * time.Second
)

// ReadConfig reads the config.json of Microsoft's Service Bus emulator: queues, and
// topics with their subscriptions and rules. Comments and trailing commas are
// allowed. What the file leaves out is as in that emulator: a message lives for one
// hour and is delivered three times, and a lock holds for one minute. The name of
// the namespace and the Logging mean nothing here.
//
// The error names every fault with its line and column: members that are unknown or
// stand twice, wrong values, rules that can't be parsed, entities to forward to that
// the file does not have.
func ReadConfig(from io.Reader) (Options, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxConfigSize+1))
	if err != nil {
		return Options{}, fmt.Errorf("read configuration: %w", err)
	}
	if len(text) > maxConfigSize {
		return Options{}, fmt.Errorf("read configuration: it is larger than %d MiB", maxConfigSize>>20)
	}
	r := &configEntities{configReader: configReader{text: bytes.TrimPrefix(text, []byte("\uFEFF"))}, named: make(map[string]bool)}
	root, err := r.parse()
	if err != nil {
		return Options{}, fmt.Errorf("read configuration: %w", err)
	}
	r.root(&root)
	for _, f := range r.forwards {
		if !r.named[strings.ToLower(f.to)] {
			r.fault(f.path, f.at, "there is no queue and no topic %q", f.to)
		}
	}
	if err := r.err(); err != nil {
		return Options{}, fmt.Errorf("read configuration:\n%w", err)
	}
	return r.options, nil
}

// configEntities reads the entities of a configuration into options.
type configEntities struct {
	configReader
	options  Options
	named    map[string]bool // folded names of queues and topics
	forwards []configForward
}

// configForward is a name that may be that of an entity further down.
type configForward struct {
	path, to string
	at       *hujson.Value
}

func (r *configEntities) root(v *hujson.Value) {
	found := false
	r.object(map[string]configRead{
		"$schema": ignored,
		"UserConfig": r.object(map[string]configRead{
			"Namespaces": func(path string, v *hujson.Value) {
				found = true
				if array, ok := v.Value.(*hujson.Array); ok && len(array.Elements) != 1 {
					r.fault(path, v, "must have one namespace, and has %d", len(array.Elements))
				}
				r.elements(r.namespace)(path, v)
			},
			"Logging": r.object(map[string]configRead{"Type": r.string(new(string))}),
		}),
	})("", v)
	if !found && len(r.faults) == 0 {
		r.fault("", v, "there are no UserConfig.Namespaces")
	}
}

func (r *configEntities) namespace(path string, v *hujson.Value) {
	r.object(map[string]configRead{
		"Name": r.string(new(string)), "Queues": r.elements(r.queue), "Topics": r.elements(r.topic),
	})(path, v)
}

func (r *configEntities) queue(path string, v *hujson.Value) {
	q := Queue{DefaultMessageTimeToLive: configTimeToLive, MaxDeliveryCount: configMaxDeliveryCount, DuplicateDetectionHistoryTimeWindow: configDuplicateWindow}
	r.object(map[string]configRead{
		"Name": r.string(&q.Name),
		"Properties": r.object(map[string]configRead{
			"DeadLetteringOnMessageExpiration":    r.bool(&q.DeadLetteringOnMessageExpiration),
			"DefaultMessageTimeToLive":            r.duration(&q.DefaultMessageTimeToLive),
			"DuplicateDetectionHistoryTimeWindow": r.bounded(&q.DuplicateDetectionHistoryTimeWindow),
			"ForwardDeadLetteredMessagesTo":       r.forward(&q.ForwardDeadLetteredMessagesTo),
			"ForwardTo":                           r.forward(&q.ForwardTo),
			"LockDuration":                        r.bounded(&q.LockDuration),
			"MaxDeliveryCount":                    r.count(&q.MaxDeliveryCount),
			"RequiresDuplicateDetection":          r.bool(&q.RequiresDuplicateDetection),
			"RequiresSession":                     r.bool(&q.RequiresSession),
		}),
	})(path, v)
	r.entity(path, v, q.Name, q.withDefaults().validate(kindQueue))
	r.options.Queues = append(r.options.Queues, q)
}

func (r *configEntities) topic(path string, v *hujson.Value) {
	t := Topic{DefaultMessageTimeToLive: configTimeToLive, DuplicateDetectionHistoryTimeWindow: configDuplicateWindow}
	taken := make(map[string]bool)
	var later []func() // what is wrong with a subscription is told with the name of its topic
	r.object(map[string]configRead{
		"Name": r.string(&t.Name),
		"Properties": r.object(map[string]configRead{
			"DefaultMessageTimeToLive":            r.duration(&t.DefaultMessageTimeToLive),
			"DuplicateDetectionHistoryTimeWindow": r.bounded(&t.DuplicateDetectionHistoryTimeWindow),
			"RequiresDuplicateDetection":          r.bool(&t.RequiresDuplicateDetection),
		}),
		"Subscriptions": r.elements(func(path string, v *hujson.Value) {
			s := r.subscription(path, v)
			if folded := strings.ToLower(s.Name); taken[folded] {
				r.fault(path, v, "the name %q is used twice", s.Name)
			} else {
				taken[folded] = true
			}
			t.Subscriptions = append(t.Subscriptions, s)
			later = append(later, func() {
				s.Rules = nil // each has been looked at where it stands
				r.wrong(path, v, s.validate(t.Name))
			})
		}),
	})(path, v)
	for _, validate := range later {
		validate()
	}
	r.entity(path, v, t.Name, t.queue().withDefaults().validate(kindTopic))
	r.options.Topics = append(r.options.Topics, t)
}

// entity collects what is wrong with a queue or a topic as a whole.
func (r *configEntities) entity(path string, v *hujson.Value, name string, faults []error) {
	r.wrong(path, v, faults)
	folded := strings.ToLower(name)
	if r.named[folded] {
		r.fault(path, v, "the name %q is used twice", name)
	}
	r.named[folded] = true
}

func (r *configEntities) wrong(path string, v *hujson.Value, faults []error) {
	for _, err := range faults {
		r.fault(path, v, "%w", err)
	}
}

func (r *configEntities) subscription(path string, v *hujson.Value) Subscription {
	s := Subscription{DefaultMessageTimeToLive: configTimeToLive, MaxDeliveryCount: configMaxDeliveryCount}
	taken := make(map[string]bool)
	r.object(map[string]configRead{
		"Name": r.string(&s.Name),
		"Properties": r.object(map[string]configRead{
			"DeadLetteringOnMessageExpiration": r.bool(&s.DeadLetteringOnMessageExpiration),
			"DefaultMessageTimeToLive":         r.duration(&s.DefaultMessageTimeToLive),
			"ForwardDeadLetteredMessagesTo":    r.forward(&s.ForwardDeadLetteredMessagesTo),
			"ForwardTo":                        r.forward(&s.ForwardTo),
			"LockDuration":                     r.bounded(&s.LockDuration),
			"MaxDeliveryCount":                 r.count(&s.MaxDeliveryCount),
			"RequiresSession":                  r.bool(&s.RequiresSession),
		}),
		"Rules": r.elements(func(path string, v *hujson.Value) {
			rule := r.rule(path, v)
			if folded := strings.ToLower(rule.Name); taken[folded] {
				r.fault(path, v, "the name %q is used twice", rule.Name)
			} else {
				taken[folded] = true
			}
			s.Rules = append(s.Rules, rule)
		}),
	})(path, v)
	return s
}

func (r *configEntities) rule(path string, v *hujson.Value) Rule {
	var rule Rule
	var kind string
	var correlation *CorrelationFilter
	var sql *string
	expression := func(to *string) configRead {
		return r.object(map[string]configRead{"SqlExpression": r.string(to)})
	}
	r.object(map[string]configRead{
		"Name": r.string(&rule.Name),
		"Properties": r.object(map[string]configRead{
			"FilterType": r.string(&kind),
			"CorrelationFilter": func(path string, v *hujson.Value) {
				correlation = new(CorrelationFilter)
				r.correlation(correlation)(path, v)
			},
			"SqlFilter": func(path string, v *hujson.Value) {
				sql = new(string)
				expression(sql)(path, v)
			},
			"Action": expression(&rule.Action),
		}),
	})(path, v)
	switch {
	case kind == "Correlation" && correlation != nil && sql == nil:
		rule.Correlation = correlation
	case kind == "Sql" && correlation == nil && sql != nil && *sql != "":
		rule.SQL = *sql
	default:
		r.fault(path, v, `must have the FilterType "Correlation" and a CorrelationFilter, or "Sql" and the SqlExpression of a SqlFilter`)
		return rule
	}
	if _, err := newRule(rule, time.Time{}); err != nil {
		r.fault(path, v, "%w", err)
	}
	return rule
}

// correlation reads a correlation filter. An empty text is no condition, as for
// Microsoft's clients.
func (r *configEntities) correlation(c *CorrelationFilter) configRead {
	condition := func(to **string) configRead {
		return func(path string, v *hujson.Value) {
			var text string
			if r.string(&text)(path, v); text != "" {
				*to = &text
			}
		}
	}
	return r.object(map[string]configRead{
		"ContentType": condition(&c.ContentType), "CorrelationId": condition(&c.CorrelationID), "Label": condition(&c.Label),
		"MessageId": condition(&c.MessageID), "ReplyTo": condition(&c.ReplyTo), "ReplyToSessionId": condition(&c.ReplyToSessionID),
		"SessionId": condition(&c.SessionID), "To": condition(&c.To),
		"Properties": func(path string, v *hujson.Value) {
			object, ok := v.Value.(*hujson.Object)
			if !ok {
				r.fault(path, v, "must be an object")
				return
			}
			c.Properties = make(map[string]any, len(object.Members))
			for i := range object.Members {
				m := &object.Members[i]
				name := m.Name.Value.(hujson.Literal).String()
				if _, twice := c.Properties[name]; twice {
					r.fault(path, &m.Name, "the member %q stands here twice", name)
				}
				c.Properties[name] = r.property(path+"."+name, &m.Value)
			}
		},
	})
}

// property reads the value of an application property: a string, a number or a
// truth value.
func (r *configEntities) property(path string, v *hujson.Value) any {
	literal, _ := v.Value.(hujson.Literal)
	switch v.Value.Kind() {
	case '"':
		return literal.String()
	case 't', 'f':
		return literal.Bool()
	case '0':
		if n, err := strconv.ParseInt(string(literal), 10, 64); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(string(literal), 64); err == nil {
			return f
		}
	}
	r.fault(path, v, "must be a string, a number, true or false")
	return nil
}

// forward reads the name of a queue or topic; an empty one is none.
func (r *configEntities) forward(to *string) configRead {
	return func(path string, v *hujson.Value) {
		var name string
		r.string(&name)(path, v)
		if *to = entityOf(name); *to != "" {
			r.forwards = append(r.forwards, configForward{path, *to, v})
		}
	}
}
