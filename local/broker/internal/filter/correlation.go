package filter

import (
	"slices"
	"strings"
)

// Correlation holds the conditions of a correlation filter: the message must have
// each value that is set here. Strings are compared character by character, numbers
// by value whatever their type. Values of other types than the message's are
// different.
type Correlation struct {
	// Each condition on a system property; nil is none.
	ContentType, CorrelationID, Label, MessageID, ReplyTo, ReplyToSessionID, SessionID, To *string
	// Properties are the conditions on application properties. Their names are found
	// whatever the case.
	Properties map[string]any
}

// correlation is a Correlation that is ready to be asked.
type correlation []condition

// condition is one property that must have a value.
type condition struct {
	property reference
	value    value
}

// Filter makes the filter. Without any condition it matches every message.
func (c Correlation) Filter() Filter {
	var conditions correlation
	for _, field := range []struct {
		name string
		want *string
	}{
		{"CorrelationId", c.CorrelationID}, {"MessageId", c.MessageID}, {"Label", c.Label}, {"SessionId", c.SessionID},
		{"To", c.To}, {"ReplyTo", c.ReplyTo}, {"ReplyToSessionId", c.ReplyToSessionID}, {"ContentType", c.ContentType},
	} {
		if field.want != nil {
			conditions = append(conditions, condition{newSysProperty(field.name), textValue(*field.want)})
		}
	}
	properties := len(conditions)
	for name, want := range c.Properties {
		conditions = append(conditions, condition{newUserProperty(name), load(want)})
	}
	slices.SortFunc(conditions[properties:], func(a, b condition) int {
		return strings.Compare(a.property.(userProperty).written, b.property.(userProperty).written)
	})
	return conditions
}

func (c correlation) Matches(m *Message) (bool, error) {
	for i := range c {
		v, _, err := c[i].property.find(m)
		if err != nil {
			return false, err
		}
		if o, _, comparable := orderOf(v, c[i].value); !comparable || o != same {
			return false, nil
		}
	}
	return true, nil
}
