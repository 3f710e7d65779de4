package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-mfa/muster/messages"
)

// renewals is a queue of which only RenewLock is used.
type renewals struct {
	Queue
	renew func(context.Context) (time.Time, error)
}

func (r renewals) RenewLock(ctx context.Context, _ messages.Delivery) (time.Time, error) {
	return r.renew(ctx)
}

func TestALockIsRenewedWellBeforeItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const duration = 10 * time.Second
		until := time.Now().Add(duration)
		count := 0
		q := renewals{renew: func(context.Context) (time.Time, error) {
			if left := time.Until(until); left < duration/3 {
				t.Errorf("renewed with %v left of %v", left, duration)
			}
			count++
			until = time.Now().Add(duration)
			return until, nil
		}}
		ctx, l := hold(t.Context(), q, messages.Delivery{LockedUntil: until})
		<-time.After(time.Minute)
		if ctx.Err() != nil {
			t.Errorf("the work was ended: %v", context.Cause(ctx))
		}
		l.release()
		if count < 6 || count > 20 {
			t.Errorf("renewed %d times in a minute, want about 12", count)
		}
		before := count
		<-time.After(time.Minute)
		if count != before {
			t.Error("renewed after release")
		}
	})
}

func TestALostLockEndsTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := renewals{renew: func(context.Context) (time.Time, error) {
			return time.Time{}, fmt.Errorf("renew: %w", messages.ErrLockLost)
		}}
		ctx, l := hold(t.Context(), q, messages.Delivery{LockedUntil: time.Now().Add(10 * time.Second)})
		<-ctx.Done()
		if got := context.Cause(ctx); !errors.Is(got, messages.ErrLockLost) {
			t.Errorf("cause %v, want lock lost", got)
		}
		l.release()
	})
}

func TestTroubleWithARenewalIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		count := 0
		q := renewals{renew: func(context.Context) (time.Time, error) {
			if count++; count < 4 {
				return time.Time{}, errors.New("connection reset")
			}
			return time.Now().Add(time.Minute), nil
		}}
		ctx, l := hold(t.Context(), q, messages.Delivery{LockedUntil: time.Now().Add(10 * time.Second)})
		<-time.After(9 * time.Second)
		synctest.Wait()
		if ctx.Err() != nil || count != 4 {
			t.Errorf("work over: %v, renewals %d; want it to go on after 4", ctx.Err() != nil, count)
		}
		l.release()
	})
}

func TestAWrongClockNeitherFloodsNorForgets(t *testing.T) {
	for name, skew := range map[string]time.Duration{"behind": -time.Hour, "ahead": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				count := 0
				q := renewals{renew: func(context.Context) (time.Time, error) {
					count++
					return time.Now().Add(time.Minute - skew), nil
				}}
				_, l := hold(t.Context(), q, messages.Delivery{LockedUntil: time.Now().Add(time.Minute - skew)})
				<-time.After(time.Minute)
				l.release()
				if count < 2 || count > 240 {
					t.Errorf("renewed %d times in a minute", count)
				}
			})
		})
	}
}

func TestReleaseEndsARenewalThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := make(chan struct{})
		q := renewals{renew: func(ctx context.Context) (time.Time, error) {
			close(started)
			<-ctx.Done()
			return time.Time{}, ctx.Err()
		}}
		_, l := hold(t.Context(), q, messages.Delivery{LockedUntil: time.Now().Add(2 * time.Second)})
		<-started
		l.release()
	})
}
