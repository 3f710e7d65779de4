package filter

import (
	"errors"
	"slices"
	"testing"

	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// FuzzParse reads any text as a filter and as an action. Whatever is accepted is
// evaluated; nothing may panic, hang (go test gives it ten seconds), or fail with another
// error than documented. The seeds are all expressions of the other tests.
func FuzzParse(f *testing.F) {
	for _, list := range [][]string{matchesAll, matchesNone} {
		for _, expression := range list {
			f.Add(expression)
		}
	}
	for expression := range fails {
		f.Add(expression)
	}
	for _, test := range refused {
		f.Add(test.expression)
	}
	m := order1()
	f.Fuzz(func(t *testing.T, expression string) {
		parsed, err := ParseSQL(expression, given)
		checkParse(t, parsed != nil, err)
		if err == nil {
			ok, err := parsed.Matches(m)
			checkEvaluation(t, err)
			if ok && err != nil {
				t.Errorf("matches with error %v", err)
			}
		}
		action, err := ParseAction(expression, given)
		checkParse(t, action != nil, err)
		if err == nil {
			_, err := action.Apply(m)
			checkEvaluation(t, err)
		}
	})
}

func checkParse(t *testing.T, parsed bool, err error) {
	t.Helper()
	var syntax *SyntaxError
	switch {
	case parsed != (err == nil):
		t.Errorf("parsed is %v with error %v", parsed, err)
	case err != nil && !errors.As(err, &syntax):
		t.Errorf("error of type %T: %v", err, err)
	case err != nil && (syntax.Line < 1 || syntax.Column < 1 || syntax.Reason == ""):
		t.Errorf("error without place or reason: %#v", syntax)
	}
}

func checkEvaluation(t *testing.T, err error) {
	t.Helper()
	var evaluation *EvaluationError
	if err != nil && !errors.As(err, &evaluation) {
		t.Errorf("error of type %T: %v", err, err)
	}
}

// FuzzLike compares LIKE with its reference for any text and pattern.
func FuzzLike(f *testing.F) {
	f.Add("blue", "b%e")
	f.Add("a%b", "a!%_")
	f.Add("aaaaaaaa", "%a%a_%a")
	f.Add("é\u0301", "_%")
	f.Fuzz(func(t *testing.T, text, patternText string) {
		// The table is slow, and works on whole characters.
		if len(text) > 200 || len(patternText) > 100 {
			return
		}
		text, patternText = string([]rune(text)), string([]rune(patternText))
		p, err := newPattern(patternText, '!')
		if err != nil {
			return
		}
		if got, want := p.matches(text), likeReference(text, patternText, '!'); got != want {
			t.Errorf("%q LIKE %q = %v, want %v", text, patternText, got, want)
		}
	})
}

// FuzzMatch asks filters about any application properties, in AMQP, and has actions
// change them.
func FuzzMatch(f *testing.F) {
	properties, err := wire.AppendValue(nil, wire.Map{
		{Key: "a", Value: int32(1)}, {Key: "B", Value: "text"}, {Key: "c", Value: wire.Timestamp(1)}, {Key: "d", Value: nil}, {Key: "e", Value: 1.5},
		{Key: "f", Value: wire.UUID{1}}, {Key: wire.Symbol("g"), Value: []byte("x")}, {Key: "h", Value: wire.ArrayOf(int64(1))}, {Key: "i", Value: uint64(1)},
	})
	if err != nil {
		f.Fatal(err)
	}
	for _, expression := range []string{
		"a = 1 AND b LIKE 't%'", "c > d OR e IN (1, 1.5, NULL)", "EXISTS(f) AND g IS NOT NULL", "h = h", "i + a > e * 2", "-a < 0 AND NOT (b = 'x')",
		"SET a = b + b; REMOVE c", "SET j = i - a; SET sys.Label = b", "SET e = e / d",
	} {
		f.Add(expression, properties)
	}
	f.Fuzz(func(t *testing.T, expression string, section []byte) {
		v, _, err := wire.DecodeValue(section)
		pairs, ok := v.(wire.Map)
		if err != nil || !ok {
			return
		}
		m := &Message{Application: NewProperties(pairs), System: func(name string) (any, bool) {
			i := slices.IndexFunc(pairs, func(p wire.Pair) bool { return keyText(p.Key) == name })
			if i < 0 {
				return nil, false
			}
			return pairs[i].Value, true
		}}
		if parsed, err := ParseSQL(expression, given); err == nil {
			_, err := parsed.Matches(m)
			checkEvaluation(t, err)
		}
		if action, err := ParseAction(expression, given); err == nil {
			changes, err := action.Apply(m)
			checkEvaluation(t, err)
			if _, err := wire.AppendApplicationProperties(nil, changes.Application); err != nil {
				t.Errorf("the changes can't be encoded: %v", err)
			}
		}
	})
}
