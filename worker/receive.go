package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/muster-mfa/muster/messages"
)

const (
	// idle is how long nothing must come before the queue is asked whether it
	// is empty.
	idle = 500 * time.Millisecond
	// maxReceiveRetry bounds the wait after an error of the queue.
	maxReceiveRetry = 30 * time.Second
)

// Run receives and works until ctx ends, or until the queue is empty where
// [Options.Empty] is set. It then stops receiving; commands under way go on for
// at most the grace period, and whatever only waits is given back at once. It
// returns nil when all that was received has been settled or given back, and an
// error only where receiving is not possible.
func (w *Worker) Run(ctx context.Context) error {
	stopping, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	w.stopping = stopping
	working, interrupt := context.WithCancelCause(context.WithoutCancel(ctx))
	defer interrupt(nil)

	err := w.receive(ctx, working)
	w.receiving.Store(false)
	// Only now is anything given back: it would be received again, and each time
	// costs one of the deliveries that a message has.
	stop(errInterrupted)

	grace := time.AfterFunc(w.opts.Grace, func() { interrupt(errInterrupted) })
	defer grace.Stop()
	w.commands.Wait()
	return err
}

// receive is the loop that hands out work. It alone decides the order: what it
// receives first joins the chains first.
func (w *Worker) receive(ctx, working context.Context) error {
	slots := make(chan struct{}, w.opts.Concurrency)
	w.receiving.Store(true)
	for failures := 0; ; {
		free, err := take(ctx, slots)
		if err != nil {
			return nil
		}
		deliveries, err := w.next(ctx, free)
		for range free - len(deliveries) {
			<-slots
		}
		for _, d := range deliveries {
			w.start(working, d, slots)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errEmpty):
			return nil
		case err != nil && w.opts.Permanent(err):
			return fmt.Errorf("receive from %s: %w", w.opts.QueueName, err)
		case err != nil:
			failures++
			wait := min(time.Second<<min(failures-1, 10), maxReceiveRetry)
			w.log.WarnContext(ctx, "receiving failed", "error", err, "next_try_in", wait.String())
			if sleep(ctx, wait) != nil {
				return nil
			}
		default:
			failures = 0
		}
	}
}

// take waits for a free slot and returns how many are free, all of them taken.
func take(ctx context.Context, slots chan<- struct{}) (int, error) {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	for n := 1; ; n++ {
		select {
		case slots <- struct{}{}:
		default:
			return n, nil
		}
	}
}

// errEmpty ends receiving because nothing is left to receive.
var errEmpty = errors.New("queue is empty")

// next receives at most limit messages. Where the queue may be found empty, it
// does not wait for ever.
func (w *Worker) next(ctx context.Context, limit int) ([]messages.Delivery, error) {
	if w.opts.Empty == nil {
		return w.queue.Receive(ctx, limit)
	}
	waiting, cancel := context.WithTimeout(ctx, idle)
	defer cancel()
	deliveries, err := w.queue.Receive(waiting, limit)
	if len(deliveries) > 0 || waiting.Err() == nil || ctx.Err() != nil {
		return deliveries, err
	}
	if w.underway.Load() > 0 {
		return nil, nil
	}
	empty, err := w.opts.Empty(ctx)
	if err != nil {
		return nil, err
	}
	if empty {
		return nil, errEmpty
	}
	return nil, nil
}

// start decodes a delivery, gives it its places and sets it to work.
func (w *Worker) start(working context.Context, d messages.Delivery, slots <-chan struct{}) {
	c := w.newCommand(d)
	if c.faulty == nil {
		w.join(c)
	}
	ctx, span := w.telemetry.process(working, c)
	w.underway.Add(1)
	w.commands.Go(func() {
		defer func() { <-slots }()
		defer w.underway.Add(-1)
		defer span.End()
		w.process(ctx, c)
	})
}

// join takes the command's places, in the order in which commands are received.
func (w *Worker) join(c *command) {
	c.named = w.named.join(c.tenant + "\x00" + fold(c.event.Command.User))
	c.turn = w.turns.join(c.tenant)
}

func traceID(ctx context.Context) string {
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		return sc.TraceID().String()
	}
	return ""
}
