package filter

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// SyntaxError says why an expression is not a filter or an action, and where. Its
// text is that of Service Bus and fit for the description of an error that a client
// gets.
type SyntaxError struct {
	// Line and Column count from 1; a column is one character.
	Line, Column int
	// Token is the text at which parsing stopped, empty at the end of the expression.
	Token string
	// Reason says what is wrong with it.
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("There was an error parsing the SQL expression.\n"+
		"[Token line=%d, column=%d, Token in error= %s, Additional details= %s]",
		e.Line, e.Column, e.Token, e.Reason)
}

// EvaluationError says why a filter or an action could not be evaluated for a
// message. It tells types and names, never values.
type EvaluationError struct {
	Reason string
}

func (e *EvaluationError) Error() string {
	return "The filter or action could not be evaluated: " + e.Reason
}

func failed(format string, args ...any) error {
	return &EvaluationError{Reason: fmt.Sprintf(format, args...)}
}

// reasonOf returns why an evaluation failed, without the words around it.
func reasonOf(err error) string {
	var evaluation *EvaluationError
	if errors.As(err, &evaluation) {
		return evaluation.Reason
	}
	return err.Error()
}

// maxQuoted bounds how much of an expression an error repeats.
const maxQuoted = 40

// quoted cuts text that goes into an error.
func quoted(text string) string {
	if utf8.RuneCountInString(text) <= maxQuoted {
		return text
	}
	return string([]rune(text)[:maxQuoted]) + "…"
}
