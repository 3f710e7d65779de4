package filter

import (
	"testing"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

func TestCorrelationFilter(t *testing.T) {
	text := func(s string) *string { return &s }
	system := map[string]any{"ContentType": "t", "CorrelationId": "high", "Label": "red", "MessageId": "m", "ReplyTo": "r",
		"ReplyToSessionId": "rs", "SessionId": "s", "To": ""}
	m := &Message{
		System: func(name string) (any, bool) { v, ok := system[name]; return v, ok },
		Application: NewProperties(wire.Map{{Key: "Color", Value: "Red"}, {Key: "n", Value: int32(5)}, {Key: "f", Value: true},
			{Key: "null", Value: nil}, {Key: "when", Value: wire.Timestamp(5)}, {Key: "bytes", Value: []byte{1}}}),
	}
	everything := Correlation{ContentType: text("t"), CorrelationID: text("high"), Label: text("red"), MessageID: text("m"), ReplyTo: text("r"),
		ReplyToSessionID: text("rs"), SessionID: text("s"), To: text(""), Properties: map[string]any{"color": "Red", "N": int64(5), "f": true}}
	for _, test := range []struct {
		name  string
		c     Correlation
		match bool
	}{
		{"nothing", Correlation{}, true},
		{"everything", everything, true},
		{"label and correlation id", Correlation{Label: text("red"), CorrelationID: text("high")}, true},
		{"one of two", Correlation{Label: text("red"), CorrelationID: text("low")}, false},
		{"other case", Correlation{Label: text("Red")}, false},
		{"empty is not unset", Correlation{Label: text("")}, false},
		{"property in other case", Correlation{Properties: map[string]any{"color": "red"}}, false},
		{"name in other case", Correlation{Properties: map[string]any{"COLOR": "Red"}}, true},
		{"property that is missing", Correlation{Properties: map[string]any{"missing": "x"}}, false},
		{"number of another type", Correlation{Properties: map[string]any{"n": 5.0}}, true},
		{"number as text", Correlation{Properties: map[string]any{"n": "5"}}, false},
		{"boolean", Correlation{Properties: map[string]any{"f": false}}, false},
		{"time", Correlation{Properties: map[string]any{"when": wire.Timestamp(5)}}, true},
		{"null equals nothing", Correlation{Properties: map[string]any{"null": nil}}, false},
		{"binary equals nothing", Correlation{Properties: map[string]any{"bytes": []byte{1}}}, false},
		{"system and application", Correlation{Label: text("red"), Properties: map[string]any{"n": 6}}, false},
	} {
		if got, err := test.c.Filter().Matches(m); got != test.match || err != nil {
			t.Errorf("%s: Matches = %v, %v; want %v", test.name, got, err, test.match)
		}
	}
	if got, err := everything.Filter().Matches(&Message{}); got || err != nil {
		t.Errorf("message without properties: Matches = %v, %v", got, err)
	}
}

// TestCorrelationIsAsSQL holds the equivalence that the documentation gives.
func TestCorrelationIsAsSQL(t *testing.T) {
	label, replyTo := "Important", "someone@contoso.example"
	c := Correlation{Label: &label, ReplyTo: &replyTo, Properties: map[string]any{"color": "Red"}}.Filter()
	s, err := ParseSQL("sys.ReplyTo = 'someone@contoso.example' AND sys.Label = 'Important' AND color = 'Red'", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 {
		system := map[string]any{}
		var application wire.Map
		if i&1 != 0 {
			system["ReplyTo"] = replyTo
		}
		if i&2 != 0 {
			system["Label"] = label
		}
		if i&4 != 0 {
			application = wire.Map{{Key: "Color", Value: "Red"}}
		}
		m := &Message{System: func(n string) (any, bool) { v, ok := system[n]; return v, ok }, Application: NewProperties(application)}
		a, errA := c.Matches(m)
		b, errB := s.Matches(m)
		if a != b || a != (i == 7) || errA != nil || errB != nil {
			t.Errorf("%d: correlation %v, %v; SQL %v, %v", i, a, errA, b, errB)
		}
	}
}
