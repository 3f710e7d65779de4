package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAPausedTenantIsProbedByOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates(10 * time.Second)
		if pause, begins := g.refuse("a", false); pause != 10*time.Second || !begins {
			t.Fatalf("pause %v, begins %v", pause, begins)
		}
		if _, begins := g.refuse("a", false); begins {
			t.Error("a second refusal from before the pause begins another one")
		}
		start := time.Now()
		var probes, passed atomic.Int32
		done := make(chan struct{})
		for range 20 {
			go func() {
				defer func() { done <- struct{}{} }()
				probe, err := g.enter(t.Context(), "a")
				if err != nil {
					t.Error(err)
				}
				if probe {
					probes.Add(1)
					return
				}
				passed.Add(1)
			}()
		}
		<-time.After(9 * time.Second)
		if probes.Load()+passed.Load() != 0 {
			t.Error("somebody went before the pause was over")
		}
		<-time.After(2 * time.Second)
		if probes.Load() != 1 || passed.Load() != 0 {
			t.Errorf("%d probes, %d passed; want one probe", probes.Load(), passed.Load())
		}
		if pause, begins := g.refuse("a", true); pause != 20*time.Second || begins {
			t.Errorf("after a failed probe: pause %v, begins %v", pause, begins)
		}
		<-time.After(21 * time.Second)
		if probes.Load() != 2 {
			t.Errorf("%d probes, want 2", probes.Load())
		}
		g.pass("a")
		synctest.Wait()
		if probes.Load() != 3 {
			t.Errorf("%d probes after one ended without an answer, want 3", probes.Load())
		}
		if !g.lift("a") {
			t.Error("there was no pause to lift")
		}
		for range 20 {
			<-done
		}
		if probes.Load() != 3 || passed.Load() != 17 {
			t.Errorf("%d probes, %d passed, want 3 and 17", probes.Load(), passed.Load())
		}
		if time.Since(start) > time.Minute {
			t.Errorf("it took %v", time.Since(start))
		}
	})
}

func TestAnotherTenantIsNotPaused(t *testing.T) {
	g := newGates(time.Hour)
	g.refuse("a", false)
	if probe, err := g.enter(t.Context(), "b"); probe || err != nil {
		t.Errorf("got probe %v, error %v", probe, err)
	}
	if got := g.paused(); len(got) != 1 || got[0] != "a" {
		t.Errorf("paused: %v, want a", got)
	}
}

func TestWaitingForAPausedTenantEndsWithTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates(time.Hour)
		g.refuse("a", false)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errInterrupted) })
		if _, err := g.enter(ctx, "a"); !errors.Is(err, errInterrupted) {
			t.Errorf("got %v, want the cause", err)
		}
	})
}

func TestPausesGrowToALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates(firstPause)
		g.refuse("a", false)
		var last time.Duration
		for range 10 {
			probe, err := g.enter(t.Context(), "a")
			if !probe || err != nil {
				t.Fatalf("probe %v, error %v", probe, err)
			}
			last, _ = g.refuse("a", true)
		}
		if last != maxPause {
			t.Errorf("the tenth pause is %v, want %v", last, maxPause)
		}
	})
}
