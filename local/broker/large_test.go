package broker_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// largeQueue has a queue q whose messages are as large as any, and a queue named
// other.
var largeQueue = broker.Options{Queues: []broker.Queue{{Name: "q", MaxMessageSizeInKilobytes: 102400}, {Name: "other"}}}

func TestAdminClientOnTheSizeOfMessages(t *testing.T) {
	client := administer(t, start(t, broker.Options{}))
	for i, tt := range []struct {
		partitioned bool
		asked, want int64 // 0: none, and a refusal
	}{
		{false, 0, 1024}, {false, 1024, 1024}, {false, 64, 64}, {false, 102400, 102400}, {false, 102401, 0},
		{true, 0, 256}, {true, 256, 256}, {true, 64, 64}, {true, 1024, 0},
	} {
		name := fmt.Sprint("q", i)
		asked := admin.QueueProperties{EnablePartitioning: &tt.partitioned}
		if tt.asked > 0 {
			asked.MaxMessageSizeInKilobytes = &tt.asked
		}
		made, err := client.CreateQueue(deadline(t), name, &admin.CreateQueueOptions{Properties: &asked})
		switch {
		case tt.want == 0:
			wantStatus(t, err, http.StatusBadRequest)
		case err != nil:
			t.Errorf("%+v: %v", tt, err)
		case *made.MaxMessageSizeInKilobytes != tt.want:
			t.Errorf("%+v: it is %d", tt, *made.MaxMessageSizeInKilobytes)
		}
	}
	topic, err := client.CreateTopic(deadline(t), "t", &admin.CreateTopicOptions{Properties: &admin.TopicProperties{MaxMessageSizeInKilobytes: to.Ptr[int64](102400)}})
	if err != nil || *topic.MaxMessageSizeInKilobytes != 102400 {
		t.Errorf("topic %+v, %v", topic, err)
	}
}

func TestLargeMessages(t *testing.T) {
	s := start(t, largeQueue)
	client := connect(t, s)
	sender, err := client.NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	if err := sender.SendMessage(deadline(t), &azservicebus.Message{Body: body}, nil); err != nil {
		t.Fatal(err)
	}
	r := receiver(t, client, nil)
	m := receiveOne(t, r)
	if !bytes.Equal(m.Body, body) {
		t.Errorf("%d bytes came as %d", len(body), len(m.Body))
	}
	peeked, err := r.PeekMessages(deadline(t), 1, nil)
	if err != nil || len(peeked) != 1 || !bytes.Equal(peeked[0].Body, body) {
		t.Errorf("peeked %d messages, %v", len(peeked), err)
	}
	if err := r.CompleteMessage(deadline(t), m, nil); err != nil {
		t.Fatal(err)
	}
}

// Batches stay within 1 MiB where messages may be larger, and clients are told so.
func TestBatchesOfALargeQueue(t *testing.T) {
	s := start(t, largeQueue)
	sender, err := connect(t, s).NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	half := &azservicebus.Message{Body: make([]byte, 600<<10)}
	batch, err := sender.NewMessageBatch(deadline(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.AddMessage(half, nil); err != nil {
		t.Fatal(err)
	}
	if err := batch.AddMessage(half, nil); !errors.Is(err, azservicebus.ErrMessageTooLarge) {
		t.Errorf("a batch of 1200 KiB: %v", err)
	}
	if err := sender.SendMessageBatch(deadline(t), batch, nil); err != nil {
		t.Error(err)
	}
	if batch, err = sender.NewMessageBatch(deadline(t), &azservicebus.MessageBatchOptions{MaxBytes: 2 << 20}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := batch.AddMessage(half, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := sender.SendMessageBatch(deadline(t), batch, nil); !hasCondition(err, amqp.ErrCondMessageSizeExceeded) {
		t.Errorf("a batch of 1200 KiB was sent: %v", err)
	}
}

// A message may be no larger when it is scheduled than when it is sent.
func TestLargeMessagesAreNotScheduled(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q", MaxMessageSizeInKilobytes: 1}}})
	p := openPeer(t, s)
	p.begin()
	message := wire.Map{{Key: "message-id", Value: "m"}, {Key: "message", Value: text(string(make([]byte, 1024)))}}
	operation := wire.Map{{Key: "operation", Value: "com.microsoft:schedule-message"}}
	answer, _ := openRPC(p, "q/$management", "replies").call("replies", operation, wire.Map{{Key: "messages", Value: wire.List{message}}})
	if got := status(t, answer); got != http.StatusBadRequest {
		t.Errorf("status %d", got)
	}
}

// A peer that begins large messages and completes none is refused at some point, and
// hinders nobody else.
func TestMessagesThatAreNeverComplete(t *testing.T) {
	s := start(t, largeQueue)
	p := openPeer(t, s)
	if err := p.conn.SetDeadline(time.Now().Add(10 * patience)); err != nil { // a slow machine takes its time for so many
		t.Fatal(err)
	}
	p.begin()
	for handle := range uint32(3) {
		p.sender(handle)
	}
	sent := make(chan error, 1)
	go func() {
		piece := make([]byte, 60<<10)
		for i := range 3 * 1700 {
			tr := delivery(uint32(i%3), uint32(i%3))
			tr.More = true
			b, err := wire.AppendFrame(nil, 0, tr, piece)
			if err == nil {
				_, err = p.conn.Write(b)
			}
			if err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for {
		f := p.next()
		if d, detached := f.Body.(*wire.Detach); detached {
			if d.Error == nil || d.Error.Condition != wire.CondResourceLimitExceeded {
				t.Errorf("detach %+v", d.Error)
			}
			break
		}
	}
	send(t, connect(t, s), "q", "a")
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// While a large message is on its way to a peer that does not take it, the peer gets
// no other; then it does.
func TestLargeMessagesAreSentOneByOne(t *testing.T) {
	s := start(t, largeQueue)
	client := connect(t, s)
	sendTo(t, client, "q", &azservicebus.Message{Body: make([]byte, 8<<20)})
	send(t, client, "other", "a")
	p := openPeer(t, s)
	p.begin()
	p.receiver(0)
	window := func(next, frames uint32) *wire.Flow {
		return &wire.Flow{NextIncomingID: wire.Some(next), IncomingWindow: frames, OutgoingWindow: 1000}
	}
	credit := func(f *wire.Flow) *wire.Flow {
		f.Handle, f.DeliveryCount, f.LinkCredit = wire.Some[uint32](0), wire.Some[uint32](0), wire.Some[uint32](1)
		return f
	}
	p.send(0, credit(window(0, 1)))
	if tr := expect[*wire.Transfer](p); tr.Handle != 0 || !tr.More {
		t.Errorf("transfer %+v", tr)
	}
	// There is room for the other in a session of its own.
	p.send(1, &wire.Begin{IncomingWindow: 1000, OutgoingWindow: 1000})
	expect[*wire.Begin](p)
	p.send(1, &wire.Attach{Name: "other", Handle: 0, Role: wire.RoleReceiver, Source: &wire.Source{Address: "other"}, Target: &wire.Target{}})
	expect[*wire.Attach](p)
	ask := credit(window(0, 1000))
	ask.Echo = true
	p.send(1, ask)
	if f := expect[*wire.Flow](p); f.LinkCredit.Or(0) != 1 {
		t.Errorf("flow %+v", f)
	}
	if got := counts(t, s, "other"); got != (broker.Counts{Active: 1}) {
		t.Errorf("the other queue has %+v", got)
	}
	p.send(0, window(1, 1000))
	large, other := false, false
	for !large || !other {
		f := p.next()
		tr, ok := f.Body.(*wire.Transfer)
		if !ok {
			t.Fatalf("frame %+v", f.Body)
		}
		large = large || f.Channel == 0 && !tr.More
		other = other || f.Channel == 1
	}
}

func TestPartitionedMessagesAreSmall(t *testing.T) {
	s := start(t, broker.Options{Queues: []broker.Queue{{Name: "q", EnablePartitioning: true}}})
	sender, err := connect(t, s).NewSender("q", nil)
	if err != nil {
		t.Fatal(err)
	}
	err = sender.SendMessage(deadline(t), &azservicebus.Message{Body: make([]byte, 257<<10)}, nil)
	if !errors.Is(err, azservicebus.ErrMessageTooLarge) {
		t.Errorf("error %v", err)
	}
}
