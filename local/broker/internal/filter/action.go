package filter

import "github.com/muster-mfa/muster/local/broker/internal/wire"

// maxStatements is the number of statements that an action may have.
const maxStatements = 32

// Action changes the properties of the copy of a message that a subscription gets. It
// may be used by several goroutines at once.
type Action struct {
	statements []statement
}

// Changes are what an action made of the properties of a message.
type Changes struct {
	// System holds the system properties that were set, under the names that
	// SystemProperties lists: a string, a time.Duration (TimeToLive), a wire.Timestamp
	// (ScheduledEnqueueTimeUtc), or nil for a property that was removed.
	System map[string]any
	// Application holds all application properties, in their order, with those that are
	// new at the end.
	Application wire.Map
}

// statement is SET or REMOVE.
type statement interface {
	apply(w *workspace) error
}

// ParseAction reads a SQL rule action: SET and REMOVE statements, with or without
// semicolons. Parameters are those of ParseSQL. An error is always a *SyntaxError.
func ParseAction(expression string, parameters map[string]any) (*Action, error) {
	p, err := newParser(expression, parameters)
	if err != nil {
		return nil, err
	}
	p.reserved = []string{"SET", "REMOVE"}
	var a Action
	for len(a.statements) == 0 || p.current.kind != endToken {
		if len(a.statements) == maxStatements {
			return nil, p.current.refuse("the action has more than %d statements", maxStatements)
		}
		s, err := p.statement()
		if err != nil {
			return nil, err
		}
		a.statements = append(a.statements, s)
	}
	return &a, nil
}

// statement reads one statement and what separates it from the next.
func (p *parser) statement() (statement, error) {
	var s statement
	var err error
	switch {
	case p.current.is("SET"):
		s, err = p.set()
	case p.current.is("REMOVE"):
		s, err = p.remove()
	default:
		err = p.current.unexpected("SET, or REMOVE")
	}
	if err != nil {
		return nil, err
	}
	if p.current.is(";") || p.current.is(",") {
		err = p.advance()
	}
	return s, err
}

func (p *parser) set() (statement, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	property, err := p.property()
	if err != nil {
		return nil, err
	}
	if err := p.expect("="); err != nil {
		return nil, err
	}
	v, err := p.value()
	return set{property, v}, err
}

func (p *parser) remove() (statement, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	property, err := p.property()
	return remove{property}, err
}

// Apply performs the statements one after the other, each seeing what those before
// it did, and returns the outcome. The message stays as it is. With an error, always
// an *EvaluationError, nothing was changed.
func (a *Action) Apply(m *Message) (Changes, error) {
	w := newWorkspace(m)
	for _, s := range a.statements {
		if err := s.apply(w); err != nil {
			return Changes{}, err
		}
	}
	return Changes{System: w.system, Application: w.application.pairs}, nil
}

// set is SET property = value. A property that does not exist gives null, as
// null is what a property can hold.
type set struct {
	property reference
	value    expression
}

func (s set) apply(w *workspace) error {
	v, err := s.value.evaluate(&w.message)
	if err != nil {
		return err
	}
	switch p := s.property.(type) {
	case userProperty:
		w.application.set(p, v)
		return nil
	case sysProperty:
		return w.setSystem(p, v)
	}
	return nil
}

// remove is REMOVE property. To remove what is not there is no fault.
type remove struct{ property reference }

func (r remove) apply(w *workspace) error {
	switch p := r.property.(type) {
	case userProperty:
		w.application.remove(p)
		return nil
	case sysProperty:
		return w.setSystem(p, value{kind: kindNull})
	}
	return nil
}
