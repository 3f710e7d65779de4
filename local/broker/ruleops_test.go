package broker_test

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// addition is the body of a request for a rule.
func addition(name string, description wire.Map) wire.Map {
	return wire.Map{{Key: "rule-name", Value: name}, {Key: "rule-description", Value: description}}
}

func holds(name string, v any) wire.Map { return wire.Map{{Key: name, Value: v}} }

func sqlFilter(sql string) wire.Map { return holds("sql-filter", holds("expression", sql)) }

func paged(skip, top int32) wire.Map {
	return wire.Map{{Key: "skip", Value: skip}, {Key: "top", Value: top}}
}

func describes(descriptor uint64, fields ...any) wire.Described {
	return wire.Described{Descriptor: descriptor, Value: append(wire.List{}, fields...)}
}

func TestRuleOperations(t *testing.T) {
	s := start(t, oneSubscription())
	p := openPeer(t, s)
	p.begin()
	r := openRPC(p, "t/Subscriptions/s/$management", "me")
	call := func(want int32, name string, body wire.Map) (wire.Map, any) {
		t.Helper()
		answer, value := r.call("me", operation("com.microsoft:"+name), body)
		if got := status(t, answer); got != want {
			t.Errorf("%s %v: status %d, want %d: %v", name, body, got, want, answer)
		}
		return answer, value
	}
	call(200, "add-rule", addition("sql", append(sqlFilter("a = 1"), holds("sql-rule-action", holds("expression", "SET b = 2"))...)))
	correlation := wire.Map{
		{Key: "correlation-id", Value: "c"}, {Key: "message-id", Value: nil}, {Key: "to", Value: "t"}, {Key: "label", Value: wire.Symbol("l")},
		{Key: "properties", Value: wire.Map{{Key: "n", Value: int32(5)}, {Key: "at", Value: wire.Timestamp(1000)},
			{Key: "for", Value: wire.Described{Descriptor: wire.Symbol("com.microsoft:timespan"), Value: int64(50_000_000)}}}},
	}
	call(200, "add-rule", addition("correlation", holds("correlation-filter", correlation)))
	if err := s.CreateRule("t", "s", broker.Rule{Name: "never", Never: true}); err != nil {
		t.Fatal(err)
	}
	_, value := call(200, "enumerate-rules", paged(0, 1<<31-1))
	body, _ := value.(wire.Map)
	rules, _ := body.Get("rules")
	var got []wire.List
	for _, entry := range rules.(wire.List) {
		v, _ := entry.(wire.Map).Get("rule-description")
		d := v.(wire.Described)
		fields := d.Value.(wire.List)
		if _, timed := fields[3].(wire.Timestamp); d.Descriptor != uint64(0x13700000004) || !timed {
			t.Errorf("rule %+v", d)
		}
		got = append(got, fields[:3])
	}
	none := describes(0x13700000005)
	want := []wire.List{
		{describes(0x1370000007), none, "$Default"},
		{describes(0x1370000009, "c", nil, "t", nil, "l", nil, nil, nil, wire.Map{
			{Key: "at", Value: wire.Timestamp(1000)},
			{Key: "for", Value: wire.Described{Descriptor: wire.Symbol("com.microsoft:timespan"), Value: int64(50_000_000)}},
			{Key: "n", Value: int32(5)},
		}), none, "correlation"},
		{describes(0x1370000008), none, "never"},
		{describes(0x1370000006, "a = 1", int32(20)), describes(0x13700000006, "SET b = 2", int32(20)), "sql"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rules (-want +got):\n%s", d)
	}
	if _, value := call(200, "enumerate-rules", paged(1, 2)); len(mustList(t, value)) != 2 {
		t.Errorf("page %v", value)
	}
	call(204, "enumerate-rules", paged(4, 10))
	call(400, "enumerate-rules", paged(0, 0))
	call(400, "enumerate-rules", paged(-1, 1))
	call(400, "enumerate-rules", holds("skip", int32(0)))
	for _, c := range []struct {
		status               int32
		operation, condition string
		body                 wire.Map
		text                 string
	}{
		{409, "add-rule", "com.microsoft:entity-already-exists", addition("SQL", sqlFilter("a = 2")), "SQL' already exists."},
		{404, "remove-rule", "amqp:not-found", holds("rule-name", "none"), "none' could not be found"},
		{400, "remove-rule", "com.microsoft:argument-error", wire.Map{}, "rule-name"},
		{400, "add-rule", "com.microsoft:argument-error", addition("wrong", sqlFilter("a =")), "SQL expression"},
		{400, "add-rule", "com.microsoft:argument-error", addition("a/b", sqlFilter("a = 1")), "name"},
		{400, "add-rule", "com.microsoft:argument-error", wire.Map{}, "rule-name"},
		{400, "add-rule", "com.microsoft:argument-error", holds("rule-name", "x"), "rule-description"},
		{400, "add-rule", "com.microsoft:argument-error", addition("x", wire.Map{}), "either"},
		{400, "add-rule", "com.microsoft:argument-error", addition("x", append(sqlFilter("a = 1"), holds("correlation-filter", wire.Map{})...)), "either"},
		{400, "add-rule", "com.microsoft:argument-error", addition("x", holds("sql-filter", "a = 1")), "map"},
		{400, "add-rule", "com.microsoft:argument-error", addition("x", sqlFilter("")), "expression"},
		{400, "add-rule", "com.microsoft:argument-error", addition("x", append(sqlFilter("a = 1"), holds("sql-rule-action", wire.Map{})...)), "expression"},
		{400, "add-rule", "com.microsoft:argument-error", addition("x", holds("correlation-filter", holds("label", int32(1)))), "label"},
		{400, "add-rule", "com.microsoft:argument-error",
			addition("x", holds("correlation-filter", holds("properties", wire.Map{{Key: int32(1), Value: "v"}}))), "names"},
		{400, "add-rule", "com.microsoft:argument-error",
			addition("x", holds("correlation-filter", holds("properties", holds("k", wire.List{})))), "type"},
	} {
		answer, _ := call(c.status, c.operation, c.body)
		condition, _ := answer.Get("errorCondition")
		text, _ := answer.Get("statusDescription")
		if condition != wire.Symbol(c.condition) || !strings.Contains(text.(string), c.text) {
			t.Errorf("%s %v: %v, %v", c.operation, c.body, condition, text)
		}
	}
	call(200, "remove-rule", holds("rule-name", "$default"))
	if got, err := administer(t, s).GetRule(deadline(t), "t", "s", "sql", nil); err != nil ||
		!cmp.Equal(got.Filter, admin.RuleFilter(&admin.SQLFilter{Expression: "a = 1"})) {
		t.Errorf("the admin client has %+v, %v", got, err)
	}
}

func mustList(t *testing.T, body any) wire.List {
	t.Helper()
	m, _ := body.(wire.Map)
	v, _ := m.Get("rules")
	list, ok := v.(wire.List)
	if !ok {
		t.Fatalf("body %v", body)
	}
	return list
}

func TestOnlyASubscriptionHasRules(t *testing.T) {
	for _, node := range []string{"q/$management", "t/$management"} {
		p := openPeer(t, start(t, topicAndQueue))
		p.begin()
		r := openRPC(p, node, "me")
		for _, name := range []string{"add-rule", "remove-rule", "enumerate-rules"} {
			answer, _ := r.call("me", operation("com.microsoft:"+name), append(addition("r", sqlFilter("a = 1")), paged(0, 1)...))
			if condition, _ := answer.Get("errorCondition"); status(t, answer) != 400 || condition != wire.CondNotAllowed {
				t.Errorf("%s at %s: %v", name, node, answer)
			}
		}
	}
}

// rhea writes whole numbers as unsigned ones, and no administration client reads
// other whole numbers than ints.
func TestWholeNumbersOfARuleAreRead(t *testing.T) {
	s := start(t, broker.Options{Topics: []broker.Topic{{Name: "t", Subscriptions: []broker.Subscription{{Name: "s"}}}}})
	p := openPeer(t, s)
	p.begin()
	r := openRPC(p, "t/Subscriptions/s/$management", "me")
	properties := wire.Map{{Key: "a", Value: uint8(1)}, {Key: "b", Value: uint16(2)}, {Key: "c", Value: uint32(3)}, {Key: "d", Value: uint64(4)}, {Key: "e", Value: int32(-5)}}
	answer, _ := r.call("me", operation("com.microsoft:add-rule"), addition("r", holds("correlation-filter", holds("properties", properties))))
	if got := status(t, answer); got != 200 {
		t.Fatalf("status %d", got)
	}
	got, err := administer(t, s).GetRule(deadline(t), "t", "s", "r", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"a": int64(1), "b": int64(2), "c": int64(3), "d": int64(4), "e": int64(-5)}
	if d := cmp.Diff(want, got.Filter.(*admin.CorrelationFilter).ApplicationProperties); d != "" {
		t.Errorf("properties (-want +got):\n%s", d)
	}
	sendTo(t, connect(t, s), "t", &azservicebus.Message{ApplicationProperties: map[string]any{
		"a": uint8(1), "b": uint16(2), "c": uint32(3), "d": uint64(4), "e": int64(-5),
	}})
	if err := s.DeleteRule("t", "s", "$Default"); err != nil {
		t.Fatal(err)
	}
	sendTo(t, connect(t, s), "t", &azservicebus.Message{ApplicationProperties: map[string]any{
		"a": int32(1), "b": int64(2), "c": uint32(3), "d": uint64(4), "e": int64(-5),
	}})
	if got := counts(t, s, "t/Subscriptions/s"); got.Active != 2 {
		t.Errorf("%d messages, want both", got.Active)
	}
}
