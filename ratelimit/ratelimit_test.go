package ratelimit_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/muster-mfa/muster/ratelimit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newBudgets(t *testing.T, o ratelimit.Options) *ratelimit.Budgets {
	t.Helper()
	b, err := ratelimit.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOptionsReportEveryFault(t *testing.T) {
	_, err := ratelimit.New(ratelimit.Options{ReadsPerSecond: -1, WritesPerSecond: math.NaN(), ReadBurst: -2, WriteBurst: -3})
	if err == nil {
		t.Fatal("want an error")
	}
	for _, want := range []string{"reads per second", "writes per second", "read burst", "write burst"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not name %q", err, want)
		}
	}
}

func TestWritesKeepTheirRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgets(t, ratelimit.Options{WritesPerSecond: 10, WriteBurst: 5})
		start := time.Now()
		for range 25 {
			if err := b.Wait(t.Context(), "a", 0, 1); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := time.Since(start).Round(time.Millisecond), 2*time.Second; got != want {
			t.Errorf("25 writes at 10/s after a burst of 5 took %v, want %v", got, want)
		}
	})
}

func TestReadsAndTenantsDoNotShareABucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgets(t, ratelimit.Options{WritesPerSecond: 1, WriteBurst: 1})
		start := time.Now()
		for _, tenant := range []string{"a", "b", "c"} {
			if err := errors.Join(b.Wait(t.Context(), tenant, 0, 1), b.Wait(t.Context(), tenant, 1, 0)); err != nil {
				t.Fatal(err)
			}
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("one write and one read in each of three tenants waited %v", got)
		}
	})
}

func TestABatchLargerThanTheBurstPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgets(t, ratelimit.Options{WritesPerSecond: 10, WriteBurst: 5})
		start := time.Now()
		if err := b.Wait(t.Context(), "a", 0, 20); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(start).Round(time.Millisecond), 1500*time.Millisecond; got != want {
			t.Errorf("a batch of 20 took %v, want %v", got, want)
		}
	})
}

func TestHaltHoldsTheWholeTenantAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgets(t, ratelimit.Options{})
		start := time.Now()
		b.Halt("a", 30*time.Second)
		b.Halt("a", 10*time.Second) // an earlier end does not shorten the halt
		if got, want := b.HaltedFor("a"), 30*time.Second; got != want {
			t.Errorf("halted for %v, want %v", got, want)
		}
		if err := b.Wait(t.Context(), "b", 1, 0); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("another tenant waited %v", got)
		}
		for _, kind := range [][2]int{{1, 0}, {0, 1}} {
			if err := b.Wait(t.Context(), "a", kind[0], kind[1]); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got < 30*time.Second {
				t.Errorf("%v went after %v, before the halt's end", kind, got)
			}
		}
	})
}

// A halt leaves half of what was saved up, so a tenant that halts us again and
// again soon gets no more than the sustained rate.
func TestAHaltHalvesWhatWasSavedUp(t *testing.T) {
	for _, test := range []struct {
		halts, atOnce int
	}{{1, 25}, {2, 12}, {8, 0}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBudgets(t, ratelimit.Options{WritesPerSecond: 10, WriteBurst: 50})
			for n := range test.halts {
				b.Halt("a", time.Duration(n+1)*time.Millisecond)
			}
			start := time.Now()
			var atOnce atomic.Int32
			var wg sync.WaitGroup
			for range 60 {
				wg.Go(func() {
					if err := b.Wait(t.Context(), "a", 0, 1); err != nil {
						t.Error(err)
					}
					if time.Since(start) < 50*time.Millisecond {
						atOnce.Add(1)
					}
				})
			}
			wg.Wait()
			if got := int(atOnce.Load()); got != test.atOnce {
				t.Errorf("after %d halts %d writes left at once, want %d", test.halts, got, test.atOnce)
			}
		})
	}
}

func TestWaitEndsWithTheContextsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("stopping")
		b := newBudgets(t, ratelimit.Options{WritesPerSecond: 1, WriteBurst: 1})
		ctx, cancel := context.WithCancelCause(t.Context())
		b.Halt("a", time.Hour)
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if err := b.Wait(ctx, "a", 0, 1); !errors.Is(err, cause) {
			t.Errorf("got %v, want the cause", err)
		}
		if err := b.Wait(ctx, "b", 0, 1); !errors.Is(err, cause) {
			t.Errorf("with the context over: got %v, want the cause", err)
		}
	})
}

func TestUnlimitedStillObeysAHalt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudgets(t, ratelimit.Options{ReadsPerSecond: ratelimit.Unlimited, WritesPerSecond: ratelimit.Unlimited})
		start := time.Now()
		for range 10_000 {
			if err := b.Wait(t.Context(), "a", 1, 1); err != nil {
				t.Fatal(err)
			}
		}
		if got := time.Since(start); got != 0 {
			t.Errorf("unlimited waited %v", got)
		}
		b.Halt("a", time.Second)
		if err := b.Wait(t.Context(), "a", 1, 0); err != nil {
			t.Fatal(err)
		}
		if got, want := time.Since(start), time.Second; got != want {
			t.Errorf("left after %v, want %v", got, want)
		}
	})
}

func TestEveryWaitHasASpan(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	provider := trace.NewTracerProvider(trace.WithSpanProcessor(recorder))
	b := newBudgets(t, ratelimit.Options{})
	ctx, parent := provider.Tracer("test").Start(t.Context(), "parent")
	if err := b.Wait(ctx, "a", 0, 1); err != nil {
		t.Fatal(err)
	}
	parent.End()
	spans := recorder.Ended()
	if len(spans) != 2 || spans[0].Name() != "wait budget" || spans[0].Parent().SpanID() != parent.SpanContext().SpanID() {
		t.Errorf("got spans %v, want wait budget below parent", spans)
	}
}

func BenchmarkWait(b *testing.B) {
	budgets, err := ratelimit.New(ratelimit.Options{ReadsPerSecond: ratelimit.Unlimited})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := budgets.Wait(b.Context(), "a", 1, 0); err != nil {
			b.Fatal(err)
		}
	}
}
