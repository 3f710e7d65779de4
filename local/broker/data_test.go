package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
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
		"@number": 7, "@zoneless": time.Date(2026, 3, 1, 12, 0, 0, 5, zoneless),
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
	if at := got.Parameters["@zoneless"].(time.Time).Location(); at != zoneless {
		t.Errorf("a time without a zone has come to be one in %v", at)
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

// Whoever still has to do with a queue that is gone can't put anything anywhere, nor
// change the one that has its name now.
func TestAQueueThatIsGoneIsNotChanged(t *testing.T) {
	folder := t.TempDir()
	lifetime := func(f func(s *Server)) {
		s, err := New(Options{Data: folder})
		if err != nil {
			t.Fatal(err)
		}
		f(s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	lifetime(func(s *Server) {
		for _, name := range []string{"q", "gone"} {
			if err := s.CreateQueue(Queue{Name: name}); err != nil {
				t.Fatal(err)
			}
			old, _ := s.catalog.find(name)
			if err := s.DeleteQueue(name); err != nil {
				t.Fatal(err)
			}
			if name == "q" {
				if err := s.CreateQueue(Queue{Name: name, MaxDeliveryCount: 3}); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.update(old, Queue{Name: name, MaxDeliveryCount: 7}); err != nil {
				t.Fatal(err)
			}
			if _, err := old.queue.Enqueue(time.Now(), queue.Item{Payload: []byte{}}); !errors.Is(err, queue.ErrEnded) {
				t.Errorf("enqueue: %v", err)
			}
			if old.join(&link{}) {
				t.Error("a link was attached to it")
			}
		}
	})
	lifetime(func(s *Server) {
		if _, found := s.catalog.find("gone"); found {
			t.Error("a queue that was deleted is there again")
		}
		if q, found := s.catalog.find("q"); !found || q.described().MaxDeliveryCount != 3 {
			t.Error("a queue has what was meant for the one before it")
		}
	})
}

// When things were made and changed outlives the process. The time in which nobody
// could use an entity is not one in which nobody did.
func TestTimesOutliveTheServer(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	options := Options{Data: t.TempDir(), Now: func() time.Time { return now }}
	lifetime := func(f func(s *Server)) {
		s, err := New(options)
		if err != nil {
			t.Fatal(err)
		}
		f(s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	made := now
	lifetime(func(s *Server) {
		if err := s.CreateTopic(Topic{Name: "t", AutoDeleteOnIdle: time.Hour, Subscriptions: []Subscription{{Name: "s"}}}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		for _, err := range []error{
			s.CreateRule("t", "s", Rule{Name: "r"}), s.UpdateTopic(Topic{Name: "t", AutoDeleteOnIdle: time.Hour, UserMetadata: "new"}),
			s.UpdateSubscription("t", Subscription{Name: "s", DeadLetteringOnFilterEvaluationExceptions: true}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	changed := now
	now = now.Add(24 * time.Hour)
	lifetime(func(s *Server) {
		topic, _ := s.catalog.find("t")
		sub, found := s.catalog.find("t/subscriptions/s")
		if !found {
			t.Fatal("there is no subscription")
		}
		for _, e := range []*entity{topic, sub} {
			if !e.created.Equal(made) || !e.updatedAt().Equal(changed) {
				t.Errorf("%s was made at %v and changed at %v", e.path, e.created, e.updatedAt())
			}
		}
		first, _ := sub.rule(defaultRuleName)
		second, _ := sub.rule("r")
		if !first.created.Equal(made) || !second.created.Equal(changed) {
			t.Errorf("rules were made at %v and %v", first.created, second.created)
		}
		if left, may := topic.untilIdle(now); !may || left != time.Hour {
			t.Errorf("it is deleted in %v: %v", left, may)
		}
	})
}

// Rules that clients have changed outlive the server, so those of options are for new
// subscriptions only; where they differ, the log tells.
func TestRulesOfOptionsAreForNewSubscriptions(t *testing.T) {
	var log bytes.Buffer
	folder := t.TempDir()
	lifetime := func(rules ...Rule) string {
		t.Helper()
		log.Reset()
		s, err := New(Options{
			Data: folder, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})),
			Topics: []Topic{{Name: "t", Subscriptions: []Subscription{{Name: "s", Rules: rules}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		sub, _ := s.catalog.find("t/subscriptions/s")
		var names []string
		for _, r := range sub.subscription.rules {
			names = append(names, r.description.Name+" "+r.description.SQL)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, ", ")
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600))
	b := Rule{Name: "B", SQL: "a = @a", Parameters: map[string]any{"a": at}}
	a := Rule{Name: "a", Correlation: &CorrelationFilter{Properties: map[string]any{"n": 5}}}
	for _, tt := range []struct {
		rules []Rule
		told  bool
	}{{[]Rule{b, a}, false}, {[]Rule{a, b}, false}, {nil, false}, {[]Rule{a}, true}, {[]Rule{a, {Name: "B", SQL: "a = 2"}}, true}} {
		if got := lifetime(tt.rules...); got != "a , B a = @a" {
			t.Errorf("rules %s", got)
		}
		if told := strings.Contains(log.String(), "keeps its rules") && strings.Contains(log.String(), "t/Subscriptions/s"); told != tt.told {
			t.Errorf("with %v: log %q", tt.rules, log.String())
		}
	}
}
