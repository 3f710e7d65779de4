package messages_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/messages"
)

const smsData = `{"tenant":"contoso.example","user":"jan@contoso.example","smsSignIn":true}`

// with returns a good message in binary mode with some properties set, or
// removed where the value is nil.
func with(changes map[string]any) messages.Encoded {
	m := binaryEvent([]byte(smsData))
	for key, value := range changes {
		if value == nil {
			delete(m.Properties, key)
			continue
		}
		m.Properties[key] = value
	}
	return m
}

func TestDecodeBinaryReadsAnyFormOfAnAttribute(t *testing.T) {
	type symbol string
	at := time.Date(2026, 5, 4, 8, 30, 0, 0, time.UTC)
	id := amqp.UUID{0x5b, 0x1f, 0x7f, 0x0e, 0x3c, 0x0a, 0x4d, 0x43, 0x9d, 0x3e, 0x0f, 0x6b, 0x7a, 0x1c, 0x2d, 0x3e}
	for _, test := range []struct {
		name    string
		changes map[string]any
		want    func(*messages.Event)
	}{
		{"as it is", nil, func(*messages.Event) {}},
		{"time as text", map[string]any{"cloudEvents:time": "2026-05-04T10:30:00+02:00"}, func(e *messages.Event) { e.Time = at }},
		{"time as an AMQP timestamp", map[string]any{"cloudEvents:time": at}, func(e *messages.Event) { e.Time = at }},
		{"id as a long", map[string]any{"cloudEvents:id": int64(-7)}, func(e *messages.Event) { e.ID = "-7" }},
		{"id as an unsigned byte", map[string]any{"cloudEvents:id": uint8(7)}, func(e *messages.Event) { e.ID = "7" }},
		{"id as a UUID", map[string]any{"cloudEvents:id": id}, func(e *messages.Event) { e.ID = id.String() }},
		{"id as a boolean", map[string]any{"cloudEvents:id": true}, func(e *messages.Event) { e.ID = "true" }},
		{"source as a symbol", map[string]any{"cloudEvents:source": symbol("/hr")}, func(e *messages.Event) { e.Source = "/hr" }},
		{"trace context", map[string]any{"cloudEvents:traceparent": "00-a-b-01", "cloudEvents:tracestate": "v=1"},
			func(e *messages.Event) { e.TraceParent, e.TraceState = "00-a-b-01", "v=1" }},
		{"underscores", map[string]any{"cloudEvents:id": nil, "cloudEvents_id": "B2", "cloudEvents:type": nil, "cloudEvents_type": messages.CommandType},
			func(e *messages.Event) { e.ID = "B2" }},
		{"what is dropped", map[string]any{"cloudEvents:subject": "joiners", "cloudEvents:dataschema": "https://a.example", "cloudEvents:datacontenttype": "application/json"},
			func(*messages.Event) {}},
		{"extensions", map[string]any{"cloudEvents:partitionkey": []byte{1}, "cloudEvents_sequence": 1.5}, func(*messages.Event) {}},
		{"other properties", map[string]any{"Diagnostic-Id": 1, "cloudEvents": "x", "CloudEvents:ID": "x"}, func(*messages.Event) {}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := messages.Event{ID: "A1", Source: "/test", Command: messages.Command{
				Tenant: "contoso.example", User: "jan@contoso.example", SMSSignIn: pointer(true)}}
			test.want(&want)
			got, err := messages.Decode(with(test.changes))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeBinaryRefuses(t *testing.T) {
	many := map[string]any{}
	for i := range 61 {
		many[fmt.Sprintf("cloudEvents:ext%d", i)] = i
	}
	for _, test := range []struct {
		name                  string
		changes               map[string]any
		reason, path, problem string
	}{
		{"no specversion", map[string]any{"cloudEvents:specversion": nil}, messages.ReasonNotCloudEvent, "$.specversion", "is required of a CloudEvent"},
		{"another specversion", map[string]any{"cloudEvents:specversion": "0.3"}, messages.ReasonUnsupportedType, "$.specversion", "must be 1.0"},
		{"specversion as a double", map[string]any{"cloudEvents:specversion": 1.0}, messages.ReasonMalformed, "$.specversion", "must be a string"},
		{"another type", map[string]any{"cloudEvents:type": "com.github.muster-mfa.command.v2"}, messages.ReasonUnsupportedType, "$.type", "must be com.github.muster-mfa.command.v1"},
		{"no type", map[string]any{"cloudEvents:type": nil}, messages.ReasonMalformed, "$.type", "is required"},
		{"no id", map[string]any{"cloudEvents:id": nil}, messages.ReasonMalformed, "$.id", "is required"},
		{"empty id", map[string]any{"cloudEvents:id": ""}, messages.ReasonMalformed, "$.id", "must not be empty"},
		{"id as binary", map[string]any{"cloudEvents:id": []byte("A1")}, messages.ReasonMalformed, "$.id", "must be a string"},
		{"id in bad UTF-8", map[string]any{"cloudEvents:id": "A\xff"}, messages.ReasonMalformed, "$.id", "must be valid UTF-8"},
		{"id under both prefixes", map[string]any{"cloudEvents_id": "A1"}, messages.ReasonMalformed, "$.id", "is given twice"},
		{"no source", map[string]any{"cloudEvents:source": nil}, messages.ReasonMalformed, "$.source", "is required"},
		{"time that is none", map[string]any{"cloudEvents:time": "yesterday"}, messages.ReasonMalformed, "$.time", "must be an RFC 3339 time"},
		{"timestamp out of range", map[string]any{"cloudEvents:time": time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, messages.ReasonMalformed, "$.time", "must be an RFC 3339 time"},
		{"datacontenttype that is not the message's", map[string]any{"cloudEvents:datacontenttype": "application/xml"}, messages.ReasonMalformed, "$.datacontenttype", "must be a JSON content type"},
		{"extension in capitals", map[string]any{"cloudEvents:partitionKey": "x"}, messages.ReasonMalformed, "$", "has an attribute whose name"},
		{"data as an attribute", map[string]any{"cloudEvents:data": "x"}, messages.ReasonMalformed, "$", "has an attribute whose name"},
		{"too many attributes", many, messages.ReasonMalformed, "$", "must not have more than 64 attributes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := messages.Decode(with(test.changes))
			wantFault(t, err, test.reason, test.path, test.problem)
		})
	}
}
