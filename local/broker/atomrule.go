package broker

import (
	"errors"
	"fmt"
)

// ruleDescription is a rule as the API shows it and takes it, with the name
// DefaultRuleDescription too.
type ruleDescription struct {
	Schema    string      `xml:"xmlns,attr,omitempty"`
	Instance  string      `xml:"xmlns:i,attr,omitempty"`
	Filter    *ruleFilter `xml:"Filter"`
	Action    *ruleAction `xml:"Action"`
	CreatedAt string      `xml:"CreatedAt,omitempty"`
	Name      string      `xml:"Name"`
}

type ruleFilter struct {
	Type               instanceType `xml:"type,attr"`
	SQLExpression      *string      `xml:"SqlExpression"`
	CompatibilityLevel *int         `xml:"CompatibilityLevel"`
	Parameters         *atomValues  `xml:"Parameters"`
	CorrelationID      *string      `xml:"CorrelationId"`
	MessageID          *string      `xml:"MessageId"`
	To                 *string      `xml:"To"`
	ReplyTo            *string      `xml:"ReplyTo"`
	Label              *string      `xml:"Label"`
	SessionID          *string      `xml:"SessionId"`
	ReplyToSessionID   *string      `xml:"ReplyToSessionId"`
	ContentType        *string      `xml:"ContentType"`
	Properties         *atomValues  `xml:"Properties"`
}

type ruleAction struct {
	Type               instanceType `xml:"type,attr"`
	SQLExpression      *string      `xml:"SqlExpression"`
	CompatibilityLevel *int         `xml:"CompatibilityLevel"`
	Parameters         *atomValues  `xml:"Parameters"`
}

// The types of filters and actions.
const (
	filterTrue        = "TrueFilter"
	filterFalse       = "FalseFilter"
	filterSQL         = "SqlFilter"
	filterCorrelation = "CorrelationFilter"
	actionNone        = "EmptyRuleAction"
	actionSQL         = "SqlRuleAction"

	// compatibilityLevel is that of the SQL grammar; there never was another.
	compatibilityLevel = 20
)

// take reads a description that somebody sent into a rule.
func (d *ruleDescription) take(name string) (Rule, error) {
	r := Rule{Name: name}
	return r, errors.Join(d.Filter.take(&r), d.Action.take(&r))
}

func (f *ruleFilter) take(r *Rule) error {
	if f == nil {
		return nil
	}
	var err error
	switch f.Type {
	case filterTrue:
	case filterFalse:
		r.Never = true
	case filterSQL:
		if f.SQLExpression == nil || *f.SQLExpression == "" {
			return errors.New("Filter: a SqlFilter needs a SqlExpression")
		}
		r.SQL = *f.SQLExpression
		r.Parameters, err = f.Parameters.take("Filter")
	case filterCorrelation:
		r.Correlation = &CorrelationFilter{
			ContentType: f.ContentType, CorrelationID: f.CorrelationID, Label: f.Label, MessageID: f.MessageID, ReplyTo: f.ReplyTo,
			ReplyToSessionID: f.ReplyToSessionID, SessionID: f.SessionID, To: f.To,
		}
		r.Correlation.Properties, err = f.Properties.take("Filter")
	default:
		return fmt.Errorf("Filter: the type %q is not supported", f.Type)
	}
	return err
}

func (a *ruleAction) take(r *Rule) error {
	if a == nil {
		return nil
	}
	var err error
	switch a.Type {
	case actionNone:
	case actionSQL:
		if a.SQLExpression == nil || *a.SQLExpression == "" {
			return errors.New("Action: a SqlRuleAction needs a SqlExpression")
		}
		r.Action = *a.SQLExpression
		r.ActionParameters, err = a.Parameters.take("Action")
	default:
		return fmt.Errorf("Action: the type %q is not supported", a.Type)
	}
	return err
}

// describeRule shows a rule as the API does.
func describeRule(r *rule) *ruleDescription {
	return &ruleDescription{
		Schema: nsServiceBus, Instance: nsInstance,
		Filter: describeFilter(r.description), Action: describeAction(r.description),
		CreatedAt: atomTime(r.created), Name: r.description.Name,
	}
}

func describeFilter(r Rule) *ruleFilter {
	always, never, level := "1=1", "1=0", compatibilityLevel
	switch c := r.Correlation; {
	case c != nil:
		return &ruleFilter{
			Type: filterCorrelation, ContentType: c.ContentType, CorrelationID: c.CorrelationID, Label: c.Label, MessageID: c.MessageID,
			ReplyTo: c.ReplyTo, ReplyToSessionID: c.ReplyToSessionID, SessionID: c.SessionID, To: c.To, Properties: showValues(c.Properties),
		}
	case r.Never:
		return &ruleFilter{Type: filterFalse, SQLExpression: &never, CompatibilityLevel: &level}
	case r.SQL != "":
		return &ruleFilter{Type: filterSQL, SQLExpression: &r.SQL, CompatibilityLevel: &level, Parameters: showValues(r.Parameters)}
	}
	return &ruleFilter{Type: filterTrue, SQLExpression: &always, CompatibilityLevel: &level}
}

func describeAction(r Rule) *ruleAction {
	if r.Action == "" {
		return &ruleAction{Type: actionNone}
	}
	level := compatibilityLevel
	return &ruleAction{Type: actionSQL, SQLExpression: &r.Action, CompatibilityLevel: &level, Parameters: showValues(r.ActionParameters)}
}
