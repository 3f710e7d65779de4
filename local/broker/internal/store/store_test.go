package store

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/muster-mfa/muster/local/broker/internal/queue"
)

func TestDebug(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e := s.Describe("q", []byte("{}"))
	q := queue.New(queue.Config{LockDuration: time.Minute, MaxDeliveryCount: 100, Store: e})
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for i := range 20000 {
				it := queue.Item{Payload: []byte(fmt.Sprint("m", i))}
				if rng.IntN(3) == 0 {
					it.EnqueueAt = time.Now().Add(time.Millisecond)
				}
				q.Enqueue(time.Now(), it)
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			n := 0
			for n < 18000 {
				d, ok := q.Take(time.Now(), queue.PeekLock, nil)
				if !ok {
					continue
				}
				n++
				if d.Payload == nil {
					t.Errorf("seq %d has no payload", d.Sequence)
					return
				}
				if n%3 == 0 {
					q.Release(time.Now(), d.Token)
				} else {
					q.Complete(time.Now(), d.Token)
				}
			}
		})
	}
	wg.Wait()
}
