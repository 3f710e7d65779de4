package filter

import (
	"crypto/rand"
	"strings"
)

// expression is a part of a rule that has a value.
type expression interface {
	evaluate(m *Message) (value, error)
}

// reference is an expression that names a property.
type reference interface {
	expression
	// find returns the value of the property, and whether the message has it.
	find(m *Message) (value, bool, error)
}

// constant is a literal or a parameter.
type constant struct{ value value }

func (c constant) evaluate(*Message) (value, error) { return c.value, nil }

// userProperty names an application property.
type userProperty struct {
	// written is the name as the expression has it, folded the same in lower case.
	written, folded string
}

func newUserProperty(name string) userProperty {
	return userProperty{written: name, folded: strings.ToLower(name)}
}

func (p userProperty) find(m *Message) (value, bool, error) {
	v, found := m.user(p.folded)
	return v, found, nil
}

func (p userProperty) evaluate(m *Message) (value, error) {
	v, _ := m.user(p.folded)
	return v, nil
}

// sysProperty names a system property. Whether Service Bus has it is found out when
// it is evaluated, as documented.
type sysProperty struct {
	// written is the name as the expression has it.
	written string
	// known is the property, and nil when there is none of the name.
	known *systemProperty
}

func newSysProperty(name string) sysProperty {
	if known, ok := systemByName[strings.ToLower(name)]; ok {
		return sysProperty{written: name, known: &known}
	}
	return sysProperty{written: name}
}

func (p sysProperty) find(m *Message) (value, bool, error) {
	if p.known == nil {
		return value{}, false, failed("there is no system property '%s'", quoted(p.written))
	}
	v, found := m.system(p.known)
	return v, found, nil
}

func (p sysProperty) evaluate(m *Message) (value, error) {
	v, _, err := p.find(m)
	return v, err
}

// namedProperty is the function property(name): the name is itself evaluated. It may
// begin with a scope, as the name of any property does.
type namedProperty struct{ name expression }

func (p namedProperty) find(m *Message) (value, bool, error) {
	name, err := p.name.evaluate(m)
	switch {
	case err != nil || name.kind.absent():
		return value{}, false, err
	case name.kind != kindString:
		return value{}, false, failed("function 'property' needs a name of type 'String', not '%v'", name.kind)
	}
	property := propertyNamed(name.text)
	if p, system := property.(sysProperty); system && p.known == nil {
		// The name may come from the message, and is not for an error to tell.
		return value{}, false, failed("there is no system property of the name that function 'property' was given")
	}
	return property.find(m)
}

func (p namedProperty) evaluate(m *Message) (value, error) {
	v, _, err := p.find(m)
	return v, err
}

// propertyNamed returns the property of a name that may have a scope.
func propertyNamed(name string) reference {
	if scope, rest, dotted := strings.Cut(name, "."); dotted {
		switch {
		case strings.EqualFold(scope, "sys"):
			return newSysProperty(rest)
		case strings.EqualFold(scope, "user"):
			return newUserProperty(rest)
		}
	}
	return newUserProperty(name)
}

// newID is the function newid(): a random UUID (RFC 9562, version 4) for each
// evaluation.
type newID struct{}

func (newID) evaluate(*Message) (value, error) {
	var id [16]byte
	rand.Read(id[:]) // never fails
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return guidValue(id), nil
}

// operation is left op right for one of + - * / %.
type operation struct {
	op          byte
	left, right expression
}

func (o operation) evaluate(m *Message) (value, error) {
	left, err := o.left.evaluate(m)
	if err != nil {
		return value{}, err
	}
	right, err := o.right.evaluate(m)
	if err != nil {
		return value{}, err
	}
	return arithmetic(o.op, left, right)
}

// unary is a sign before an expression.
type unary struct {
	apply   func(value) (value, error)
	operand expression
}

func (u unary) evaluate(m *Message) (value, error) {
	v, err := u.operand.evaluate(m)
	if err != nil {
		return value{}, err
	}
	return u.apply(v)
}
