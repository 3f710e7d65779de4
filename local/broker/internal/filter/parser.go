package filter

// maxDepth bounds how deep parentheses, signs and NOT may be nested.
const maxDepth = 100

// parser reads an expression by recursive descent. From the loosest to the tightest
// binding: OR, AND, NOT, comparisons (which do not chain), + and -, then * / %, signs.
type parser struct {
	lexer      *lexer
	parameters parameters
	// reserved are keywords beyond those of every expression.
	reserved []string
	// current is the token to be read next.
	current token
	depth   int
}

func newParser(source string, given map[string]any) (*parser, error) {
	l, err := newLexer(source)
	if err != nil {
		return nil, err
	}
	p := &parser{lexer: l, parameters: newParameters(given)}
	return p, p.advance()
}

func (p *parser) advance() (err error) {
	p.current, err = p.lexer.next()
	return err
}

// take goes past the keyword or sign if it is next.
func (p *parser) take(text string) (bool, error) {
	if !p.current.is(text) {
		return false, nil
	}
	return true, p.advance()
}

// expect goes past the keyword or sign, which must be next.
func (p *parser) expect(text string) error {
	if !p.current.is(text) {
		return p.current.unexpected("'" + text + "'")
	}
	return p.advance()
}

// deeper counts a level of nesting; its caller leaves it by p.depth--.
func (p *parser) deeper() error {
	if p.depth++; p.depth > maxDepth {
		return p.current.refuse("the expression is nested deeper than %d levels", maxDepth)
	}
	return nil
}

// operand is what was read: a value or a condition. Exactly one of them is set.
type operand struct {
	value     expression
	condition predicate
	// start is its first token.
	start token
}

// asCondition returns the condition, or says that there is only a value.
func (o operand) asCondition() (predicate, error) {
	if o.condition == nil {
		return nil, o.start.refuse("syntax error, a condition is expected, and this is a value")
	}
	return o.condition, nil
}

// asValue returns the value, or says that there is only a condition.
func (o operand) asValue() (expression, error) {
	if o.value == nil {
		return nil, o.start.refuse("syntax error, a value is expected, and this is a condition")
	}
	return o.value, nil
}

// disjunction reads conditions joined by OR, or what it finds instead.
func (p *parser) disjunction() (operand, error) {
	return p.joined("OR", p.conjunction, func(left, right predicate) predicate { return or{left, right} })
}

// conjunction reads conditions joined by AND.
func (p *parser) conjunction() (operand, error) {
	return p.joined("AND", p.negation, func(left, right predicate) predicate { return and{left, right} })
}

func (p *parser) joined(keyword string, part func() (operand, error), join func(left, right predicate) predicate) (operand, error) {
	left, err := part()
	if err != nil {
		return operand{}, err
	}
	for p.current.is(keyword) {
		condition, err := left.asCondition()
		if err != nil {
			return operand{}, err
		}
		if err := p.advance(); err != nil {
			return operand{}, err
		}
		right, err := p.condition(part)
		if err != nil {
			return operand{}, err
		}
		left = operand{condition: join(condition, right), start: left.start}
	}
	return left, nil
}

// condition reads a part that must be a condition.
func (p *parser) condition(part func() (operand, error)) (predicate, error) {
	o, err := part()
	if err != nil {
		return nil, err
	}
	if o.condition == nil && !p.atEndOfCondition() {
		return nil, p.current.unexpected("a comparison, IS, IN or LIKE")
	}
	return o.asCondition()
}

// atEndOfCondition tells whether the next token may follow a condition.
func (p *parser) atEndOfCondition() bool {
	t := p.current
	return t.kind == endToken || t.is(")") || t.is("AND") || t.is("OR")
}

// negation reads NOT condition, or what stands without NOT.
func (p *parser) negation() (operand, error) {
	start := p.current
	if !start.is("NOT") {
		return p.comparison()
	}
	if err := p.deeper(); err != nil {
		return operand{}, err
	}
	defer func() { p.depth-- }()
	if err := p.advance(); err != nil {
		return operand{}, err
	}
	condition, err := p.condition(p.negation)
	return operand{condition: not{condition}, start: start}, err
}

// comparison reads a value and the condition that is made with it, if there is any.
func (p *parser) comparison() (operand, error) {
	left, err := p.sum()
	if err != nil {
		return operand{}, err
	}
	condition, err := p.conditionOn(left)
	if err != nil || condition == nil {
		return left, err
	}
	return operand{condition: condition, start: left.start}, nil
}

// conditionOn reads what makes a condition of its left side; nil when nothing does.
func (p *parser) conditionOn(left operand) (predicate, error) {
	operator := p.current
	op, compares := comparisons[operator.written]
	compares = compares && operator.kind == signToken
	if !compares && !operator.is("IS") && !operator.is("NOT") && !operator.is("IN") && !operator.is("LIKE") {
		return nil, nil
	}
	subject, err := left.asValue()
	if err != nil {
		return nil, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	switch {
	case compares:
		right, err := p.value()
		return compared{op, subject, right}, err
	case operator.is("IS"):
		return p.nullTest(left)
	case operator.is("NOT"):
		if operator = p.current; !operator.is("IN") && !operator.is("LIKE") {
			return nil, operator.unexpected("'IN' or 'LIKE'")
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		condition, err := p.membership(operator, subject)
		return not{condition}, err
	}
	return p.membership(operator, subject)
}

// nullTest reads [NOT] NULL after IS.
func (p *parser) nullTest(subject operand) (predicate, error) {
	property, named := subject.value.(reference)
	if !named {
		return nil, subject.start.refuse("syntax error, IS NULL asks about a property, and this is none")
	}
	negated, err := p.take("NOT")
	if err != nil {
		return nil, err
	}
	if err := p.expect("NULL"); err != nil {
		return nil, err
	}
	if negated {
		return not{isNull{property}}, nil
	}
	return isNull{property}, nil
}

// membership reads the right side of IN or LIKE.
func (p *parser) membership(operator token, subject expression) (predicate, error) {
	if operator.is("LIKE") {
		return p.like(subject)
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	condition := in{operand: subject}
	for {
		element, err := p.value()
		if err != nil {
			return nil, err
		}
		condition.list = append(condition.list, element)
		more, err := p.take(",")
		if err != nil {
			return nil, err
		}
		if !more {
			return condition, p.expect(")")
		}
	}
}

// like reads a pattern and its escape character.
func (p *parser) like(subject expression) (predicate, error) {
	start := p.current
	condition := like{operand: subject}
	var err error
	if condition.pattern, err = p.value(); err != nil {
		return nil, err
	}
	escapes, err := p.take("ESCAPE")
	if err != nil {
		return nil, err
	}
	if escapes {
		if condition.escape, err = p.value(); err != nil {
			return nil, err
		}
	}
	return condition.prepared(start)
}
