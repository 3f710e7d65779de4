package filter

import "strings"

// parameters are the values that stand for @name in an expression, by name in lower
// case and without the @.
type parameters map[string]any

// newParameters takes parameters with or without the @ that clients put before the
// name.
func newParameters(given map[string]any) parameters {
	byName := make(parameters, len(given))
	for name, v := range given {
		byName[strings.ToLower(strings.TrimPrefix(name, "@"))] = v
	}
	return byName
}

// constant returns the value of a parameter.
func (p parameters) constant(t token) (expression, error) {
	v, given := p[t.text]
	if !given {
		return nil, t.refuse("the parameter '%s' has no value", quoted(t.written))
	}
	loaded := load(v)
	if loaded.kind == kindOther {
		return nil, t.refuse("the parameter '%s' has a value of a type that is not supported", quoted(t.written))
	}
	return constant{loaded}, nil
}
