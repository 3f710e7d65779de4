package worker

import (
	"context"
	"fmt"

	"github.com/muster-mfa/muster/messages"
)

// Ledger keeps what users had before a command changed it, so that a run can be
// taken back.
type Ledger interface {
	// Keep is called before the first write of each plan, by many goroutines at
	// once. Only when it has returned nil is anything written; with an error the
	// command waits and tries again, for not being able to keep what was there
	// is no fault of the command's. Its error must hold no personal data.
	Keep(ctx context.Context, c Change) error
}

// Change is a plan that is about to be carried out.
type Change struct {
	// Event carries the command.
	Event messages.Event
	// UserID is the user's object id.
	UserID string
	// Before is what Graph holds, as far as the plan rests on it.
	Before State
	// Steps are the writes, in their order.
	Steps []Step
}

// keep tells the ledger, where there is one, what is about to be changed.
func (w *Worker) keep(ctx context.Context, c *command, before State, plan Plan) error {
	if w.opts.Ledger == nil || len(plan.Steps) == 0 {
		return nil
	}
	err := w.opts.Ledger.Keep(ctx, Change{Event: c.event, UserID: c.userID, Before: before, Steps: plan.Steps})
	if err != nil {
		w.log.ErrorContext(ctx, "nothing is written: what the user has could not be kept", "error", err)
		return fmt.Errorf("keep what the user has: %w", err)
	}
	return nil
}
