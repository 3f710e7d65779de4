package filter

import (
	"strings"
	"unicode/utf8"
)

// pattern is the right side of LIKE, cut at each %. Matching takes each segment at
// its first place after the one before: as the rest of the text only gets longer by
// that, no other place ever needs to be tried.
type pattern struct {
	// segments are what stands between the %; one when there is none.
	segments []segment
}

// segment is text without %.
type segment struct {
	text string
	// runes is nil when the segment has no wildcard. Otherwise it holds its characters,
	// with anyRune for each _.
	runes []rune
}

const (
	anyRune = -1
	// maxPattern is the number of characters that a pattern may have, so that a
	// message cannot choose how long matching takes: no constant is longer either.
	maxPattern = maxExpression
	// noEscape is the escape character where there is none.
	noEscape rune = -1
)

// newPattern reads a pattern. It fails for one that is too long or ends in its
// escape character.
func newPattern(text string, escape rune) (pattern, error) {
	if utf8.RuneCountInString(text) > maxPattern {
		return pattern{}, failed("the pattern of LIKE is longer than %d characters", maxPattern)
	}
	var p pattern
	var runes []rune
	wild, escaped := false, false
	for _, r := range text {
		switch {
		case escaped:
			runes = append(runes, r)
			escaped = false
		case r == escape:
			escaped = true
		case r == '%':
			p.segments = append(p.segments, newSegment(runes, wild))
			runes, wild = nil, false
		case r == '_':
			runes = append(runes, anyRune)
			wild = true
		default:
			runes = append(runes, r)
		}
	}
	if escaped {
		return pattern{}, failed("the pattern of LIKE ends in its escape character")
	}
	p.segments = append(p.segments, newSegment(runes, wild))
	return p, nil
}

func newSegment(runes []rune, wild bool) segment {
	if wild {
		return segment{runes: runes}
	}
	return segment{text: string(runes)}
}

// matches tells whether the whole text is like the pattern.
func (p pattern) matches(text string) bool {
	rest, ok := p.segments[0].cutPrefix(text)
	last := len(p.segments) - 1
	if !ok || last == 0 {
		return ok && rest == ""
	}
	for _, s := range p.segments[1:last] {
		if rest, ok = s.cut(rest); !ok {
			return false
		}
	}
	return p.segments[last].endsIn(rest)
}

// cutPrefix returns what follows the segment at the start of text.
func (s segment) cutPrefix(text string) (string, bool) {
	if s.runes == nil {
		return strings.CutPrefix(text, s.text)
	}
	for _, want := range s.runes {
		r, size := utf8.DecodeRuneInString(text)
		if size == 0 || (want != anyRune && want != r) {
			return "", false
		}
		text = text[size:]
	}
	return text, true
}

// cut returns what follows the first place of the segment in text.
func (s segment) cut(text string) (string, bool) {
	if s.runes == nil {
		_, after, found := strings.Cut(text, s.text)
		return after, found
	}
	for {
		if rest, ok := s.cutPrefix(text); ok {
			return rest, true
		}
		_, size := utf8.DecodeRuneInString(text)
		if size == 0 {
			return "", false
		}
		text = text[size:]
	}
}

// endsIn tells whether text ends in the segment.
func (s segment) endsIn(text string) bool {
	if s.runes == nil {
		return strings.HasSuffix(text, s.text)
	}
	start := len(text)
	for range s.runes {
		_, size := utf8.DecodeLastRuneInString(text[:start])
		if size == 0 {
			return false
		}
		start -= size
	}
	rest, ok := s.cutPrefix(text[start:])
	return ok && rest == ""
}

// like is operand LIKE pattern [ESCAPE escape] with a pattern that depends on the
// message.
type like struct {
	operand, pattern expression
	// escape is nil where there is none.
	escape expression
}

// prepared reads the pattern now if it does not depend on the message; start is its
// first token.
func (l like) prepared(start token) (predicate, error) {
	text, fixed := constantText(l.pattern)
	if !fixed {
		return l, nil
	}
	escape := noEscape
	if l.escape != nil {
		escapeText, fixed := constantText(l.escape)
		if !fixed {
			return l, nil
		}
		var err error
		if escape, err = escapeOf(escapeText); err != nil {
			return nil, start.refuse("%s", reasonOf(err))
		}
	}
	p, err := newPattern(text, escape)
	if err != nil {
		return nil, start.refuse("%s", reasonOf(err))
	}
	return likeConstant{l.operand, p}, nil
}

func constantText(e expression) (string, bool) {
	c, ok := e.(constant)
	return c.value.text, ok && c.value.kind == kindString
}

func (l like) test(m *Message) (truth, error) {
	text, t, err := likeText(l.operand, m)
	if err != nil || t == unknown {
		return t, err
	}
	patternText, t, err := likeText(l.pattern, m)
	if err != nil || t == unknown {
		return t, err
	}
	escape := noEscape
	if l.escape != nil {
		escapeText, t, err := likeText(l.escape, m)
		if err != nil || t == unknown {
			return t, err
		}
		if escape, err = escapeOf(escapeText); err != nil {
			return no, err
		}
	}
	p, err := newPattern(patternText, escape)
	if err != nil {
		return no, err
	}
	return truthOf(p.matches(text)), nil
}

// likeConstant is operand LIKE with a pattern that was read once.
type likeConstant struct {
	operand expression
	pattern pattern
}

func (l likeConstant) test(m *Message) (truth, error) {
	text, t, err := likeText(l.operand, m)
	if err != nil || t == unknown {
		return t, err
	}
	return truthOf(l.pattern.matches(text)), nil
}

// likeText evaluates an operand of LIKE. The truth is unknown when the operand is,
// and otherwise yes.
func likeText(e expression, m *Message) (string, truth, error) {
	v, err := e.evaluate(m)
	switch {
	case err != nil:
		return "", no, err
	case v.kind.absent():
		return "", unknown, nil
	case v.kind != kindString:
		return "", no, failed("operator 'LIKE' cannot be applied to an operand of type '%v'", v.kind)
	}
	return v.text, yes, nil
}

func escapeOf(text string) (rune, error) {
	r, size := utf8.DecodeRuneInString(text)
	if size == 0 || size != len(text) {
		return 0, failed("the escape character of LIKE must be a string of length 1")
	}
	return r, nil
}
