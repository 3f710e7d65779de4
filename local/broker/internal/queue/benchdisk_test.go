package queue_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
	"github.com/muster-mfa/muster/local/broker/internal/store"
)

// BenchmarkOnDisk receives and completes messages of 500 bytes from a queue on disk
// that is so deep, 100 in one transaction, and tells how long it took to start and how
// much memory a message takes.
func BenchmarkOnDisk(b *testing.B) {
	for _, depth := range []int{5_000, 5_000_000} {
		b.Run(fmt.Sprint("depth=", depth), func(b *testing.B) {
			folder := b.TempDir()
			fill(b, folder, depth)
			before, begun := heap(), time.Now()
			s, e := openDisk(b, folder)
			saved, err := e.Saved(start)
			if err != nil {
				b.Fatal(err)
			}
			q := &bench{now: start, Queue: queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, Store: e})}
			if err := q.Restore(start, saved); err != nil {
				b.Fatal(err)
			}
			took, perMessage := time.Since(begun), float64(heap()-before)/float64(depth)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				q.enqueue(b, queue.Item{Payload: make([]byte, 500)})
				q.complete(b, q.take(b))
				if n%100 == 0 {
					waitFor(b, s, e)
				}
			}
			b.ReportMetric(perMessage, "heapB/message")
			b.ReportMetric(took.Seconds(), "s-start")
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func openDisk(b *testing.B, folder string) (*store.Store, *store.Entity) {
	s, err := store.Open(folder, store.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if all := s.Entities(); len(all) > 0 {
		return s, all[0]
	}
	return s, s.Create("q", []byte("{}"))
}

func waitFor(b *testing.B, s *store.Store, e *store.Entity) {
	if err := s.Wait(b.Context(), e.Ticket()); err != nil {
		b.Fatal(err)
	}
}

func fill(b *testing.B, folder string, depth int) {
	s, e := openDisk(b, folder)
	q := queue.New(queue.Config{LockDuration: lockFor, MaxDeliveryCount: maxDeliveries, Store: e})
	items := make([]queue.Item, 1000)
	for i := range items {
		items[i].Payload = make([]byte, 500)
	}
	for i := range depth / len(items) {
		if _, err := q.Enqueue(start, items...); err != nil {
			b.Fatal(err)
		}
		if i%50 == 0 {
			waitFor(b, s, e)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
