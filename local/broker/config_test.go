package broker_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
)

// everyMember has every member of the format, and comments and commas where they
// may stand.
const everyMember = `/* all of it */ {
  "UserConfig": { // entities
    "Namespaces": [{
      "Name": "sbemulatorns",
      "Queues": [
        {"Name": "plain"},
        {"Name": "full", "Properties": {
          "DeadLetteringOnMessageExpiration": true, "DefaultMessageTimeToLive": "P1DT6H", "DuplicateDetectionHistoryTimeWindow": "PT5S",
          "ForwardDeadLetteredMessagesTo": "Plain", "ForwardTo": "", "LockDuration": "PT45.5S", "MaxDeliveryCount": 12,
          "RequiresDuplicateDetection": true, "RequiresSession": true, // "LockDuration": "PT9H"
        }},
      ],
      "Topics": [{
        "Name": "shop",
        "Properties": {"DefaultMessageTimeToLive": "P10675199DT2H48M5.4775807S", "DuplicateDetectionHistoryTimeWindow": "PT1M", "RequiresDuplicateDetection": true},
        "Subscriptions": [
          {"Name": "all", "Properties": null},
          {"Name": "some", "Properties": {
            "DeadLetteringOnMessageExpiration": true, "DefaultMessageTimeToLive": "PT10M", "LockDuration": "PT2M", "MaxDeliveryCount": 1,
            "ForwardDeadLetteredMessagesTo": "", "ForwardTo": "full", "RequiresSession": false
          }, "Rules": [
            {"Name": "c", "Properties": {"FilterType": "Correlation", "CorrelationFilter": {
              "ContentType": "text/plain", "CorrelationId": "c1", "Label": "new", "MessageId": "m1", "ReplyTo": "plain",
              "ReplyToSessionId": "s2", "SessionId": "s1", "To": "", "Properties": {"a": "b", "n": 3, "f": 1.5, "yes": true}
            }}},
            {"Name": "s", "Properties": {"FilterType": "Sql", "SqlFilter": {"SqlExpression": "n IN (1, 2) OR sys.To LIKE 'x%'"}, "Action": {"SqlExpression": "SET seen = TRUE; REMOVE n"}}}
          ]}
        ]
      }]
    }],
    "Logging": {"Type": "Console,File"}
  }
} // the end`

func TestReadConfig(t *testing.T) {
	got, err := broker.ReadConfig(strings.NewReader("\uFEFF" + everyMember))
	if err != nil {
		t.Fatal(err)
	}
	want := broker.Options{
		Queues: []broker.Queue{
			{Name: "plain", DefaultMessageTimeToLive: time.Hour, MaxDeliveryCount: 3, DuplicateDetectionHistoryTimeWindow: 20 * time.Second},
			{
				Name: "full", DeadLetteringOnMessageExpiration: true, DefaultMessageTimeToLive: 30 * time.Hour, DuplicateDetectionHistoryTimeWindow: 5 * time.Second,
				ForwardDeadLetteredMessagesTo: "Plain", LockDuration: 45500 * time.Millisecond, MaxDeliveryCount: 12, RequiresDuplicateDetection: true, RequiresSession: true,
			},
		},
		Topics: []broker.Topic{{
			Name: "shop", DuplicateDetectionHistoryTimeWindow: time.Minute, RequiresDuplicateDetection: true,
			Subscriptions: []broker.Subscription{
				{Name: "all", DefaultMessageTimeToLive: time.Hour, MaxDeliveryCount: 3},
				{
					Name: "some", DeadLetteringOnMessageExpiration: true, DefaultMessageTimeToLive: 10 * time.Minute, LockDuration: 2 * time.Minute, MaxDeliveryCount: 1, ForwardTo: "full",
					Rules: []broker.Rule{
						{Name: "c", Correlation: &broker.CorrelationFilter{
							ContentType: new("text/plain"), CorrelationID: new("c1"), Label: new("new"), MessageID: new("m1"), ReplyTo: new("plain"),
							ReplyToSessionID: new("s2"), SessionID: new("s1"), Properties: map[string]any{"a": "b", "n": int64(3), "f": 1.5, "yes": true},
						}},
						{Name: "s", SQL: "n IN (1, 2) OR sys.To LIKE 'x%'", Action: "SET seen = TRUE; REMOVE n"},
					},
				},
			},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	if _, err := broker.New(got); err != nil {
		t.Errorf("options of a configuration are refused: %v", err)
	}
}

// What the configuration says is what the broker does.
func TestABrokerOfAConfiguration(t *testing.T) {
	file, err := os.Open("../../examples/servicebus.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	o, err := broker.ReadConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, o)
	client := connect(t, s)
	sender, err := client.NewSender("people", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*azservicebus.Message{
		{Subject: new("left")}, {Subject: new("moved"), SessionID: new("u1"), ApplicationProperties: map[string]any{"priority": 9}},
		{Subject: new("joined"), SessionID: new("u2"), ApplicationProperties: map[string]any{"region": "NL"}}, {Subject: new("joined"), ApplicationProperties: map[string]any{"region": "BE"}},
	} {
		if err := sender.SendMessage(deadline(t), m, nil); err != nil {
			t.Fatal(err)
		}
	}
	all, err := client.NewReceiverForSubscription("people", "everything", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := all.PeekMessages(deadline(t), 10, nil); err != nil || len(got) != 4 {
		t.Errorf("%d messages for everything, %v", len(got), err)
	}
	for session, urgent := range map[string]any{"u1": true, "u2": nil} {
		r, err := client.AcceptSessionForQueue(deadline(t), "joiners", session, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.ReceiveMessages(deadline(t), 10, nil)
		if err != nil || len(got) != 1 || got[0].ApplicationProperties["urgent"] != urgent {
			t.Errorf("session %s: %d messages, %v", session, len(got), err)
		}
		r.Close(deadline(t))
	}
}

func TestReadConfigTellsEveryFaultWithItsPlace(t *testing.T) {
	const text = `{
  "UserConfig": {"Namespaces": [{"Name": "n", "Queus": [],
    "Queues": [
      {"Name": "q", "Properties": {"LockDuration": "PT1H", "MaxDeliveryCount": 0}},
      {"Name": "Q", "Properties": {"LockDuration": "1m", "LockDuration": "PT1M", "ForwardTo": "nowhere"}},
      {"Name": "$x", "Properties": {"RequiresSession": "true", "DefaultMessageTimeToLive": "PT0S"}}],
    "Topics": [{"Name": "t", "Subscriptions": [{"Name": "s", "Properties": {"LockDuration": "P10675199DT2H48M5.4775807S"}, "Rules": [
      {"Name": "r", "Properties": {"FilterType": "Sql", "SqlFilter": {"SqlExpression": "a ="}}},
      {"Name": "r", "Properties": {"FilterType": "Sql", "CorrelationFilter": {"Lable": "x"}}}]}]}]
  }]}, "Logging": {}
}`
	_, err := broker.ReadConfig(strings.NewReader(text))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`line 2, column 47: UserConfig.Namespaces[0]: the member "Queus" is unknown`,
		`line 4, column 7: UserConfig.Namespaces[0].Queues[0]: queue "q": LockDuration 1h0m0s: must be at most 5m0s`,
		`line 4, column 80: UserConfig.Namespaces[0].Queues[0].Properties.MaxDeliveryCount: must be a whole number from 1 on`,
		`line 5, column 7: UserConfig.Namespaces[0].Queues[1]: the name "Q" is used twice`,
		`Queues[1].Properties.LockDuration: "1m" is no duration such as PT1M`, `the member "LockDuration" stands here twice`,
		`Queues[1].Properties.ForwardTo: there is no queue and no topic "nowhere"`,
		`Queues[2]: queue "$x": the name must have`, `Queues[2].Properties.RequiresSession: must be true or false`, `"PT0S" must be longer than nothing`,
		`subscription "t/Subscriptions/s": LockDuration 2562047h47m16.854775807s`, `Rules[0]: rule "r": There was an error parsing the SQL expression.`, `the member "Lable" is unknown`,
		`Rules[1]: must have the FilterType "Correlation"`, `Rules[1]: the name "r" is used twice`, `line 10, column 8: the member "Logging" is unknown`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %s:\n%v", want, err)
		}
	}
	if got, want := strings.Count(err.Error(), "\nline "), 16; got != want {
		t.Errorf("%d faults, want %d:\n%v", got, want, err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("torn") }

func TestReadConfigRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"": "EOF", "{": "EOF", `{"UserConfig": tru}`: "line 1", "[]": "must be an object", "{}": "no UserConfig.Namespaces", `{"UserConfig": {}}`: "no UserConfig.Namespaces",
		`{"UserConfig": {"Namespaces": []}}`: "one namespace", `{"UserConfig": {"Namespaces": [{}, {}]}}`: "one namespace", `{"UserConfig": {"Namespaces": {}}}`: "must be an array",
		strings.Repeat("[", 1<<20): "nested", strings.Repeat(" ", 4<<20+1): "larger than 4 MiB",
		`{"UserConfig": {"Namespaces": [{"Queues": [{"Name": "q", "Properties": {"LockDuration": "PT0.00000001S"}}]}]}}`: "longer than nothing",
	} {
		if _, err := broker.ReadConfig(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v; want %q", text, err, want)
		}
	}
	if _, err := broker.ReadConfig(brokenReader{}); err == nil || !strings.Contains(err.Error(), "torn") {
		t.Errorf("error %v", err)
	}
	deep := `{/*` + strings.Repeat("[", 100) + `*/"$schema": "` + strings.Repeat(`[\"`, 100) + `", //` + strings.Repeat("[", 100) + "\n" + `"UserConfig": {"Namespaces": [{}]}}`
	if _, err := broker.ReadConfig(strings.NewReader(deep)); err != nil {
		t.Errorf("brackets in strings and comments are counted: %v", err)
	}
}

func FuzzReadConfig(f *testing.F) {
	f.Add([]byte(everyMember))
	for _, text := range []string{
		"", "{}", `{"UserConfig": {"Namespaces": [{"Queues": [{"Name": "a", "Properties": {"ForwardTo": "a"}}]}]}}`, "/*", `"\`, "[[[[", "{\"a\"://\n1}",
		`{"UserConfig":{"Namespaces":[{"Topics":[{"Name":"t","Subscriptions":[{"Name":"s","Rules":[{"Name":"r","Properties":{"FilterType":"Correlation","CorrelationFilter":{"Properties":{"a":1e999}}}}]}]}]}]}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := broker.ReadConfig(strings.NewReader(string(text)))
		if err != nil {
			return
		}
		if _, err := broker.New(o); err != nil {
			t.Errorf("what was read is refused: %v", err)
		}
	})
}
