package broker

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// This file holds rules as the operations of $management take and show them
// (AMQP 1.0 in Azure Service Bus: request-response-based operations, rule
// operations). They take maps with names, and show described lists.

const (
	argRuleName        = "rule-name"
	argRuleDescription = "rule-description"
)

// The descriptors of the lists. Those of filters are of another range than the
// rest, as Service Bus has them.
const (
	describesRule              uint64 = 0x0000013700000004
	describesNoAction          uint64 = 0x0000013700000005
	describesSQLAction         uint64 = 0x0000013700000006
	describesSQLFilter         uint64 = 0x000001370000006
	describesTrueFilter        uint64 = 0x000001370000007
	describesFalseFilter       uint64 = 0x000001370000008
	describesCorrelationFilter uint64 = 0x000001370000009
)

// correlationFields are the system properties of a correlation filter, by the names
// that they have in a map and in the order that they have in a list.
func correlationFields(c *CorrelationFilter) []correlationField {
	return []correlationField{
		{"correlation-id", &c.CorrelationID}, {"message-id", &c.MessageID}, {"to", &c.To}, {"reply-to", &c.ReplyTo},
		{"label", &c.Label}, {"session-id", &c.SessionID}, {"reply-to-session-id", &c.ReplyToSessionID}, {"content-type", &c.ContentType},
	}
}

type correlationField struct {
	name  string
	value **string
}

// parseRule reads the arguments of add-rule.
func parseRule(args wire.Map) (Rule, error) {
	name, ok := text(args, argRuleName)
	if !ok {
		return Rule{}, argumentError{"rule-name must be a string"}
	}
	description, err := optionalMap(args, argRuleDescription)
	if err != nil {
		return Rule{}, err
	}
	if description == nil {
		return Rule{}, argumentError{"rule-description must be a map"}
	}
	r := Rule{Name: name}
	sql, err := optionalMap(description, "sql-filter")
	if err != nil {
		return Rule{}, err
	}
	correlation, err := optionalMap(description, "correlation-filter")
	if err != nil {
		return Rule{}, err
	}
	switch {
	case (sql == nil) == (correlation == nil):
		return Rule{}, argumentError{"rule-description must hold either a sql-filter or a correlation-filter"}
	case sql != nil:
		r.SQL, err = expression(sql, "sql-filter")
	default:
		r.Correlation, err = parseCorrelation(correlation)
	}
	if err != nil {
		return Rule{}, err
	}
	action, err := optionalMap(description, "sql-rule-action")
	if err == nil && action != nil {
		r.Action, err = expression(action, "sql-rule-action")
	}
	return r, err
}

// optionalMap reads a map; it is nil where there is none.
func optionalMap(args wire.Map, name string) (wire.Map, error) {
	switch v, _ := args.Get(name); v := v.(type) {
	case nil:
		return nil, nil
	case wire.Map:
		if v == nil {
			v = wire.Map{}
		}
		return v, nil
	}
	return nil, argumentError{name + " must be a map"}
}

// expression reads the SQL of a filter or an action.
func expression(args wire.Map, of string) (string, error) {
	sql, ok := text(args, "expression")
	if !ok || sql == "" {
		return "", argumentError{of + " must hold an expression"}
	}
	return sql, nil
}

func parseCorrelation(args wire.Map) (*CorrelationFilter, error) {
	c := &CorrelationFilter{}
	for _, f := range correlationFields(c) {
		switch v, _ := args.Get(f.name); v := v.(type) {
		case nil:
		case string:
			*f.value = &v
		case wire.Symbol:
			*f.value = shown(string(v))
		default:
			return nil, argumentError{f.name + " must be a string"}
		}
	}
	properties, err := optionalMap(args, "properties")
	if err != nil || len(properties) == 0 {
		return c, err
	}
	c.Properties = make(map[string]any, len(properties))
	for _, p := range properties {
		var name string
		switch k := p.Key.(type) {
		case string:
			name = k
		case wire.Symbol:
			name = string(k)
		}
		if _, twice := c.Properties[name]; name == "" || twice {
			return nil, argumentError{"the names of properties must be strings that are used once"}
		}
		c.Properties[name] = plainValue(p.Value)
	}
	return c, nil
}

// plainValue turns the described types of the .NET client into those that a rule
// holds, and the unsigned types that rhea makes of whole numbers into the one whole
// number that every administration client reads. Whatever is not known stays, for
// the rule to refuse.
func plainValue(v any) any {
	switch n := v.(type) {
	case uint8:
		return int32(n)
	case uint16:
		return int32(n)
	case uint32:
		if n <= math.MaxInt32 {
			return int32(n)
		}
	case uint64:
		if n <= math.MaxInt32 {
			return int32(n)
		}
	}
	d, ok := v.(wire.Described)
	if !ok {
		return v
	}
	descriptor, _ := d.Descriptor.(wire.Symbol)
	ticks, ok := d.Value.(int64)
	if descriptor == "com.microsoft:timespan" && ok && ticks >= 0 && ticks <= int64(1<<63-1)/100 {
		return time.Duration(ticks * 100)
	}
	return v
}

// encodeRule shows a rule.
func encodeRule(r *rule) wire.Described {
	action := wire.Described{Descriptor: describesNoAction, Value: wire.List{}}
	if sql := r.description.Action; sql != "" {
		action = wire.Described{Descriptor: describesSQLAction, Value: wire.List{sql, int32(compatibilityLevel)}}
	}
	return wire.Described{Descriptor: describesRule, Value: wire.List{
		encodeFilter(r.description), action, r.description.Name, timestamp(r.created),
	}}
}

func encodeFilter(r Rule) wire.Described {
	switch {
	case r.Correlation != nil:
		return wire.Described{Descriptor: describesCorrelationFilter, Value: encodeCorrelation(r.Correlation)}
	case r.Never:
		return wire.Described{Descriptor: describesFalseFilter, Value: wire.List{}}
	case r.SQL != "":
		return wire.Described{Descriptor: describesSQLFilter, Value: wire.List{r.SQL, int32(compatibilityLevel)}}
	}
	return wire.Described{Descriptor: describesTrueFilter, Value: wire.List{}}
}

func encodeCorrelation(c *CorrelationFilter) wire.List {
	var list wire.List
	for _, f := range correlationFields(c) {
		if *f.value == nil {
			list = append(list, nil)
		} else {
			list = append(list, **f.value)
		}
	}
	properties := wire.Map{}
	for _, name := range slices.Sorted(maps.Keys(c.Properties)) {
		properties = append(properties, wire.Pair{Key: name, Value: amqpValue(c.Properties[name])})
	}
	return append(list, properties)
}

// amqpValue turns the Go types that have no AMQP type of their own into one.
func amqpValue(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case time.Time:
		return timestamp(v)
	case time.Duration:
		return wire.Described{Descriptor: wire.Symbol("com.microsoft:timespan"), Value: int64(v) / 100}
	}
	return v
}
