package bulk

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-mfa/muster/messages"
)

// ledger sends what is accepted, writes what is rejected and counts both. Only
// the settling goroutine touches it while a load runs.
type ledger struct {
	options Options
	sender  Sender
	stamp   *stamper
	seen    *users
	result  Result
}

// settle sends a chunk's commands, then accounts for its rows as far as they
// were sent: a row behind the last command that the queue is known to hold is
// neither accepted nor rejected.
func (l *ledger) settle(ctx context.Context, c *chunk) error {
	var events []messages.Event
	for _, d := range c.decisions {
		if d.rejected == nil {
			events = append(events, l.stamp.event(ctx, d.command))
		}
	}
	sent, sendErr := l.send(ctx, events)
	if sendErr != nil {
		l.result.Unknown = len(events) - sent
	}
	if err := l.account(c, sent, sendErr == nil); err != nil {
		return err
	}
	l.report()
	if sendErr != nil {
		return fmt.Errorf("send commands after row %d: %w", l.result.LastRow, sendErr)
	}
	return nil
}

func (l *ledger) send(ctx context.Context, events []messages.Event) (int, error) {
	if len(events) == 0 {
		return 0, nil
	}
	ctx, stop := withGrace(ctx, l.options.grace())
	defer stop()
	return l.sender.Send(ctx, events)
}

func (l *ledger) account(c *chunk, sent int, all bool) error {
	for i, d := range c.decisions {
		row := c.rows[i]
		switch {
		case d.rejected != nil:
			if err := l.reject(row, *d.rejected); err != nil {
				// The rest of the chunk was sent all the same.
				l.accept(c.decisions[i:], sent)
				return err
			}
		case sent == 0 && !all:
			return nil
		default:
			sent--
			l.accept(c.decisions[i:i+1], 1)
		}
		l.result.LastRow, l.result.Bytes = row.Number, row.Bytes
	}
	return nil
}

// accept counts the first n accepted decisions.
func (l *ledger) accept(decisions []decision, n int) {
	for _, d := range decisions {
		if d.rejected != nil || n == 0 {
			continue
		}
		n--
		l.result.Rows++
		l.result.Accepted++
		if l.seen.again(d.command.User) {
			l.result.DuplicateUsers++
		}
	}
}

func (l *ledger) reject(row Row, why Rejection) error {
	if l.options.Rejects != nil {
		if err := l.options.Rejects.Write(row, why); err != nil {
			return err
		}
	}
	l.result.Rows++
	l.result.Rejected++
	l.result.ByReason[why.Reason]++
	return nil
}

func (l *ledger) report() {
	if l.options.Progress == nil {
		return
	}
	l.options.Progress(Progress{
		Rows:     l.result.Rows,
		Accepted: l.result.Accepted,
		Rejected: l.result.Rejected,
		Bytes:    l.result.Bytes,
		Size:     l.options.Size,
	})
}

// withGrace returns a context that outlives ctx by d. A batch that is cut off
// half-way leaves commands of which nobody knows whether the queue holds them.
func withGrace(ctx context.Context, d time.Duration) (_ context.Context, stop func()) {
	if d <= 0 {
		return ctx, func() {}
	}
	graced, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	over, ended := make(chan struct{}), make(chan struct{})
	forget := context.AfterFunc(ctx, func() {
		defer close(ended)
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-over:
		}
	})
	return graced, func() {
		close(over)
		if !forget() {
			<-ended
		}
		cancel(nil)
	}
}
