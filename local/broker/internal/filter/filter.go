package filter

// Filter decides whether a subscription gets a message. It may be used by several
// goroutines at once.
type Filter interface {
	// Matches tells whether the message is wanted. With an error, always an
	// *EvaluationError, it is not.
	Matches(m *Message) (bool, error)
}

// The boolean filters.
var (
	True  Filter = boolean(true)
	False Filter = boolean(false)
)

type boolean bool

func (b boolean) Matches(*Message) (bool, error) { return bool(b), nil }

// sql is a filter that was parsed.
type sql struct{ condition predicate }

// ParseSQL reads a SQL filter. Parameters are the values of @name in it, under their
// name with or without the @, of the Go types that stand for AMQP values, time.Time or
// time.Duration. An error is always a *SyntaxError.
func ParseSQL(expression string, parameters map[string]any) (Filter, error) {
	p, err := newParser(expression, parameters)
	if err != nil {
		return nil, err
	}
	condition, err := p.condition(p.disjunction)
	if err != nil {
		return nil, err
	}
	if p.current.kind != endToken {
		return nil, p.current.unexpected("an operator or the end of the expression")
	}
	return sql{condition}, nil
}

func (s sql) Matches(m *Message) (bool, error) {
	t, err := s.condition.test(m)
	return err == nil && t == yes, err
}
