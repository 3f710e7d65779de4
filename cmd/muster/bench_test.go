package main_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/muster-mfa/muster/bulk"
	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/ratelimit"
	"github.com/muster-mfa/muster/servicebus"
	"github.com/muster-mfa/muster/worker"
)

const (
	benchCommands    = 5000 // a round
	benchConcurrency = 64
)

// bench is a muster local in a process of its own, and a connection to it.
type bench struct {
	*local
	namespace *servicebus.Namespace
	bare      *azservicebus.Client
	rows      int // used so far: every round has users of its own
}

func newBench(b *testing.B) *bench {
	b.Helper()
	l := startLocal(b, "--users", "200000", "--quota", "unlimited", "--faults", "none", "--queue", "commands", "--queue", "bare")
	namespace, err := servicebus.Open(servicebus.Options{Address: l.ServiceBus})
	if err != nil {
		b.Fatal(err)
	}
	bare, err := azservicebus.NewClientFromConnectionString(l.ServiceBus, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		namespace.Close(context.Background())
		bare.Close(context.Background())
	})
	return &bench{local: l, namespace: namespace, bare: bare}
}

func (f *bench) file(n int) string {
	var text strings.Builder
	text.WriteString("user,mobile\n")
	for i := range n {
		fmt.Fprintf(&text, "user%06d@contoso.example,%s\n", 1+(f.rows+i)%200000, fictional(f.rows+i))
	}
	f.rows += n
	return text.String()
}

// load takes n rows through the loader and returns how long that took.
func (f *bench) load(b *testing.B, n int) time.Duration {
	b.Helper()
	text := f.file(n)
	sender, err := f.namespace.Sender("commands")
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	reader, err := bulk.NewReader(strings.NewReader(text), bulk.ReaderOptions{})
	if err != nil {
		b.Fatal(err)
	}
	result, err := bulk.Load(b.Context(), reader, sender, bulk.Options{Tenant: "contoso.example", Run: fmt.Sprint("bench", f.rows), Queue: "commands"})
	took := time.Since(begin)
	if err != nil || result.Accepted != n {
		b.Fatalf("%d of %d rows accepted, error %v", result.Accepted, n, err)
	}
	if err := sender.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	return took
}

// send puts n messages of a command's size into the bare queue, as full as
// batches get.
func (f *bench) send(b *testing.B, n int) time.Duration {
	b.Helper()
	sender, err := f.bare.NewSender("bare", nil)
	if err != nil {
		b.Fatal(err)
	}
	body := []byte(strings.Repeat("x", 500))
	begin := time.Now()
	for left := n; left > 0; {
		batch, err := sender.NewMessageBatch(b.Context(), nil)
		if err != nil {
			b.Fatal(err)
		}
		for left > 0 && batch.NumMessages() < bulk.DefaultBatchRows && batch.AddMessage(&azservicebus.Message{Body: body}, nil) == nil {
			left--
		}
		if err := sender.SendMessageBatch(b.Context(), batch, nil); err != nil {
			b.Fatal(err)
		}
	}
	took := time.Since(begin)
	if err := sender.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	return took
}

// work takes the queue's commands through the worker until none is left.
func (f *bench) work(b *testing.B) time.Duration {
	b.Helper()
	budgets, err := ratelimit.New(ratelimit.Options{ReadsPerSecond: ratelimit.Unlimited, WritesPerSecond: ratelimit.Unlimited})
	if err != nil {
		b.Fatal(err)
	}
	client, err := graphclient.New(graphclient.Options{Endpoint: f.Graph, Limiter: budgets})
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	source, err := f.namespace.Source("commands")
	if err != nil {
		b.Fatal(err)
	}
	tally := make(chan struct{}, benchCommands)
	ctx, cancel := context.WithCancel(b.Context())
	w, err := worker.New(source, client, worker.Options{
		Concurrency: benchConcurrency, QueueName: "commands",
		Report: func(messages.Outcome) { tally <- struct{}{} },
	})
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	for range benchCommands {
		<-tally
	}
	took := time.Since(begin)
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	if err := source.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	return took
}

// receive takes n messages from the bare queue and completes them, as many at a
// time as the worker does, with nothing but azservicebus.
func (f *bench) receive(b *testing.B, n int) time.Duration {
	b.Helper()
	receiver, err := f.bare.NewReceiverForQueue("bare", nil)
	if err != nil {
		b.Fatal(err)
	}
	slots := make(chan struct{}, benchConcurrency)
	var completing sync.WaitGroup
	begin := time.Now()
	for done := 0; done < n; {
		free := 0
		for slots <- struct{}{}; ; {
			free++
			select {
			case slots <- struct{}{}:
				continue
			default:
			}
			break
		}
		list, err := receiver.ReceiveMessages(b.Context(), free, nil)
		if err != nil {
			b.Fatal(err)
		}
		for range free - len(list) {
			<-slots
		}
		done += len(list)
		for _, m := range list {
			completing.Go(func() {
				defer func() { <-slots }()
				if err := receiver.CompleteMessage(b.Context(), m, nil); err != nil {
					b.Error(err)
				}
			})
		}
	}
	completing.Wait()
	took := time.Since(begin)
	if err := receiver.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	return took
}

// BenchmarkRoad measures the road in four figures, two of ours each beside what
// the bare client does on the same machine in the same minute. The ratios are
// what to compare with other machines.
func BenchmarkRoad(b *testing.B) {
	f := newBench(b)
	var load, send, work, receive time.Duration
	n := 0
	for b.Loop() {
		n += benchCommands
		send += f.send(b, benchCommands)
		load += f.load(b, benchCommands)
		receive += f.receive(b, benchCommands)
		work += f.work(b)
	}
	per := func(d time.Duration) float64 { return float64(n) / d.Seconds() }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(per(load), "1-load-rows/s")
	b.ReportMetric(per(send), "2-bare-sends/s")
	b.ReportMetric(per(load)/per(send), "3-load/bare")
	b.ReportMetric(per(work), "4-worker-commands/s")
	b.ReportMetric(per(receive), "5-bare-receive-complete/s")
	b.ReportMetric(per(work)/per(receive), "6-worker/bare")
}
