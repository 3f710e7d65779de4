package broker_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// body is the message size of the benchmarks.
var body = make([]byte, 500)

// BenchmarkSendBatched sends 500-byte messages in batches as large as they get.
func BenchmarkSendBatched(b *testing.B) {
	s := start(b, oneQueue)
	sendBatched(b, connect(b, s), "q", 1) // attach outside the measurement
	client := connect(b, s)
	b.ReportAllocs()
	b.ResetTimer()
	sendBatched(b, client, "q", b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

// sendBatched sends n messages.
func sendBatched(tb testing.TB, client *azservicebus.Client, queue string, n int) {
	tb.Helper()
	ctx := context.Background()
	sender, err := client.NewSender(queue, nil)
	if err != nil {
		tb.Fatal(err)
	}
	message := &azservicebus.Message{Body: body}
	for n > 0 {
		batch, err := sender.NewMessageBatch(ctx, nil)
		if err != nil {
			tb.Fatal(err)
		}
		for n > 0 && batch.AddMessage(message, nil) == nil {
			n--
		}
		if err := sender.SendMessageBatch(ctx, batch, nil); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkReceiveComplete receives and completes, as many at a time as the
// client advises, by one receiver and by eight with a connection each.
func BenchmarkReceiveComplete(b *testing.B) {
	for _, receivers := range []int{1, 8} {
		b.Run(fmt.Sprintf("receivers=%d", receivers), func(b *testing.B) {
			s := start(b, oneQueue)
			sendBatched(b, connect(b, s), "q", b.N)
			clients := make([]*azservicebus.Receiver, receivers)
			for i := range clients {
				var err error
				if clients[i], err = connect(b, s).NewReceiverForQueue("q", nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			var work sync.WaitGroup
			for i, r := range clients {
				share := b.N / receivers
				if i == 0 {
					share += b.N % receivers
				}
				work.Go(func() { receiveComplete(b, r, share) })
			}
			work.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
		})
	}
}

// receiveComplete takes n messages and completes those of one receive in
// parallel, since every settlement is a round trip.
func receiveComplete(b *testing.B, r *azservicebus.Receiver, n int) {
	ctx := context.Background()
	for n > 0 {
		messages, err := r.ReceiveMessages(ctx, min(n, 100), nil)
		if err != nil {
			b.Error(err)
			return
		}
		var settling sync.WaitGroup
		for _, m := range messages {
			settling.Go(func() {
				if err := r.CompleteMessage(ctx, m, nil); err != nil {
					b.Error(err)
				}
			})
		}
		settling.Wait()
		n -= len(messages)
	}
}
