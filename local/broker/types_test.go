package broker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
)

func TestApplicationPropertyTypes(t *testing.T) {
	client := connect(t, start(t, oneQueue))
	sent := map[string]any{
		"bool":      true,
		"byte":      byte(200),
		"int8":      int8(-100),
		"int16":     int16(-30000),
		"int32":     int32(-70000),
		"int64":     int64(-1 << 40),
		"uint16":    uint16(60000),
		"uint32":    uint32(1 << 31),
		"uint64":    uint64(1 << 63),
		"float32":   float32(1.5),
		"float64":   2.25,
		"string":    "text",
		"empty":     "",
		"nil":       nil,
		"timestamp": time.Date(2026, 2, 3, 4, 5, 6, 7_000_000, time.UTC),
		"uuid":      amqp.UUID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
		"binary":    []byte{0, 1, 2},
	}
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &azservicebus.Message{ApplicationProperties: sent, Body: []byte("x")}
	if err := sender.SendMessage(deadline(t), m, nil); err != nil {
		t.Fatal(err)
	}
	got := receiveOne(t, receiver(t, client, nil))
	if diff := cmp.Diff(sent, got.ApplicationProperties); diff != "" {
		t.Errorf("properties (-sent +received):\n%s", diff)
	}
}

func TestBodyKinds(t *testing.T) {
	client := connect(t, start(t, oneQueue))
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	r := receiver(t, client, nil)
	tests := map[string]azservicebus.AMQPAnnotatedMessageBody{
		"value":       {Value: map[string]any{"nested": []any{int32(1), "two"}}},
		"sequence":    {Sequence: [][]any{{"a", int64(1)}, {"b"}}},
		"many chunks": {Data: [][]byte{{1}, {2, 3}, {}}},
		// The client sends all that it is given, and the official library for .NET takes it.
		"data and value": {Data: [][]byte{{}}, Value: "text"},
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			sent := &azservicebus.AMQPAnnotatedMessage{
				Body:                body,
				DeliveryAnnotations: map[any]any{"own": true, "x-opt-lock-token": "forged"},
				MessageAnnotations:  map[any]any{"x-opt-own": int32(7)},
				Footer:              map[any]any{"check": "sum"},
			}
			if err := sender.SendAMQPAnnotatedMessage(deadline(t), sent, nil); err != nil {
				t.Fatal(err)
			}
			got := receiveOne(t, r)
			if diff := cmp.Diff(body, got.RawAMQPMessage.Body); diff != "" {
				t.Errorf("body (-sent +received):\n%s", diff)
			}
			delivery := map[any]any{"own": true, "x-opt-lock-token": amqp.UUID(got.LockToken)}
			if diff := cmp.Diff(delivery, got.RawAMQPMessage.DeliveryAnnotations); diff != "" {
				t.Errorf("delivery annotations (-want +got):\n%s", diff)
			}
			annotations := []any{"x-opt-enqueued-time", "x-opt-locked-until", "x-opt-own", "x-opt-sequence-number"}
			for _, name := range annotations {
				if got.RawAMQPMessage.MessageAnnotations[name] == nil {
					t.Errorf("there is no annotation %s", name)
				}
			}
			if n := len(got.RawAMQPMessage.MessageAnnotations); n != len(annotations) {
				t.Errorf("%d message annotations, want %d: %v", n, len(annotations), got.RawAMQPMessage.MessageAnnotations)
			}
			if v := got.RawAMQPMessage.Footer["check"]; v != "sum" {
				t.Errorf("footer = %v", v)
			}
		})
	}
}

// dialPlain connects a plain AMQP client, which gives its key by SASL PLAIN.
func dialPlain(t *testing.T, s *broker.Server, key string) (*amqp.Conn, error) {
	t.Helper()
	endpoint, _, _ := strings.Cut(s.ConnectionString(), ";")
	host := strings.TrimPrefix(endpoint, "Endpoint=sb://")
	return amqp.Dial(deadline(t), "amqp://"+host, &amqp.ConnOptions{
		SASLType: amqp.SASLTypePlain("RootManageSharedAccessKey", key),
	})
}

func TestPlainClient(t *testing.T) {
	s := start(t, oneQueue)
	conn, err := dialPlain(t, s, "SAS_KEY_VALUE")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx := deadline(t)
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	sender, err := session.NewSender(ctx, "q", &amqp.SenderOptions{SettlementMode: amqp.SenderSettleModeSettled.Ptr()})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"accept", "release", "modify", "reject"} {
		if err := sender.Send(ctx, amqp.NewMessage([]byte(body)), nil); err != nil {
			t.Fatal(err)
		}
	}
	// This client's receivers settle first and do not wait for an answer.
	r, err := session.NewReceiver(ctx, "q", &amqp.ReceiverOptions{Credit: 10})
	if err != nil {
		t.Fatal(err)
	}
	settle := map[string]func(context.Context, *amqp.Message) error{
		"accept":  r.AcceptMessage,
		"release": r.ReleaseMessage,
		"modify":  func(ctx context.Context, m *amqp.Message) error { return r.ModifyMessage(ctx, m, nil) },
		"reject": func(ctx context.Context, m *amqp.Message) error {
			return r.RejectMessage(ctx, m, &amqp.Error{Condition: "test:odd", Description: "why"})
		},
	}
	for range 4 {
		m, err := r.Receive(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := settle[string(m.GetData())](ctx, m); err != nil {
			t.Error(err)
		}
	}
	wantDeliveryCounts(t, r, map[string]uint32{"release": 0, "modify": 1})
	wantDeadLetter(t, session, "test:odd")
	if _, err := session.NewReceiver(ctx, "no-such-queue", nil); !hasCondition(err, amqp.ErrCondNotFound) {
		t.Errorf("attach to an unknown queue: %v, want amqp:not-found", err)
	}
}

// hasCondition tells whether err is an AMQP error with the condition.
func hasCondition(err error, want amqp.ErrCond) bool {
	var told *amqp.Error
	return errors.As(err, &told) && told.Condition == want
}

// wantDeliveryCounts receives messages and compares their delivery counts.
func wantDeliveryCounts(t *testing.T, r *amqp.Receiver, want map[string]uint32) {
	t.Helper()
	got := map[string]uint32{}
	for range want {
		m, err := r.Receive(deadline(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		got[string(m.GetData())] = m.Header.DeliveryCount
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("delivery counts (-want +got):\n%s", diff)
	}
}

func wantDeadLetter(t *testing.T, session *amqp.Session, reason string) {
	t.Helper()
	r, err := session.NewReceiver(deadline(t), "q/$deadletterqueue", nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Receive(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.ApplicationProperties["DeadLetterReason"]; got != reason {
		t.Errorf("dead-letter reason = %v, want %q", got, reason)
	}
}

func TestPlainWrongKey(t *testing.T) {
	conn, err := dialPlain(t, start(t, oneQueue), "wrong")
	if err == nil {
		conn.Close()
		t.Error("a wrong key was taken")
	}
}
