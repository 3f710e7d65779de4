package filter

// predicate is a part of a filter that is true, false or unknown.
type predicate interface {
	test(m *Message) (truth, error)
}

// and is a conjunction. Its right side is not looked at when the left is false.
type and struct{ left, right predicate }

func (a and) test(m *Message) (truth, error) {
	left, err := a.left.test(m)
	if err != nil || left == no {
		return no, err
	}
	right, err := a.right.test(m)
	return min(left, right), err
}

// or is a disjunction. Its right side is not looked at when the left is true.
type or struct{ left, right predicate }

func (o or) test(m *Message) (truth, error) {
	left, err := o.left.test(m)
	if err != nil || left == yes {
		return left, err
	}
	right, err := o.right.test(m)
	return max(left, right), err
}

type not struct{ operand predicate }

func (n not) test(m *Message) (truth, error) {
	t, err := n.operand.test(m)
	return t.not(), err
}

// compared is left op right for a comparison operator.
type compared struct {
	op          comparison
	left, right expression
}

func (c compared) test(m *Message) (truth, error) {
	left, err := c.left.evaluate(m)
	if err != nil {
		return no, err
	}
	right, err := c.right.evaluate(m)
	if err != nil {
		return no, err
	}
	return c.op.compare(left, right)
}

// isNull is property IS NULL: true as well of a property that does not exist.
type isNull struct{ property reference }

func (i isNull) test(m *Message) (truth, error) {
	v, _, err := i.property.find(m)
	return truthOf(v.kind.absent()), err
}

// exists is EXISTS(property).
type exists struct{ property reference }

func (e exists) test(m *Message) (truth, error) {
	_, found, err := e.property.find(m)
	return truthOf(found), err
}

// in is operand IN (list). Elements after the first that is equal are not looked at.
type in struct {
	operand expression
	list    []expression
}

func (i in) test(m *Message) (truth, error) {
	left, err := i.operand.evaluate(m)
	if err != nil {
		return no, err
	}
	if left.kind.absent() {
		return unknown, nil
	}
	found := no
	for _, element := range i.list {
		right, err := element.evaluate(m)
		if err != nil {
			return no, err
		}
		t, err := equal.compare(left, right)
		if err != nil || t == yes {
			return t, err
		}
		found = max(found, t)
	}
	return found, nil
}
