package filter

import (
	"errors"
	"strings"
	"testing"
)

// refused are expressions that are no filter: where, and a part of the reason.
var refused = []struct {
	expression   string
	line, column int
	reason       string
}{
	{"", 1, 1, "unexpected end of the expression, expecting a value"},
	{"  \n ", 2, 2, "unexpected end"},
	{"color", 1, 1, "a condition is expected"},
	{"TRUE", 1, 1, "a condition is expected"},
	{"1 + 1", 1, 1, "a condition is expected"},
	{"NOT color", 1, 5, "a condition is expected"},
	{"color AND 1=1", 1, 1, "a condition is expected"},
	{"1=1 OR (color)", 1, 8, "a condition is expected"},
	{"color =", 1, 8, "unexpected end of the expression, expecting a value"},
	{"color = = 1", 1, 9, "unexpected '=', expecting a value"},
	{"color == 'a'", 1, 8, "unexpected '=', expecting a value"},
	{"a = b = c", 1, 7, "unexpected '=', expecting an operator or the end"},
	{"(a = b) = c", 1, 1, "a value is expected"},
	{"a = (b = c)", 1, 5, "a value is expected"},
	{"(a = 1) + 1 = 2", 1, 1, "a value is expected"},
	{"1 + (a = 1) = 2", 1, 5, "a value is expected"},
	{"-(a = 1) = 2", 1, 2, "a value is expected"},
	{"a = 1 b = 2", 1, 7, "unexpected 'b', expecting an operator or the end"},
	{"a = 1;", 1, 6, "unexpected ';'"},
	{"(a = 1", 1, 7, "unexpected end of the expression, expecting ')'"},
	{"a = 1)", 1, 6, "unexpected ')'"},
	{"a IN 1", 1, 6, "expecting '('"},
	{"a IN ()", 1, 7, "expecting a value"},
	{"a IN (1, )", 1, 10, "expecting a value"},
	{"a IN (1 2)", 1, 9, "expecting ')'"},
	{"a IN (1, (b = 2))", 1, 10, "a value is expected"},
	{"a NOT = 1", 1, 7, "expecting 'IN' or 'LIKE'"},
	{"a LIKE", 1, 7, "expecting a value"},
	{"a LIKE 'x' ESCAPE", 1, 18, "expecting a value"},
	{"a LIKE 'x' ESCAPE 'ab'", 1, 8, "string of length 1"},
	{"a LIKE 'x' ESCAPE ''", 1, 8, "string of length 1"},
	{"a LIKE 'x!' ESCAPE '!'", 1, 8, "ends in its escape character"},
	{"a IS 1", 1, 6, "expecting 'NULL'"},
	{"a IS NOT 1", 1, 10, "expecting 'NULL'"},
	{"1 IS NULL", 1, 1, "IS NULL asks about a property"},
	{"a + 1 IS NULL", 1, 1, "IS NULL asks about a property"},
	{"EXISTS a", 1, 8, "expecting '('"},
	{"EXISTS()", 1, 8, "the name of a property"},
	{"EXISTS('a')", 1, 8, "the name of a property"},
	{"EXISTS(newid())", 1, 8, "EXISTS asks about a property"},
	{"EXISTS(a) = TRUE", 1, 1, "a value is expected"},
	{"a BETWEEN 1 AND 2", 1, 3, "unexpected 'BETWEEN'"},
	{"color 'blue'", 1, 7, "unexpected ''blue'', expecting a comparison"},
	{"upper(a) = 'X'", 1, 1, "the function 'upper' does not exist"},
	{"newid(1) = a", 1, 7, "expecting ')'"},
	{"property() = 1", 1, 10, "expecting a value"},
	{"p('a', 'b') = 1", 1, 6, "expecting ')'"},
	{"foo.bar = 1", 1, 1, "the scope 'foo' does not exist"},
	{"sys. = 1", 1, 6, "the name of a property"},
	{"sys.like = 1", 1, 5, "write [like]"},
	{"and = 1", 1, 1, "write [and]"},
	{"a = escape", 1, 5, "write [escape]"},
	{"a = 'x", 1, 5, "the closing ' is missing"},
	{"[a = 1", 1, 1, "the closing ] is missing"},
	{`"a = 1`, 1, 1, `the closing " is missing`},
	{"[] = 1", 1, 1, "a name must not be empty"},
	{"_a = 1", 1, 1, "unrecognized character '_'"},
	{"a = #1", 1, 5, "unrecognized character '#'"},
	{"a = 1 && b = 2", 1, 7, "unrecognized character '&'"},
	{"a ! = 1", 1, 3, "unrecognized character '!'"},
	{"a = @", 1, 5, "a parameter needs a name"},
	{"a = @other", 1, 5, "the parameter '@other' has no value"},
	{"a = @list", 1, 5, "of a type that is not supported"},
	{"a = 1x", 1, 5, "must not run into a name"},
	{"a = 1e", 1, 5, "must not run into a name"},
	{"a = 0x1F", 1, 5, "must not run into a name"},
	{"a = 9223372036854775808", 1, 5, "out of the range of an Int64"},
	{"a = -9223372036854775809", 1, 6, "out of the range of an Int64"},
	{"a = 1e999", 1, 5, "out of the range of a Double"},
	{"a = 'é' AND\n  b == 1", 2, 6, "unexpected '='"},
	{"a = '\xff'", 1, 1, "not valid UTF-8"},
	{strings.Repeat("(", 101) + "1=1" + strings.Repeat(")", 101), 1, 101, "nested deeper than 100"},
	{strings.Repeat("NOT ", 101) + "1=1", 1, 401, "nested deeper than 100"},
	{"a = " + strings.Repeat("- ", 101) + "b", 1, 205, "nested deeper than 100"},
	{"a = " + strings.Repeat("p(", 101) + "b", 1, 207, "nested deeper than 100"},
	{"a = '" + strings.Repeat("é", 1024) + "'", 1, 1025, "longer than 1024 characters"},
}

func TestSQLFilterIsRefused(t *testing.T) {
	parameters := map[string]any{"@list": []byte{1}}
	for _, test := range refused {
		_, err := ParseSQL(test.expression, parameters)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%s\nwas not refused: %v", test.expression, err)
			continue
		}
		if syntax.Line != test.line || syntax.Column != test.column || !strings.Contains(syntax.Reason, test.reason) {
			t.Errorf("%s\nrefused at %d:%d: %s\nwant %d:%d: %s",
				test.expression, syntax.Line, syntax.Column, syntax.Reason, test.line, test.column, test.reason)
		}
	}
}

func TestSyntaxErrorHasTheTextOfServiceBus(t *testing.T) {
	_, err := ParseAction("EventType = 'x'", nil)
	const want = "There was an error parsing the SQL expression.\n" +
		"[Token line=1, column=1, Token in error= EventType, Additional details= syntax error, unexpected 'EventType', expecting SET, or REMOVE]"
	if err == nil || err.Error() != want {
		t.Errorf("error %q\nwant  %q", err, want)
	}
}

func TestSyntaxErrorRepeatsLittle(t *testing.T) {
	_, err := ParseSQL("a = 1 '"+strings.Repeat("x", 900)+"'", nil)
	if err == nil || len(err.Error()) > 400 {
		t.Errorf("error of %d bytes: %v", len(err.Error()), err)
	}
}

func TestExpressionOfMostCharacters(t *testing.T) {
	expression := "a = '" + strings.Repeat("é", 1024-6) + "'"
	if _, err := ParseSQL(expression, nil); err != nil {
		t.Error(err)
	}
	if _, err := ParseSQL(strings.Repeat("(", 100)+"1=1"+strings.Repeat(")", 100), nil); err != nil {
		t.Error(err)
	}
}
