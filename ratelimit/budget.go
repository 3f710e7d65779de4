package ratelimit

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// budget is one tenant's.
type budget struct {
	reads, writes *rate.Limiter

	mu    sync.Mutex
	until time.Time // guarded by mu: nobody sends before
}

func newBudget(o Options) *budget {
	return &budget{
		reads:  rate.NewLimiter(limit(o.ReadsPerSecond), o.ReadBurst),
		writes: rate.NewLimiter(limit(o.WritesPerSecond), o.WriteBurst),
	}
}

// wait sits out a halt, takes its tokens, and starts again if the tenant was
// halted meanwhile: the token of before a halt is no good after it, or all who
// hold one would go at the same moment.
func (b *budget) wait(ctx context.Context, reads, writes int) (time.Duration, error) {
	start := time.Now()
	for {
		if err := b.round(ctx, reads, writes); err != nil {
			return time.Since(start), err
		}
		if b.haltedFor(time.Now()) == 0 {
			return time.Since(start), nil
		}
	}
}

func (b *budget) round(ctx context.Context, reads, writes int) error {
	if err := sleep(ctx, b.haltedFor(time.Now())); err != nil {
		return err
	}
	if err := take(ctx, b.reads, reads); err != nil {
		return err
	}
	return take(ctx, b.writes, writes)
}

// take waits for n tokens. More than the bucket holds are taken in portions.
func take(ctx context.Context, l *rate.Limiter, n int) error {
	for n > 0 && l.Limit() != rate.Inf {
		portion := min(n, l.Burst())
		now := time.Now()
		r := l.ReserveN(now, portion)
		if err := sleep(ctx, r.DelayFrom(now)); err != nil {
			r.Cancel()
			return err
		}
		n -= portion
	}
	return nil
}

func (b *budget) halt(now time.Time, d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	until := now.Add(d)
	if d <= 0 || !until.After(b.until) {
		return
	}
	b.until = until
	// A bucket that held so much was believed to be fuller than the tenant's: it
	// is left half of it. The burst set as of the end of the halt does that.
	for _, l := range [...]*rate.Limiter{b.reads, b.writes} {
		burst, half := l.Burst(), int(max(0, l.TokensAt(now))/2)
		l.SetBurstAt(until, half)
		l.SetBurstAt(until, burst)
	}
}

func (b *budget) haltedFor(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(0, b.until.Sub(now))
}

func sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
