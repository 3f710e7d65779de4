package broker_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// A client that may listen may add rules, but not without end.
func TestRulesWithoutEnd(t *testing.T) {
	s := start(t, broker.Options{
		Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{subscription("a"), subscription("b")}}},
		Keys:   []broker.Key{{Name: "RootManageSharedAccessKey", Value: "SAS_KEY_VALUE", Rights: broker.RightListen}},
	})
	made := 2 // the rules named $Default
	for ; made < 3000; made++ {
		if err := s.CreateRule("t", "a", broker.Rule{Name: fmt.Sprint(made), SQL: "n = 1"}); err != nil {
			if made != 2000 || !errors.Is(err, broker.ErrQuotaExceeded) {
				t.Fatalf("rule %d: %v", made, err)
			}
			break
		}
	}
	p := openPeer(t, s)
	p.begin()
	r := openRPC(p, "t/Subscriptions/b/$management", "me")
	add := func(name string, filter wire.Pair) wire.Map {
		answer, _ := r.call("me", operation("com.microsoft:add-rule"), wire.Map{
			{Key: "rule-name", Value: name}, {Key: "rule-description", Value: wire.Map{filter}},
		})
		return answer
	}
	if answer := add("sql", wire.Pair{Key: "sql-filter", Value: wire.Map{{Key: "expression", Value: "n = 1"}}}); status(t, answer) != 403 {
		t.Errorf("one more SQL filter, of another subscription: %v", answer)
	}
	label := func(n int) wire.Pair {
		return wire.Pair{Key: "correlation-filter", Value: wire.Map{{Key: "label", Value: strings.Repeat("x", n)}}}
	}
	if answer := add("small", label(30<<10)); status(t, answer) != 200 {
		t.Errorf("a correlation filter: %v", answer)
	}
	if answer := add("large", label(40<<10)); status(t, answer) != 400 {
		t.Errorf("a large correlation filter: %v", answer)
	}
	if err := s.DeleteRule("t", "A", "1000"); err != nil {
		t.Error(err)
	}
	if answer := add("sql", wire.Pair{Key: "sql-filter", Value: wire.Map{{Key: "expression", Value: "n = 1"}}}); status(t, answer) != 200 {
		t.Errorf("in the place of another: %v", answer)
	}
}

func TestEntitiesWithoutEnd(t *testing.T) {
	s, err := broker.New(broker.Options{Topics: []broker.Topic{{Name: "t"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, tt := range map[string]struct {
		most int
		make func(name string) error
	}{
		"queues":        {10_000 - 1, func(name string) error { return s.CreateQueue(broker.Queue{Name: name}) }},
		"subscriptions": {2000, func(name string) error { return s.CreateSubscription("t", broker.Subscription{Name: name}) }},
	} {
		for i := range tt.most {
			if err := tt.make(fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := tt.make("another"); !errors.Is(err, broker.ErrQuotaExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(s.DeleteQueue("7"), s.CreateTopic(broker.Topic{Name: "in its place"})); err != nil {
		t.Error(err)
	}
}
