package worker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/muster-mfa/muster/messages"
)

// settleTimeout bounds a settlement. It is shorter than the shortest usual lock,
// and needs no more: a settlement that comes too late is only a redelivery.
const settleTimeout = 30 * time.Second

// settle tells the queue the verdict, and reports the outcome once the queue has
// accepted it. The work's context may be over by now; a settlement has its own.
func (w *Worker) settle(ctx context.Context, c *command, v Verdict) {
	if v.Action == Nothing {
		w.log.WarnContext(ctx, "message lock lost; the message will come again", "sequence_number", c.delivery.SequenceNumber)
		w.telemetry.verdict(ctx, c, v)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	err := w.telemetry.settle(ctx, c, v, func(ctx context.Context) error { return w.tell(ctx, c, v) })
	switch {
	case errors.Is(err, messages.ErrLockLost):
		w.log.WarnContext(ctx, "message lock lost before the settlement; the message will come again", "sequence_number", c.delivery.SequenceNumber)
		return
	case err != nil:
		w.log.ErrorContext(ctx, "message not settled; it will come again", "sequence_number", c.delivery.SequenceNumber, "error", err)
		return
	}
	w.telemetry.verdict(ctx, c, v)
	if v.Action == DeadLetter {
		w.log.WarnContext(ctx, "command dead-lettered", "reason", v.Reason, "hint", v.Hint, "user", c.userID)
	}
	if v.Action != GiveBack {
		w.opts.Report(c.outcome(ctx, v))
	}
}

func (w *Worker) tell(ctx context.Context, c *command, v Verdict) error {
	switch v.Action {
	case Complete:
		return w.queue.Complete(ctx, c.delivery)
	case DeadLetter:
		return w.queue.DeadLetter(ctx, c.delivery, messages.DeadLetter{
			Reason:      v.Reason,
			Description: v.Hint,
			Properties:  map[string]any{messages.TraceIDProperty: traceID(ctx)},
		})
	default:
		return w.queue.Abandon(ctx, c.delivery)
	}
}

// outcome is what is reported of the command.
func (c *command) outcome(ctx context.Context, v Verdict) messages.Outcome {
	o := messages.Outcome{
		CommandID: c.event.ID,
		Tenant:    c.event.Command.Tenant,
		UserID:    c.userID,
		Result:    v.Result,
		Reason:    v.Reason,
		Detail:    v.Hint,
		Warnings:  slices.Concat(c.warnings, c.planned),
		Writes:    c.writes,
		TraceID:   traceID(ctx),
		Run:       c.event.Command.Run,
		Row:       c.event.Command.Row,
	}
	if v.Action == Complete {
		o.Result = messages.Unchanged
		if c.writes > 0 {
			o.Result = messages.Applied
		}
	}
	return o
}
