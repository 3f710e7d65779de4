package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// The server of a benchmark is a process of its own, so that its share of the
// CPU can be told from the client's. All measure with the bare azservicebus.
// With profileVariable they write what each of the two did with its CPU.

// body is the message size of the benchmarks.
var body = make([]byte, 500)

// benchmarked is a server in a process of its own.
type benchmarked struct {
	b       *testing.B
	address string
	cmd     *exec.Cmd
	cpu     time.Duration // of this process, when the measurement began
	profile func()        // ends that of this process
}

// inBothStores runs a benchmark on a server that keeps its messages in memory, and
// on one that keeps them on disk.
func inBothStores(b *testing.B, run func(b *testing.B, s *benchmarked)) {
	for _, store := range []string{"memory", "disk"} {
		b.Run(store, func(b *testing.B) {
			folder := ""
			if store == "disk" {
				folder = b.TempDir()
			}
			run(b, startBenchmarked(b, folder))
		})
	}
}

func startBenchmarked(b *testing.B, folder string) *benchmarked {
	b.Helper()
	s := &benchmarked{b: b, cmd: exec.Command(os.Args[0])}
	s.cmd.Env = append(os.Environ(), childVariable+"=1", childFolder+"="+folder, childAddress+"=127.0.0.1:0", childProfile+"="+profileOf(b, "server"))
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.end)
	line, _, err := bufio.NewReader(out).ReadLine()
	if err != nil {
		b.Fatalf("the server did not start: %v", err)
	}
	s.address, _, _ = strings.Cut(string(line), " ")
	return s
}

// end stops the server if measured has not done so.
func (s *benchmarked) end() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		_ = s.cmd.Wait()
	}
}

// measure begins the measurement.
func (s *benchmarked) measure() {
	s.b.Helper()
	var err error
	if s.profile, err = startProfile(profileOf(s.b, "client")); err != nil {
		s.b.Fatal(err)
	}
	s.cpu = ownCPU()
	s.b.ReportAllocs()
	s.b.ResetTimer()
}

// measured ends it, and reports messages per second and, where this system tells it,
// the server's share of the CPU time; that includes its start.
func (s *benchmarked) measured(messages int) {
	s.b.StopTimer()
	own := ownCPU() - s.cpu
	s.profile()
	s.end()
	server := s.cmd.ProcessState.UserTime() + s.cmd.ProcessState.SystemTime()
	s.b.ReportMetric(float64(messages)/s.b.Elapsed().Seconds(), "msgs/s")
	if own > 0 {
		s.b.ReportMetric(100*server.Seconds()/(server+own).Seconds(), "%server-cpu")
	}
}

// connect makes a client that ends with the benchmark, and before the server.
func (s *benchmarked) connect() *azservicebus.Client {
	s.b.Helper()
	client, err := azservicebus.NewClientFromConnectionString(
		"Endpoint=sb://"+s.address+";SharedAccessKeyName=RootManageSharedAccessKey;SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true", nil)
	if err != nil {
		s.b.Fatal(err)
	}
	s.b.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = client.Close(ctx) // the server is gone
	})
	return client
}

// BenchmarkSendBatched sends 500-byte messages in batches as large as they get, one
// after the other, by one sender and by four with a connection each.
func BenchmarkSendBatched(b *testing.B) {
	for _, senders := range []int{1, 4} {
		b.Run(fmt.Sprintf("senders=%d", senders), func(b *testing.B) {
			inBothStores(b, func(b *testing.B, s *benchmarked) {
				clients := make([]*azservicebus.Client, senders)
				for i := range clients {
					clients[i] = s.connect()
					sendBatched(b, clients[i], "plain", 1, 1) // connect outside the measurement
				}
				s.measure()
				inShares(b.N, clients, func(client *azservicebus.Client, n int) { sendBatched(b, client, "plain", n, 1) })
				s.measured(b.N)
			})
		})
	}
}

// inShares has all take a part of n at the same time.
func inShares[T any](n int, all []T, do func(T, int)) {
	var work sync.WaitGroup
	for i, one := range all {
		share := n / len(all)
		if i == 0 {
			share += n % len(all)
		}
		work.Go(func() { do(one, share) })
	}
	work.Wait()
}

// sendBatched sends n messages, in so many sessions if there are any.
func sendBatched(tb testing.TB, client *azservicebus.Client, queue string, n, sessions int) {
	tb.Helper()
	ctx := context.Background()
	sender, err := client.NewSender(queue, nil)
	if err != nil {
		tb.Error(err)
		return
	}
	for n > 0 {
		batch, err := sender.NewMessageBatch(ctx, nil)
		if err != nil {
			tb.Error(err)
			return
		}
		for n > 0 {
			session := fmt.Sprint(n % sessions)
			if batch.AddMessage(&azservicebus.Message{Body: body, SessionID: &session}, nil) != nil {
				break
			}
			n--
		}
		if err := sender.SendMessageBatch(ctx, batch, nil); err != nil {
			tb.Error(err)
			return
		}
	}
}

// BenchmarkReceiveComplete receives and completes, as many at a time as the
// client advises, by one receiver and by eight with a connection each.
func BenchmarkReceiveComplete(b *testing.B) {
	for _, receivers := range []int{1, 8} {
		b.Run(fmt.Sprintf("receivers=%d", receivers), func(b *testing.B) {
			inBothStores(b, func(b *testing.B, s *benchmarked) {
				sendBatched(b, s.connect(), "plain", b.N, 1)
				clients := make([]*azservicebus.Receiver, receivers)
				for i := range clients {
					var err error
					if clients[i], err = s.connect().NewReceiverForQueue("plain", nil); err != nil {
						b.Fatal(err)
					}
				}
				s.measure()
				inShares(b.N, clients, func(r *azservicebus.Receiver, n int) { receiveComplete(b, r, n) })
				s.measured(b.N)
			})
		})
	}
}

// taker is a receiver, of a queue or of a session.
type taker interface {
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
	CompleteMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.CompleteMessageOptions) error
}

// receiveComplete takes n messages and completes those of one receive in
// parallel, since every settlement is a round trip.
func receiveComplete(b *testing.B, r taker, n int) {
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

// BenchmarkSessions works off 1,000 sessions with at least 100 messages each, by eight
// connections: accept the next one, take its messages, complete them, give it back.
func BenchmarkSessions(b *testing.B) {
	const sessions, workers = 1000, 8
	inBothStores(b, func(b *testing.B, s *benchmarked) {
		share := max(100, b.N/sessions)
		sendBatched(b, s.connect(), "sessions", share*sessions, sessions)
		clients := make([]*azservicebus.Client, workers)
		for i := range clients {
			clients[i] = s.connect()
		}
		s.measure()
		var work sync.WaitGroup
		left := make(chan int, sessions)
		for i := range sessions {
			left <- i
		}
		close(left)
		for _, client := range clients {
			work.Go(func() {
				for i := range left {
					workOffSession(b, client, fmt.Sprint(i), share)
				}
			})
		}
		work.Wait()
		s.measured(share * sessions)
		b.ReportMetric(0, "ns/op") // of what, if not messages
	})
}

func workOffSession(b *testing.B, client *azservicebus.Client, id string, n int) {
	ctx := context.Background()
	r, err := client.AcceptSessionForQueue(ctx, "sessions", id, nil)
	if err != nil {
		b.Error(err)
		return
	}
	receiveComplete(b, r, n)
	if err := r.Close(ctx); err != nil {
		b.Error(err)
	}
}
