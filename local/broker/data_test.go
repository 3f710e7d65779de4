package broker

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// A rule is restored to the last type of its values.
func TestRulesKeepTheTypesOfTheirValues(t *testing.T) {
	to := "to"
	values := map[string]any{
		"@text": "a", "@int": int32(1), "@long": int64(2), "@ushort": uint16(3), "@double": 1.5, "@yes": true, "@binary": []byte("b"),
		"@when": time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC), "@for": 90 * time.Second, "@null": nil,
	}
	rule := Rule{
		Name: "r", Action: "SET a = @long", Parameters: values, ActionParameters: map[string]any{"@long": int64(4)},
		Correlation: &CorrelationFilter{To: &to, Properties: values},
	}
	saved, err := saveRule(rule)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(saved)
	if err != nil {
		t.Fatal(err)
	}
	var again savedRule
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	got, err := again.rule()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rule, got); diff != "" {
		t.Errorf("(-saved +restored):\n%s", diff)
	}
}

// A message that the disk does not give back is not delivered as an empty one.
func TestAMessageThatCanNotBeReadIsNotSent(t *testing.T) {
	if b, err := delivered(queue.Delivery{}); err == nil {
		t.Errorf("it was encoded as % x", b)
	}
	if _, err := delivered(queue.Delivery{Message: queue.Message{Payload: []byte{}}}); err != nil {
		t.Errorf("one without any section: %v", err)
	}
}
