package queue_test

import (
	"fmt"
	"testing"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

// BenchmarkTakeComplete shows that the cost of a message does not depend on
// how many others wait: one goes in, one is taken and completed, and every
// tenth is abandoned first.
func BenchmarkTakeComplete(b *testing.B) {
	for _, depth := range []int{0, 5_000, 5_000_000} {
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			q := newQueue()
			in := item("payload")
			for range depth {
				enqueue(b, q, in)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				enqueue(b, q, in)
				d, _ := q.Take(start, queue.PeekLock, nil)
				if i%10 == 0 {
					_ = q.Abandon(start, d.Token, nil)
					d, _ = q.Take(start, queue.PeekLock, nil)
				}
				if err := q.Complete(start, d.Token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
