package worker

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
)

// Many commands of few users, some of which give up their place early: those of
// one user never overlap and go in the order in which they joined.
func TestChainsKeepOrder(t *testing.T) {
	c := newChains()
	type entry struct {
		place *place
		key   string
		n     int
		gone  bool
	}
	r := rand.New(rand.NewPCG(1, 2))
	var entries []*entry
	for n := range 2000 {
		key := string(rune('a' + r.IntN(5)))
		entries = append(entries, &entry{c.join(key), key, n, r.IntN(4) == 0})
	}
	var mu sync.Mutex
	order := make(map[string][]int)
	inside := make(map[string]bool)
	var wg sync.WaitGroup
	for _, i := range r.Perm(len(entries)) {
		e := entries[i]
		wg.Go(func() {
			defer e.place.leave()
			if e.gone {
				return
			}
			if err := e.place.wait(context.Background()); err != nil {
				t.Error(err)
			}
			mu.Lock()
			if inside[e.key] {
				t.Errorf("%d overlaps with another command of %s", e.n, e.key)
			}
			inside[e.key] = true
			order[e.key] = append(order[e.key], e.n)
			mu.Unlock()
			mu.Lock()
			inside[e.key] = false
			mu.Unlock()
		})
	}
	wg.Wait()
	for key, ns := range order {
		for i := 1; i < len(ns); i++ {
			if ns[i] < ns[i-1] {
				t.Errorf("%s: %d went after %d", key, ns[i], ns[i-1])
			}
		}
	}
	if len(c.tails) != 0 {
		t.Errorf("%d chains are left, want none", len(c.tails))
	}
}

func TestAPlaceLeftEarlyDoesNotLetOthersPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChains()
		first, second, third := c.join("a"), c.join("a"), c.join("a")
		second.leave()
		passed := make(chan struct{})
		go func() {
			if err := third.wait(context.Background()); err != nil {
				t.Error(err)
			}
			close(passed)
		}()
		synctest.Wait()
		select {
		case <-passed:
			t.Fatal("the third went while the first was still there")
		default:
		}
		first.leave()
		<-passed
		third.leave()
	})
}

func TestTheLastPlaceLeftEarlyKeepsTheChain(t *testing.T) {
	c := newChains()
	first, second := c.join("a"), c.join("a")
	second.leave()
	third := c.join("a")
	if third.ahead != first {
		t.Error("whoever joins after an early leaver does not stand behind those ahead")
	}
	first.leave()
	third.leave()
	if len(c.tails) != 0 {
		t.Errorf("%d chains are left, want none", len(c.tails))
	}
}

func TestWaitingEndsWithTheCause(t *testing.T) {
	c := newChains()
	c.join("a")
	p := c.join("a")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errInterrupted)
	if err := p.wait(ctx); !errors.Is(err, errInterrupted) {
		t.Errorf("got %v, want the cause", err)
	}
}

// A command that gave up its place and waits all the same, as one does whose
// user could not be found at first, must not disturb those behind.
func TestWaitingAfterLeaving(t *testing.T) {
	c := newChains()
	first, second, third := c.join("a"), c.join("a"), c.join("a")
	second.leave()
	var wg sync.WaitGroup
	for _, p := range []*place{second, third} {
		wg.Go(func() {
			if err := p.wait(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	first.leave()
	wg.Wait()
	third.leave()
	if len(c.tails) != 0 {
		t.Errorf("%d chains are left, want none", len(c.tails))
	}
}
