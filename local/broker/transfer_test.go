package broker_test

import (
	"context"
	"errors"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/muster-mfa/muster/local/broker"
	"github.com/muster-mfa/muster/local/broker/internal/wire"
)

// Everything that messages are received from has a transfer dead-letter queue, which is
// empty without transactions. It never has sessions, and nothing forwards from it.
func TestTransferDeadLetterQueues(t *testing.T) {
	s := start(t, broker.Options{
		Queues: []broker.Queue{
			{Name: "q"}, {Name: "sessions", RequiresSession: true}, {Name: "on", ForwardTo: "q", ForwardDeadLetteredMessagesTo: "q"},
		},
		Topics: []broker.Topic{{Name: "topic", Subscriptions: []broker.Subscription{{Name: "s"}}}},
	})
	client := connect(t, s)
	p := openPeer(t, s)
	p.begin()
	options := &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueTransfer}
	for i, path := range []string{"q", "sessions", "on", "topic/Subscriptions/s"} {
		r, err := client.NewReceiverForQueue(path, options)
		if path == "topic/Subscriptions/s" {
			r, err = client.NewReceiverForSubscription("topic", "s", options)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.PeekMessages(deadline(t), 10, nil); err != nil || len(got) != 0 {
			t.Errorf("%s: peeked at %d messages, %v", path, len(got), err)
		}
		_, err = r.ReceiveDeferredMessages(deadline(t), []int64{1}, nil)
		wantCode(t, err, azservicebus.CodeNotFound)
		ctx, cancel := context.WithCancel(deadline(t))
		ended := make(chan error, 1)
		go func() {
			_, err := r.ReceiveMessages(ctx, 1, nil)
			ended <- err
		}()
		// A link of another client shows that such a one opens, and finds nothing.
		p.receiverOf(path+"/$Transfer/$DeadLetterQueue", uint32(i))
		p.credit(uint32(i), 0, 5, true)
		if f := expect[*wire.Flow](p); f.LinkCredit.Or(1) != 0 || f.DeliveryCount.Or(0) != 5 {
			t.Errorf("%s: flow %+v", path, f)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: receive = %v", path, err)
		}
	}
	sender, err := client.NewSender("q/$Transfer/$DeadLetterQueue", nil)
	if err != nil {
		t.Fatal(err)
	}
	err = sender.SendMessage(deadline(t), &azservicebus.Message{}, nil)
	if refused := (*amqp.Error)(nil); !errors.As(err, &refused) || refused.Condition != amqp.ErrCondNotAllowed {
		t.Errorf("send = %v", err)
	}
}
