package filter

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxExpression is the number of characters that a filter or an action may have.
const maxExpression = 1024

// tokenKind is what a token is.
type tokenKind uint8

const (
	endToken tokenKind = iota
	// nameToken is a regular identifier, which may be a keyword.
	nameToken
	// delimitedToken is a name in [] or "".
	delimitedToken
	integerToken
	realToken
	stringToken
	parameterToken
	// signToken is an operator or a punctuation mark.
	signToken
)

// token is one word of an expression.
type token struct {
	kind tokenKind
	// written is the token as it stands in the expression.
	written string
	// text is what it means: a string without its quotes, a keyword or a parameter in
	// one case.
	text string
	// line and column count from 1.
	line, column int
}

// is tells whether the token is the keyword or sign.
func (t token) is(text string) bool {
	return (t.kind == nameToken && strings.EqualFold(t.written, text)) || (t.kind == signToken && t.written == text)
}

// refuse makes the error for an expression that goes wrong at the token.
func (t token) refuse(format string, args ...any) error {
	return &SyntaxError{Line: t.line, Column: t.column, Token: quoted(t.written), Reason: fmt.Sprintf(format, args...)}
}

// unexpected makes the error for a token where something else is wanted.
func (t token) unexpected(wanted string) error {
	if t.kind == endToken {
		return t.refuse("syntax error, unexpected end of the expression, expecting %s", wanted)
	}
	return t.refuse("syntax error, unexpected '%s', expecting %s", quoted(t.written), wanted)
}

// lexer cuts an expression into tokens.
type lexer struct {
	source       string
	position     int
	line, column int
}

func newLexer(source string) (*lexer, error) {
	l := &lexer{source: source, line: 1, column: 1}
	switch {
	case !utf8.ValidString(source):
		return nil, token{line: 1, column: 1}.refuse("the expression is not valid UTF-8")
	case utf8.RuneCountInString(source) > maxExpression:
		return nil, token{line: 1, column: maxExpression + 1}.refuse("the expression is longer than %d characters", maxExpression)
	}
	return l, nil
}

// peek returns the next character, and utf8.RuneError at the end.
func (l *lexer) peek() rune {
	r, _ := utf8.DecodeRuneInString(l.source[l.position:])
	return r
}

// skip goes past one character.
func (l *lexer) skip() {
	r, size := utf8.DecodeRuneInString(l.source[l.position:])
	l.position += size
	l.column++
	if r == '\n' {
		l.line++
		l.column = 1
	}
}

// skipWhile goes past all characters that are in the class.
func (l *lexer) skipWhile(class func(rune) bool) {
	for l.position < len(l.source) && class(l.peek()) {
		l.skip()
	}
}

// next returns the next token.
func (l *lexer) next() (token, error) {
	l.skipWhile(unicode.IsSpace)
	t := token{line: l.line, column: l.column}
	if l.position == len(l.source) {
		return t, nil
	}
	start := l.position
	finish := func(kind tokenKind) token {
		t.kind, t.written = kind, l.source[start:l.position]
		t.text = t.written
		return t
	}
	r := l.peek()
	switch {
	case unicode.IsLetter(r):
		l.skipWhile(inName)
		return finish(nameToken), nil
	case r == '[':
		return l.enclosed(t, ']', delimitedToken)
	case r == '"':
		return l.enclosed(t, '"', delimitedToken)
	case r == '\'':
		return l.enclosed(t, '\'', stringToken)
	case r == '@':
		l.skip()
		l.skipWhile(inName)
		parameter := finish(parameterToken)
		parameter.text = strings.ToLower(parameter.written[1:])
		if parameter.text == "" {
			return t, parameter.refuse("a parameter needs a name after the @")
		}
		return parameter, nil
	case isDigit(r), r == '.' && isDigit(l.after()):
		kind := l.number()
		number := finish(kind)
		if inName(l.peek()) {
			return t, number.refuse("a number must not run into a name")
		}
		return number, nil
	}
	return l.sign(finish)
}

// after returns the character after the next one, which must be ASCII.
func (l *lexer) after() rune {
	r, _ := utf8.DecodeRuneInString(l.source[l.position+1:])
	return r
}

// sign reads an operator or a punctuation mark.
func (l *lexer) sign(finish func(tokenKind) token) (token, error) {
	first := l.peek()
	l.skip()
	switch second := l.peek(); {
	case first == '<' && (second == '=' || second == '>'),
		first == '>' && second == '=',
		first == '!' && second == '=':
		l.skip()
		return finish(signToken), nil
	}
	t := finish(signToken)
	if !strings.ContainsRune("=<>+-*/%(),.;", first) {
		return t, t.refuse("unrecognized character '%c'", first)
	}
	return t, nil
}

// number goes past a number: digits, a decimal point with digits around it, an
// exponent.
func (l *lexer) number() tokenKind {
	kind := integerToken
	l.skipWhile(isDigit)
	if l.peek() == '.' {
		kind = realToken
		l.skip()
		l.skipWhile(isDigit)
	}
	if r := l.peek(); r == 'e' || r == 'E' {
		mark := *l
		l.skip()
		if r := l.peek(); r == '+' || r == '-' {
			l.skip()
		}
		if !isDigit(l.peek()) {
			*l = mark
			return kind
		}
		kind = realToken
		l.skipWhile(isDigit)
	}
	return kind
}

// enclosed reads a token that ends at a quotation mark, which is written twice to
// stand for itself.
func (l *lexer) enclosed(t token, mark rune, kind tokenKind) (token, error) {
	start := l.position
	l.skip()
	var text strings.Builder
	for l.position < len(l.source) {
		r := l.peek()
		l.skip()
		if r != mark {
			text.WriteRune(r)
			continue
		}
		if l.position == len(l.source) || l.peek() != mark {
			t.kind, t.written, t.text = kind, l.source[start:l.position], text.String()
			if kind == delimitedToken && t.text == "" {
				return t, t.refuse("a name must not be empty")
			}
			return t, nil
		}
		text.WriteRune(mark)
		l.skip()
	}
	t.written = l.source[start:]
	return t, t.refuse("the closing %c is missing", mark)
}

func isDigit(r rune) bool { return r >= '0' && r <= '9' }

// inName tells whether a character may follow the first letter of a regular identifier.
func inName(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
