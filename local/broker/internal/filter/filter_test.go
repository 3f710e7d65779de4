package filter

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// order1 is the message that most tables ask about.
func order1() *Message {
	system := map[string]any{
		"MessageId":       "m-1",
		"CorrelationId":   "abc-7",
		"Label":           "the bus stops",
		"To":              "Store5",
		"SequenceNumber":  int64(42),
		"EnqueuedTimeUtc": wire.Timestamp(1_600_000_000_000),
		"TimeToLive":      30 * time.Second,
	}
	return &Message{
		System: func(name string) (any, bool) { v, ok := system[name]; return v, ok },
		Application: NewProperties(wire.Map{
			{Key: "color", Value: "blue"},
			{Key: "Quantity", Value: int32(10)},
			{Key: "price", Value: 2.5},
			{Key: "single", Value: float32(2.08)},
			{Key: "small", Value: int8(-3)},
			{Key: "huge", Value: uint64(1 << 63)},
			{Key: "StoreId", Value: "Store3"},
			{Key: "flag", Value: true},
			{Key: "empty", Value: nil},
			{Key: "HR-EmployeeID", Value: "e-9"},
			{Key: "Property With Space", Value: int64(1)},
			{Key: `Contoso & "Northwind"`, Value: "c"},
			{Key: "odd]name", Value: "o"},
			{Key: "http://schemas.example.com/Claims/EntityLogicalName", Value: "account"},
			{Key: "symbol", Value: wire.Symbol("sym")},
			{Key: "id", Value: wire.UUID{0: 1, 15: 2}},
			{Key: "started", Value: wire.Timestamp(1_600_000_000_000)},
			{Key: "ended", Value: wire.Timestamp(1_600_000_090_000)},
			{Key: "span", Value: wire.Described{Descriptor: wire.Symbol("com.microsoft:timespan"), Value: int64(900_000_000)}},
			{Key: "offset", Value: wire.Described{Descriptor: wire.Symbol("com.microsoft:datetime-offset"), Value: int64(637_355_968_000_000_000)}},
			{Key: "uri", Value: wire.Described{Descriptor: wire.Symbol("com.microsoft:uri"), Value: "http://example.com"}},
			{Key: "bytes", Value: []byte{1}},
			{Key: "which", Value: "color"},
			{Key: "pattern", Value: "b%"},
		}),
	}
}

var given = map[string]any{
	"@blue": "blue", "ten": 10, "@when": time.UnixMilli(1_600_000_000_000), "@minute": time.Minute,
	"@yes": true, "@half": 2.5, "@nothing": nil, "@eight": wire.Timestamp(1_600_000_000_001),
}

// matchesAll are conditions that order1 fulfils.
var matchesAll = []string{
	// The documented examples, in our words.
	"color='blue' AND quantity=10",
	"user.color = 'blue'",
	"sys.Label LIKE '%bus%'",
	"sys.Label LIKE '%tram%' OR user.storeid IN ('queue', 'Store3', 'topic')",
	"StoreId IN('Store1', 'Store2', 'Store3')",
	"sys.To IN ('Store5','Store6','Store7') OR StoreId = 'Store8'",
	"NOT (sys.To NOT IN ('Store5','Store8') OR StoreId NOT IN ('Store1','Store3'))",
	"sys.messageid = 'm-1'",
	"sys.correlationid like 'abc-%'",
	"color = @blue",
	`"http://schemas.example.com/Claims/EntityLogicalName" = 'account'`,
	"Quantity > 1", "Quantity > 2.08", "Quantity = 10 AND price = 2.5", "Quantity = 3 OR price = 2.5",
	"started <= @when", "ended > @when", "(ended-started) > @minute", "ended - started <= span",
	"1=1", "[Property With Space] = 1", "[HR-EmployeeID] = 'e-9'", `"Contoso & ""Northwind""" = 'c'`, "[odd]]name] = 'o'",
	"1894 = 1894.0 AND 1894.1204 > 1894", "101.5E5 = 10150000", "0.5E-2 = .005", "2. = 2.0 AND 1e3 = 1000",
	"'it''s' = 'it''s'", "flag = TRUE", "flag <> false", "flag != FALSE", "TRUE = @yes",
	"empty IS NULL", "missing IS NULL", "color IS NOT NULL", "sys.SessionId IS NULL", "sys.Label is not null",
	"EXISTS(color)", "EXISTS(empty)", "NOT EXISTS(missing)", "EXISTS ( sys.To )", "NOT EXISTS(sys.SessionId)",
	"property('color') = 'blue'", "p('sys.Label') LIKE '%bus%'", "p('user.COLOR') = 'blue'", "p(which) = 'blue'",
	"EXISTS(p(which))", "p('mis' + 'sing') IS NULL", "p(missing) IS NULL",
	"newid() <> newid()", "NEWID() <> id",
	// Names, keywords and parameters in any case.
	"COLOR = 'blue' aNd Between_2 Is nUll aND user.Color = @BLUE", "SYS.TO = 'Store5'", "[sys].[To] = 'Store5'", `user."color" = 'blue'`,
	"sys.Subject = sys.Label", "sys.EnqueuedTime = sys.EnqueuedTimeUtc",
	// Types.
	"quantity = @ten", "price = @half", "small < 0", "small + 3 = 0", "huge > 0", "huge > small", "small < huge", "huge = 9223372036854775807 + huge % 2 OR huge > 9223372036854775807",
	"single < 2.08", "single <> 2.08 AND single > 2.0799", "symbol = 'sym'", "uri LIKE 'http:%'", "id = id", "offset = started",
	"sys.SequenceNumber = 42", "sys.EnqueuedTimeUtc = @when", "sys.EnqueuedTimeUtc < @eight", "sys.TimeToLive < @minute", "sys.TimeToLive + sys.TimeToLive = @minute",
	"started + span = ended", "ended - span = started", "-span < @minute",
	// Arithmetic.
	"quantity + 5 = 15", "quantity / 4 = 2", "quantity / 4.0 = 2.5", "quantity % 4 = 2", "quantity - -5 = 15", "+quantity = 10", "- - quantity = 10",
	"-7 / 2 = -3 AND -7 % 2 = -1", "2 + 3 * 4 = 14", "(2 + 3) * 4 = 20", "10 - 3 - 2 = 5", "100 / 10 / 5 = 2", "7.5 % 2 = 1.5",
	"-9223372036854775808 < 9223372036854775807", "9223372036854775807 + 1 = -9223372036854775808", "1.0 / 0 > 1e308",
	"0.0 / 0 <> 0.0 / 0", "NOT (0.0 / 0 = 0.0 / 0)", "-9223372036854775808 / -1 = -9223372036854775808", "-9223372036854775808 % -1 = 0",
	"'a' + 'b' = 'ab'", "'n=' + quantity = 'n=10'", "color + '-' + flag = 'blue-True'", "'x' + 1.5 = 'x1.5'", "'' + id = '01000000-0000-0000-0000-000000000002'",
	"'a' < 'b' AND 'B' < 'a' AND 'ab' >= 'a'", "color <> 'Blue'",
	// LIKE.
	"color LIKE 'b_ue'", "color LIKE '%'", "color NOT LIKE 'B%'", `'ABC%' LIKE 'ABC\%' ESCAPE '\'`, `'ABCD' NOT LIKE 'ABC\%' ESCAPE '\'`,
	"color LIKE pattern", "'b%' LIKE 'b!%' ESCAPE p('ex' + 'c') OR color LIKE 'b' + '%'", "'' LIKE ''", "'é' LIKE '_'", "'a_b' LIKE 'a|_b' ESCAPE '|'",
	"color LIKE 'bl' + '__'", "'a%' LIKE 'a' + '!%' ESCAPE '!'",
	// IN.
	"quantity IN (1, 2.0, 10)", "quantity IN (5 + 5)", "color IN (missing, 'blue')", "color NOT IN ('red')",
	// Logic.
	"NOT color = 'red' AND NOT quantity = 1", "1=2 AND 1=1 OR 1=1", "1=1 OR 1=1 AND 1=2", "NOT 1=2 OR 1=1", "NOT NOT 1=1",
	"(((1=1)))", "1=1 OR missing = 1", "1=1 OR 'a' = 1", "NOT (1=2 AND 'a' = 1)",
	"color\n=\t'blue'",
}

// matchesNone are conditions that are false or unknown for order1.
var matchesNone = []string{
	"color = 'red'", "color = 'Blue'", "1=0", "color LIKE 'BLUE'", "quantity < 10", "flag = FALSE",
	// Unknown, and what is not of unknown.
	"missing = 1", "NOT missing = 1", "missing <> 1", "missing + 1 > 0", "-missing = 1", "missing LIKE '%'", "NOT missing LIKE '%'",
	"color LIKE missing", "color LIKE 'b' ESCAPE missing", "missing IN (1)", "missing NOT IN (1)", "color NOT IN ('red', missing)",
	"missing = missing", "1=1 AND missing = 1", "1=2 OR missing = 1", "NOT (1=1 AND missing = 1)",
	"empty = 1", "empty <> 1", "NULL = NULL", "color = NULL", "NOT color = NULL", "empty + 1 = 1", "sys.SessionId <> 'x'", "sys.SessionId NOT IN ('x')",
	"color = @nothing", "EXISTS(missing)", "EXISTS(p('missing'))", "color IS NULL", "missing IS NOT NULL",
	"1=1 AND missing = 1 OR 1=2",
}

// fails are conditions that cannot be evaluated for order1, with a part of the reason.
var fails = map[string]string{
	"sys.Body = 'x'":                  "there is no system property 'Body'",
	"p('sys.nothing') = 1":            "there is no system property 'nothing'",
	"sys.nope IS NULL":                "there is no system property",
	"EXISTS(sys.nope)":                "there is no system property",
	"color = 1":                       "operator '=' cannot be applied to operands of type 'String' and 'Int64'",
	"NOT color = 1":                   "operator '='",
	"quantity > 'a'":                  "operator '>' cannot be applied to operands of type 'Int32' and 'String'",
	"color IN (1)":                    "operator '='",
	"flag > FALSE":                    "operator '>' cannot be applied to operands of type 'Boolean' and 'Boolean'",
	"id = 'x'":                        "'Guid' and 'String'",
	"id < id":                         "operator '<'",
	"bytes = bytes":                   "'Object' and 'Object'",
	"started = 'x'":                   "'DateTime' and 'String'",
	"quantity / 0 = 1":                "division by zero",
	"quantity % 0 = 1":                "division by zero",
	"color - 1 = 1":                   "operator '-' cannot be applied to operands of type 'String' and 'Int64'",
	"flag + 1 = 1":                    "operator '+'",
	"-color = 1":                      "operator '-' cannot be applied to operand of type 'String'",
	"+flag = 1":                       "operator '+' cannot be applied to operand of type 'Boolean'",
	"-huge = 1":                       "operator '-' cannot be applied to operand of type 'UInt64'",
	"huge + -1 = 1":                   "operator '+' cannot be applied to operands of type 'UInt64' and 'Int64'",
	"started + ended > @when":         "operator '+'",
	"span * 2 = span":                 "operator '*'",
	"bytes + 'a' = 'a'":               "operator '+'",
	"quantity LIKE '1%'":              "operator 'LIKE' cannot be applied to an operand of type 'Int32'",
	"color LIKE 5":                    "operator 'LIKE'",
	"color LIKE 'a' ESCAPE color":     "string of length 1",
	"color LIKE 'a' + '!' ESCAPE '!'": "ends in its escape character",
	"p(quantity) = 1":                 "function 'property' needs a name of type 'String', not 'Int32'",
	"1=1 AND color = 1":               "operator '='",
	"1=2 OR color = 1":                "operator '='",
}

func TestSQLFilterMatches(t *testing.T) {
	m := order1()
	for _, expression := range matchesAll {
		f, err := ParseSQL(expression, given)
		if err != nil {
			t.Errorf("%s\n%v", expression, err)
			continue
		}
		if ok, err := f.Matches(m); !ok || err != nil {
			t.Errorf("%s\nMatches = %v, %v; want true", expression, ok, err)
		}
	}
}

func TestSQLFilterDoesNotMatch(t *testing.T) {
	m := order1()
	for _, expression := range matchesNone {
		f, err := ParseSQL(expression, given)
		if err != nil {
			t.Errorf("%s\n%v", expression, err)
			continue
		}
		if ok, err := f.Matches(m); ok || err != nil {
			t.Errorf("%s\nMatches = %v, %v; want false", expression, ok, err)
		}
	}
}

func TestSQLFilterThatCannotBeEvaluatedDoesNotMatch(t *testing.T) {
	m := order1()
	for expression, reason := range fails {
		f, err := ParseSQL(expression, given)
		if err != nil {
			t.Errorf("%s\n%v", expression, err)
			continue
		}
		ok, err := f.Matches(m)
		var evaluation *EvaluationError
		if ok || !errors.As(err, &evaluation) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s\nMatches = %v, %v; want an EvaluationError with %q", expression, ok, err, reason)
		}
	}
}

func TestMessageWithoutAnyProperties(t *testing.T) {
	f, err := ParseSQL("a IS NULL AND sys.To IS NULL AND NOT EXISTS(a)", nil)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := f.Matches(&Message{}); !ok || err != nil {
		t.Errorf("Matches = %v, %v", ok, err)
	}
}

func TestBooleanFilters(t *testing.T) {
	if ok, err := True.Matches(&Message{}); !ok || err != nil {
		t.Errorf("True: %v, %v", ok, err)
	}
	if ok, err := False.Matches(&Message{}); ok || err != nil {
		t.Errorf("False: %v, %v", ok, err)
	}
}

// TestSystemPropertiesAreAskedByTheirNames holds the caller's side of
// Message.System: every listed name is asked for in that spelling, whatever the
// expression's.
func TestSystemPropertiesAreAskedByTheirNames(t *testing.T) {
	for _, name := range SystemProperties() {
		f, err := ParseSQL("sys."+strings.ToUpper(name)+" = 'x'", nil)
		if err != nil {
			t.Fatal(err)
		}
		m := &Message{System: func(asked string) (any, bool) { return "x", asked == name }}
		if ok, err := f.Matches(m); !ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
}

func TestPropertiesThatDifferInCase(t *testing.T) {
	for _, more := range []int{0, 20} {
		pairs := wire.Map{{Key: "Color", Value: "first"}, {Key: "color", Value: "second"}}
		for i := range more {
			pairs = append(pairs, wire.Pair{Key: "n" + string(rune('a'+i)), Value: int64(i)})
		}
		f, err := ParseSQL("COLOR = 'first'", nil)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := f.Matches(&Message{Application: NewProperties(pairs)}); !ok || err != nil {
			t.Errorf("%d more: %v, %v", more, ok, err)
		}
	}
}

func TestFilterIsUsedByManyAtOnce(t *testing.T) {
	f, err := ParseSQL("color LIKE 'b%' AND quantity IN (1, 10) AND p(which) = 'blue'", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := order1()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				if ok, err := f.Matches(m); !ok || err != nil {
					t.Errorf("Matches = %v, %v", ok, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestEvaluationErrorKeepsValuesToItself: what a message holds is in no error.
func TestEvaluationErrorKeepsValuesToItself(t *testing.T) {
	m := &Message{Application: NewProperties(wire.Map{{Key: "a", Value: "sys.secret"}, {Key: "b", Value: "secret"}})}
	for _, expression := range []string{"p(a) = 1", "a = 1", "a - b = 1", "a + b > 1", "a LIKE 'x' ESCAPE b", "b LIKE b + '!' ESCAPE '!' AND a = 1"} {
		f, err := ParseSQL(expression, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Matches(m); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v", expression, err)
		}
	}
}

// TestStringsAreBounded: a message may not make a filter build long strings.
func TestStringsAreBounded(t *testing.T) {
	f, err := ParseSQL("a"+strings.Repeat("+a", 300)+" = 'x'", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &Message{Application: NewProperties(wire.Map{{Key: "a", Value: strings.Repeat("x", 30<<10)}})}
	if _, err := f.Matches(m); err == nil {
		t.Error("a string of 9 MB was built")
	}
}
