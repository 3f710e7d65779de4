package filter

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// plain is the message that actions are applied to.
func plain() *Message {
	system := map[string]any{"MessageId": "m-1", "CorrelationId": "high", "SequenceNumber": int64(7), "TimeToLive": time.Minute}
	return &Message{
		System: func(name string) (any, bool) { v, ok := system[name]; return v, ok },
		Application: NewProperties(wire.Map{
			{Key: "color", Value: "red"},
			{Key: "Quantity", Value: int32(9)},
			{Key: "priority", Value: "high"},
			{Key: "price", Value: float32(2)},
			{Key: "tiny", Value: uint8(200)},
			{Key: "mark", Value: wire.Symbol("s")},
			{Key: "when", Value: wire.Timestamp(1_600_000_000_000)},
			{Key: "large", Value: uint64(1)},
		}),
	}
}

func TestActionChangesProperties(t *testing.T) {
	for _, test := range []struct {
		action string
		// application holds what differs from before, absent where it is gone.
		application map[string]any
		system      map[string]any
	}{
		// The documented examples.
		{action: "SET quantity = quantity / 2;", application: map[string]any{"Quantity": int32(4)}},
		{action: "SET quantity = quantity / 2; REMOVE priority;SET sys.CorrelationId = 'low';",
			application: map[string]any{"Quantity": int32(4), "priority": absent}, system: map[string]any{"CorrelationId": "low"}},
		{action: "SET sys.Label = 'SalesEvent'", system: map[string]any{"Label": "SalesEvent"}},
		{action: "SET source='routedOrders'", application: map[string]any{"source": "routedOrders"}},
		{action: "SET MessageID=@text SET MessageID=@int SET MessageID=@flag", application: map[string]any{"MessageID": true}},
		{action: "SET EventType = color; REMOVE color;", application: map[string]any{"EventType": "red", "color": absent}},
		// Separators, names and cases.
		{action: "set a = 1, remove PRIORITY", application: map[string]any{"a": int64(1), "priority": absent}},
		{action: "SET [a b] = 1 SET \"c\" = 2;", application: map[string]any{"a b": int64(1), "c": int64(2)}},
		{action: "SET user.New = 1 SET NEW = NEW + 1", application: map[string]any{"New": int64(2)}},
		{action: "REMOVE missing", application: map[string]any{}},
		{action: "REMOVE user.color; REMOVE color", application: map[string]any{"color": absent}},
		// Later statements see what earlier ones did.
		{action: "SET a = sys.CorrelationId; SET sys.CorrelationId = sys.MessageId; SET b = sys.CorrelationId",
			application: map[string]any{"a": "high", "b": "m-1"}, system: map[string]any{"CorrelationId": "m-1"}},
		{action: "REMOVE sys.CorrelationId; SET a = sys.CorrelationId", application: map[string]any{"a": nil}, system: map[string]any{"CorrelationId": nil}},
		// The type that a property had is kept if it can be.
		{action: "SET quantity = 3000000000", application: map[string]any{"Quantity": int64(3000000000)}},
		{action: "SET quantity = quantity / 2.0", application: map[string]any{"Quantity": 4.5}},
		{action: "SET quantity = 4.0", application: map[string]any{"Quantity": int32(4)}},
		{action: "SET quantity = 'many'", application: map[string]any{"Quantity": "many"}},
		{action: "SET price = price * 1.5", application: map[string]any{"price": float32(3)}},
		{action: "SET tiny = tiny + 55", application: map[string]any{"tiny": uint8(255)}},
		{action: "SET tiny = tiny + 56", application: map[string]any{"tiny": int64(256)}},
		{action: "SET tiny = -1", application: map[string]any{"tiny": int64(-1)}},
		{action: "SET large = 5", application: map[string]any{"large": uint64(5)}},
		{action: "SET large = -5", application: map[string]any{"large": int64(-5)}},
		{action: "SET mark = 't'", application: map[string]any{"mark": wire.Symbol("t")}},
		{action: "SET color = mark", application: map[string]any{"color": "s"}},
		// A copy keeps the type of the original.
		{action: "SET a = tiny; SET b = mark; SET c = when; SET d = price",
			application: map[string]any{"a": uint8(200), "b": wire.Symbol("s"), "c": wire.Timestamp(1_600_000_000_000), "d": float32(2)}},
		// Results of operators and parameters have AMQP types.
		{action: "SET a = quantity + quantity; SET b = price + 1.5; SET c = 'x' + quantity; SET d = @int; SET e = @when; SET f = @span",
			application: map[string]any{"a": int32(18), "b": 3.5, "c": "x9", "d": int64(5), "e": wire.Timestamp(1_600_000_000_001),
				"f": wire.Described{Descriptor: wire.Symbol("com.microsoft:timespan"), Value: int64(10_000_000)}}},
		{action: "SET a = when - @when; SET b = when + @span",
			application: map[string]any{"a": wire.Described{Descriptor: wire.Symbol("com.microsoft:timespan"), Value: int64(-10_000)},
				"b": wire.Timestamp(1_600_000_001_000)}},
		// What does not exist is null.
		{action: "SET color = missing; SET b = missing + 1; SET c = NULL", application: map[string]any{"color": nil, "b": nil, "c": nil}},
		// System properties take their own types.
		{action: "SET sys.TimeToLive = sys.TimeToLive + @span; SET sys.ScheduledEnqueueTimeUtc = @when; SET sys.MessageId = quantity",
			system: map[string]any{"TimeToLive": 61 * time.Second, "ScheduledEnqueueTimeUtc": wire.Timestamp(1_600_000_000_001), "MessageId": "9"}},
		{action: "SET sys.Subject = 's'; SET sys.To = missing", system: map[string]any{"Label": "s", "To": nil}},
	} {
		a, err := ParseAction(test.action, map[string]any{"@text": "t", "@int": 5, "@flag": true,
			"@when": time.UnixMilli(1_600_000_000_001), "@span": time.Second})
		if err != nil {
			t.Errorf("%s\n%v", test.action, err)
			continue
		}
		m := plain()
		changes, err := a.Apply(m)
		if err != nil {
			t.Errorf("%s\n%v", test.action, err)
			continue
		}
		if got := difference(m.Application.pairs, changes.Application); !equalMaps(got, test.application) {
			t.Errorf("%s\napplication properties %#v\nwant %#v", test.action, got, test.application)
		}
		if !equalMaps(changes.System, test.system) {
			t.Errorf("%s\nsystem properties %#v\nwant %#v", test.action, changes.System, test.system)
		}
		if !reflect.DeepEqual(m.Application, plain().Application) {
			t.Errorf("%s\nchanged the message itself", test.action)
		}
	}
}

// absent stands for a property that is no longer there.
var absent = struct{ gone bool }{true}

// difference tells what was changed, added and removed.
func difference(before, after wire.Map) map[string]any {
	changed := make(map[string]any)
	for _, p := range after {
		if old, had := before.Get(p.Key.(string)); !had || !reflect.DeepEqual(old, p.Value) {
			changed[p.Key.(string)] = p.Value
		}
	}
	for _, p := range before {
		if _, has := after.Get(p.Key.(string)); !has {
			changed[p.Key.(string)] = absent
		}
	}
	return changed
}

func equalMaps(a, b map[string]any) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

func TestActionKeepsTheOrderOfProperties(t *testing.T) {
	a, err := ParseAction("SET quantity = 1 SET new = 1 REMOVE priority", nil)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := a.Apply(plain())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range changes.Application {
		names = append(names, p.Key.(string))
	}
	if got, want := strings.Join(names, " "), "color Quantity price tiny mark when large new"; got != want {
		t.Errorf("order %q, want %q", got, want)
	}
}

func TestNewIDIsARandomUUID(t *testing.T) {
	a, err := ParseAction("SET a = newid() SET b = newid() SET sys.MessageId = a", nil)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := a.Apply(&Message{})
	if err != nil {
		t.Fatal(err)
	}
	first, second := changes.Application[0].Value.(wire.UUID), changes.Application[1].Value.(wire.UUID)
	if first == second || first[6]>>4 != 4 || first[8]>>6 != 2 {
		t.Errorf("newid gave %x and %x", first, second)
	}
	if id := changes.System["MessageId"]; id != guidText(first) || len(guidText(first)) != 36 {
		t.Errorf("message id %v of %x", id, first)
	}
}

func TestActionThatCannotBeEvaluated(t *testing.T) {
	for action, reason := range map[string]string{
		"SET sys.body = 'x'":                       "there is no system property 'body'",
		"REMOVE sys.body":                          "there is no system property 'body'",
		"SET a = sys.body":                         "there is no system property 'body'",
		"SET sys.SequenceNumber = 1":               "'SequenceNumber' cannot be set",
		"REMOVE sys.EnqueuedTime":                  "'EnqueuedTimeUtc' cannot be set",
		"SET sys.TimeToLive = 5":                   "'TimeToLive' cannot hold a value of type 'Int64'",
		"SET sys.ScheduledEnqueueTimeUtc = 'soon'": "cannot hold a value of type 'String'",
		"SET sys.Label = when":                     "'Label' cannot hold a value of type 'DateTime'",
		"SET a = 1; SET b = quantity / 0":          "division by zero",
		"SET a = color - 1":                        "operator '-'",
	} {
		a, err := ParseAction(action, nil)
		if err != nil {
			t.Errorf("%s\n%v", action, err)
			continue
		}
		changes, err := a.Apply(plain())
		var evaluation *EvaluationError
		if !errors.As(err, &evaluation) || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s\nerror %v, want %q", action, err, reason)
		}
		if changes.Application != nil || changes.System != nil {
			t.Errorf("%s\nchanges %v beside an error", action, changes)
		}
	}
}

func TestActionIsRefused(t *testing.T) {
	for _, test := range []struct {
		action string
		column int
		reason string
	}{
		{"", 1, "expecting SET, or REMOVE"},
		{";", 1, "expecting SET, or REMOVE"},
		{"SET a = 1;;", 11, "expecting SET, or REMOVE"},
		{"SET a", 6, "expecting '='"},
		{"SET a =", 8, "expecting a value"},
		{"SET = 1", 5, "the name of a property"},
		{"SET 'a' = 1", 5, "the name of a property"},
		{"SET p('a') = 1", 6, "expecting '='"},
		{"SET set = 1", 5, "write [set]"},
		{"SET a = remove", 9, "write [remove]"},
		{"SET a = b = c", 11, "expecting SET, or REMOVE"},
		{"SET a = (b = c)", 9, "a value is expected"},
		{"SET a = EXISTS(b)", 9, "a value is expected"},
		{"SET other.a = 1", 5, "the scope 'other' does not exist"},
		{"SET a = @b", 9, "has no value"},
		{"REMOVE", 7, "the name of a property"},
		{"REMOVE a b", 10, "expecting SET, or REMOVE"},
		{"DELETE a", 1, "expecting SET, or REMOVE"},
		{strings.Repeat("SET a=1;", 33), 257, "more than 32 statements"},
		{"SET a = '" + strings.Repeat("x", 1024) + "'", 1025, "longer than 1024 characters"},
	} {
		_, err := ParseAction(test.action, nil)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || syntax.Column != test.column || !strings.Contains(syntax.Reason, test.reason) {
			t.Errorf("%s\nerror %v\nwant column %d: %s", test.action, err, test.column, test.reason)
		}
	}
	if _, err := ParseAction(strings.Repeat("SET a=1;", 32), nil); err != nil {
		t.Error(err)
	}
}
