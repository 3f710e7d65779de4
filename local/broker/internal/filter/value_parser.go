package filter

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// value reads an expression that must have a value.
func (p *parser) value() (expression, error) {
	o, err := p.sum()
	if err != nil {
		return nil, err
	}
	return o.asValue()
}

// sum reads values joined by + and -.
func (p *parser) sum() (operand, error) { return p.operated("+-", p.product) }

// product reads values joined by * / and %.
func (p *parser) product() (operand, error) { return p.operated("*/%", p.signed) }

func (p *parser) operated(operators string, part func() (operand, error)) (operand, error) {
	left, err := part()
	if err != nil {
		return operand{}, err
	}
	for p.current.kind == signToken && strings.Contains(operators, p.current.written) {
		op := p.current.written[0]
		leftValue, err := left.asValue()
		if err != nil {
			return operand{}, err
		}
		if err := p.advance(); err != nil {
			return operand{}, err
		}
		right, err := part()
		if err != nil {
			return operand{}, err
		}
		rightValue, err := right.asValue()
		if err != nil {
			return operand{}, err
		}
		left = operand{value: operation{op, leftValue, rightValue}, start: left.start}
	}
	return left, nil
}

// signed reads a value with the signs before it.
func (p *parser) signed() (operand, error) {
	start := p.current
	if !start.is("-") && !start.is("+") {
		return p.primary()
	}
	if err := p.deeper(); err != nil {
		return operand{}, err
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return operand{}, err
	}
	if start.is("-") && p.current.kind == integerToken {
		// The least Int64 has no positive counterpart.
		literal, err := p.integer("-")
		return operand{value: literal, start: start}, err
	}
	o, err := p.signed()
	if err != nil {
		return operand{}, err
	}
	v, err := o.asValue()
	if err != nil {
		return operand{}, err
	}
	apply := affirm
	if start.is("-") {
		apply = negate
	}
	return operand{value: unary{apply, v}, start: start}, nil
}

// primary reads a constant, a parameter, a property, a function, EXISTS, or anything
// in parentheses.
func (p *parser) primary() (operand, error) {
	start := p.current
	switch {
	case start.is("("):
		return p.parenthesised()
	case start.is("EXISTS"):
		condition, err := p.existence()
		return operand{condition: condition, start: start}, err
	}
	v, err := p.simpleValue()
	return operand{value: v, start: start}, err
}

func (p *parser) parenthesised() (operand, error) {
	start := p.current
	if err := p.deeper(); err != nil {
		return operand{}, err
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return operand{}, err
	}
	inner, err := p.disjunction()
	if err != nil {
		return operand{}, err
	}
	inner.start = start
	return inner, p.expect(")")
}

func (p *parser) simpleValue() (expression, error) {
	t := p.current
	switch t.kind {
	case integerToken:
		return p.integer("")
	case realToken:
		number, err := strconv.ParseFloat(t.written, 64)
		if errors.Is(err, strconv.ErrRange) {
			return nil, t.refuse("the number is out of the range of a Double")
		}
		return constant{doubleValue(number)}, p.advance()
	case stringToken:
		return constant{textValue(t.text)}, p.advance()
	case parameterToken:
		v, err := p.parameters.constant(t)
		if err != nil {
			return nil, err
		}
		return v, p.advance()
	}
	switch {
	case t.is("TRUE"), t.is("FALSE"):
		return constant{booleanValue(t.is("TRUE"))}, p.advance()
	case t.is("NULL"):
		return constant{value{kind: kindNull}}, p.advance()
	case t.kind == nameToken || t.kind == delimitedToken:
		return p.named()
	}
	return nil, t.unexpected("a value")
}

// integer reads an integer with the sign that stood before it.
func (p *parser) integer(sign string) (expression, error) {
	number, err := strconv.ParseInt(sign+p.current.written, 10, 64)
	if err != nil {
		return nil, p.current.refuse("the number is out of the range of an Int64")
	}
	return constant{intValue(number)}, p.advance()
}

// named reads what begins with a name: a function or a property.
func (p *parser) named() (expression, error) {
	t := p.current
	if err := p.name(); err != nil {
		return nil, err
	}
	if t.kind == nameToken && p.current.is("(") {
		return p.function(t)
	}
	return p.propertyAfter(t)
}

// function reads the arguments of a function.
func (p *parser) function(name token) (expression, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	switch {
	case name.is("newid"):
		return newID{}, p.expect(")")
	case name.is("property"), name.is("p"):
		if err := p.deeper(); err != nil {
			return nil, err
		}
		defer func() { p.depth-- }()
		argument, err := p.value()
		if err != nil {
			return nil, err
		}
		if text, fixed := constantText(argument); fixed {
			return propertyNamed(text), p.expect(")")
		}
		return namedProperty{argument}, p.expect(")")
	}
	return nil, name.refuse("the function '%s' does not exist; there are newid, property and p", quoted(name.written))
}

// existence reads EXISTS(property).
func (p *parser) existence() (predicate, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	t := p.current
	if t.kind != nameToken && t.kind != delimitedToken {
		return nil, t.unexpected("the name of a property")
	}
	v, err := p.named()
	if err != nil {
		return nil, err
	}
	property, ok := v.(reference)
	if !ok {
		return nil, t.refuse("syntax error, EXISTS asks about a property, and this is none")
	}
	return exists{property}, p.expect(")")
}

// property reads [scope.]name.
func (p *parser) property() (reference, error) {
	t := p.current
	if err := p.name(); err != nil {
		return nil, err
	}
	return p.propertyAfter(t)
}

// propertyAfter reads the rest of a property whose first name was read.
func (p *parser) propertyAfter(first token) (reference, error) {
	scoped, err := p.take(".")
	if err != nil {
		return nil, err
	}
	if !scoped {
		return newUserProperty(first.text), nil
	}
	last := p.current
	if err := p.name(); err != nil {
		return nil, err
	}
	switch {
	case strings.EqualFold(first.text, "sys"):
		return newSysProperty(last.text), nil
	case strings.EqualFold(first.text, "user"):
		return newUserProperty(last.text), nil
	}
	return nil, first.refuse(
		"the scope '%s' does not exist; there are sys and user, and a name with a dot is written in []", quoted(first.written))
}

// keywords are the names that must be delimited to be the name of a property.
var keywords = []string{"AND", "OR", "NOT", "IN", "LIKE", "ESCAPE", "IS", "NULL", "EXISTS", "TRUE", "FALSE"}

// name goes past one part of the name of a property.
func (p *parser) name() error {
	t := p.current
	switch {
	case t.kind == delimitedToken:
		return p.advance()
	case t.kind != nameToken:
		return t.unexpected("the name of a property")
	case slices.ContainsFunc(keywords, t.is) || slices.ContainsFunc(p.reserved, t.is):
		return t.refuse("syntax error, unexpected keyword '%s'; write [%s] for the property of that name", t.written, t.written)
	}
	return p.advance()
}
