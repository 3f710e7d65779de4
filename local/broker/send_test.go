package broker_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/google/go-cmp/cmp"

	"github.com/muster-mfa/muster/local/broker"
)

// A message goes to the partition of its session, so a partition key of another name
// makes no sense.
func TestPartitionKeyIsTheSession(t *testing.T) {
	s := start(t, oneQueue)
	sender, err := connect(t, s).NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	one, other := "one", "other"
	message := &azservicebus.Message{SessionID: &one, PartitionKey: &other}
	if err := sender.SendMessage(deadline(t), message, nil); !hasCondition(err, amqp.ErrCondNotAllowed) {
		t.Errorf("error %v", err)
	}
	message.PartitionKey = &one
	if err := sender.SendMessage(deadline(t), message, nil); err != nil {
		t.Error(err)
	}
	wantCounts(t, s, broker.Counts{Active: 1})
}

func TestMessageTravelsWhole(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	text := func(s string) *string { return &s }
	ttl := time.Hour
	sent := &azservicebus.Message{
		ApplicationProperties: map[string]any{"key": "value"},
		Body:                  []byte("body"),
		ContentType:           text("text/plain"),
		CorrelationID:         text("correlation"),
		MessageID:             text("id"),
		PartitionKey:          text("partition"),
		ReplyTo:               text("reply-to"),
		ReplyToSessionID:      text("reply-session"),
		Subject:               text("subject"),
		TimeToLive:            &ttl,
		To:                    text("to"),
	}
	sender, err := client.NewSender("Q", nil) // names are matched without regard to case
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().Truncate(time.Millisecond)
	if err := sender.SendMessage(deadline(t), sent, nil); err != nil {
		t.Fatal(err)
	}
	got := receiveOne(t, receiver(t, client, nil))
	if diff := cmp.Diff(sent, got.Message()); diff != "" {
		t.Errorf("message (-sent +received):\n%s", diff)
	}
	if *got.SequenceNumber != 1 || got.DeliveryCount != 1 || got.State != azservicebus.MessageStateActive {
		t.Errorf("sequence %d, delivery count %d, state %d", *got.SequenceNumber, got.DeliveryCount, got.State)
	}
	if got.EnqueuedTime.Before(before) || got.EnqueuedTime.After(time.Now()) {
		t.Errorf("enqueued at %v, which is not within the test", got.EnqueuedTime)
	}
	if left := time.Until(*got.LockedUntil); left <= 0 || left > time.Minute {
		t.Errorf("locked for %v, want up to a minute", left)
	}
	if want := got.EnqueuedTime.Add(ttl); !got.ExpiresAt.Equal(want) {
		t.Errorf("expires at %v, want %v", got.ExpiresAt, want)
	}
}

func TestBodies(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	r := receiver(t, client, nil)
	for _, size := range []int{0, 1, 255, 256, 64 << 10, 200 << 10, 1<<20 - 100} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			body := bytes.Repeat([]byte{0xa5}, size)
			if err := sender.SendMessage(deadline(t), &azservicebus.Message{Body: body}, nil); err != nil {
				t.Fatal(err)
			}
			got := receiveOne(t, r)
			if !bytes.Equal(got.Body, body) {
				t.Errorf("body of %d bytes came back as %d", len(body), len(got.Body))
			}
			if err := r.CompleteMessage(deadline(t), got, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTooLargeMessageIsRefused(t *testing.T) {
	s := start(t, broker.Options{Queues: oneQueue.Queues, MaxMessageSize: 1000})
	sender, err := connect(t, s).NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	err = sender.SendMessage(deadline(t), &azservicebus.Message{Body: make([]byte, 1001)}, nil)
	if !errors.Is(err, azservicebus.ErrMessageTooLarge) {
		t.Errorf("send = %v, want ErrMessageTooLarge", err)
	}
	wantCounts(t, s, broker.Counts{})
}

func TestBatch(t *testing.T) {
	s := start(t, oneQueue)
	client := connect(t, s)
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := sender.NewMessageBatch(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	const n = 600 // of 500 bytes, which makes several frames
	for i := range n {
		m := &azservicebus.Message{
			Body:                  bytes.Repeat([]byte{byte(i)}, 500),
			ApplicationProperties: map[string]any{"index": int64(i)},
		}
		if err := batch.AddMessage(m, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := sender.SendMessageBatch(deadline(t), batch, nil); err != nil {
		t.Fatal(err)
	}
	for i, m := range receive(t, receiver(t, client, nil), n) {
		if m.ApplicationProperties["index"] != int64(i) || len(m.Body) != 500 || m.Body[0] != byte(i) {
			t.Fatalf("message %d has properties %v and a body of %d bytes", i, m.ApplicationProperties, len(m.Body))
		}
		if m.MessageID == "" || *m.SequenceNumber != int64(i+1) {
			t.Fatalf("message %d has id %q and sequence number %d", i, m.MessageID, *m.SequenceNumber)
		}
	}
}

func TestSessionsOfAQueueWithoutAreRefusedAtOnce(t *testing.T) {
	client := connect(t, start(t, oneQueue))
	tests := []struct {
		name string
		do   func() error
	}{
		{"named session", func() error {
			_, err := client.AcceptSessionForQueue(deadline(t), "q", "s", nil)
			return err
		}},
		{"next session", func() error {
			_, err := client.AcceptNextSessionForQueue(deadline(t), "q", nil)
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := time.Now()
			err := tt.do()
			if err == nil {
				t.Error("it worked")
			}
			if took := time.Since(before); took > 3*time.Second {
				t.Errorf("the refusal took %v: the client tried again", took)
			}
		})
	}
}
