package worker

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mfa/muster/messages"
	"github.com/muster-mfa/muster/phone"
)

func TestAPausedTenantIsProbedByOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates(10 * time.Second)
		needed := []access{signIn, readPhones}
		if pause, news := g.refuse("a", readPhones, false); pause != 10*time.Second || !news {
			t.Fatalf("pause %v, news %v", pause, news)
		}
		if _, news := g.refuse("a", readPhones, false); news {
			t.Error("a second refusal from before the pause is news")
		}
		start := time.Now()
		var probes, passed atomic.Int32
		done := make(chan struct{})
		for range 20 {
			go func() {
				defer func() { done <- struct{}{} }()
				probing, err := g.enter(t.Context(), "a", needed)
				if err != nil {
					t.Error(err)
				}
				if len(probing) > 0 {
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
		if pause, news := g.refuse("a", readPhones, true); pause != 20*time.Second || !news {
			t.Errorf("after a failed probe: pause %v, news %v", pause, news)
		}
		<-time.After(21 * time.Second)
		if probes.Load() != 2 {
			t.Errorf("%d probes, want 2", probes.Load())
		}
		g.pass("a", needed)
		synctest.Wait()
		if probes.Load() != 3 {
			t.Errorf("%d probes after one ended without an answer, want 3", probes.Load())
		}
		if !g.worked("a", readPhones, time.Now()) {
			t.Error("there was no pause to end")
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
	g.refuse("a", readPhones, false)
	if probing, err := g.enter(t.Context(), "b", []access{readPhones}); probing != nil || err != nil {
		t.Errorf("probing %v, error %v", probing, err)
	}
	if got := g.paused(); len(got) != 1 || got[0] != "a" {
		t.Errorf("paused: %v, want a", got)
	}
}

func TestWaitingForAPausedTenantEndsWithTheCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates(time.Hour)
		g.refuse("a", readPhones, false)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errInterrupted) })
		if _, err := g.enter(ctx, "a", []access{readPhones}); !errors.Is(err, errInterrupted) {
			t.Errorf("got %v, want the cause", err)
		}
	})
}

func TestPausesGrowToALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates(firstPause)
		g.refuse("a", readPhones, false)
		var last time.Duration
		for range 10 {
			probing, err := g.enter(t.Context(), "a", []access{readPhones})
			if len(probing) != 1 || err != nil {
				t.Fatalf("probing %v, error %v", probing, err)
			}
			last, _ = g.refuse("a", readPhones, true)
		}
		if last != maxPause {
			t.Errorf("the tenth pause is %v, want %v", last, maxPause)
		}
	})
}

// Where one permission is missing, commands that need others go on.
func TestAnotherAccessIsNotPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates(time.Minute)
		g.refuse("a", readMFAState, false)
		if probing, err := g.enter(t.Context(), "a", Wanted{Phones: map[messages.PhoneType]phone.Number{messages.Mobile: "+1 2065550100"}}.accesses()); probing != nil || err != nil {
			t.Errorf("a command for phones: probing %v, error %v", probing, err)
		}
		start := time.Now()
		probing, err := g.enter(t.Context(), "a", Wanted{MFAState: messages.MFAEnabled}.accesses())
		if len(probing) != 1 || probing[0] != readMFAState || err != nil || time.Since(start) != time.Minute {
			t.Errorf("a command for the state: probing %v, error %v, after %v", probing, err, time.Since(start))
		}
	})
}

// A command that needs two closed gates never holds one while it waits for the
// other: whoever needs the first alone may probe it.
func TestAProbeWaitsForNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGates(time.Minute)
		g.refuse("a", readPhones, false)
		<-time.After(30 * time.Second)
		g.refuse("a", readMFAState, false)
		both := make(chan time.Time)
		go func() {
			if probing, err := g.enter(t.Context(), "a", []access{readPhones, readMFAState}); len(probing) != 2 || err != nil {
				t.Errorf("probing %v, error %v", probing, err)
			}
			both <- time.Now()
		}()
		start := time.Now()
		probing, err := g.enter(t.Context(), "a", []access{readPhones})
		if len(probing) != 1 || err != nil || time.Since(start) != 30*time.Second {
			t.Errorf("probing %v, error %v, after %v", probing, err, time.Since(start))
		}
		<-time.After(time.Minute)
		g.pass("a", probing)
		if got := (<-both).Sub(start); got != 90*time.Second {
			t.Errorf("the one that needs both went after %v, want when the other probe ended", got)
		}
	})
}

// A token that can't be had holds back everything, and any call that works shows
// that there is one again.
func TestASignInPausesAllAccess(t *testing.T) {
	g := newGates(time.Hour)
	g.refuse("a", signIn, false)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	for _, w := range []Wanted{{MFAState: messages.MFAEnabled}, {DefaultMethod: messages.DefaultPush}} {
		if _, err := g.enter(ctx, "a", w.accesses()); !errors.Is(err, errInterrupted) {
			t.Errorf("%+v went", w)
		}
	}
	if !g.worked("a", writePhones, time.Now()) || len(g.paused()) != 0 {
		t.Error("still paused")
	}
}
