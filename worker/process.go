package worker

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/muster-mfa/muster/graphclient"
	"github.com/muster-mfa/muster/messages"
)

// command is one delivery on its way through the stages. It belongs to one
// goroutine at a time.
type command struct {
	delivery messages.Delivery
	event    messages.Event
	wanted   Wanted
	faulty   error // why it could not be decoded
	tenant   string
	received time.Time

	named *place // among commands that name the user by the same word
	turn  *place // among all commands of the tenant, until the user is known
	lane  *place // among commands of the same user

	userID   string
	writes   int
	warnings []string
}

// key names the user in the worker's memory.
func (c *command) key() string { return c.tenant + "\x00" + c.userID }

func (c *command) warn(code string) {
	if !slices.Contains(c.warnings, code) {
		c.warnings = append(c.warnings, code)
	}
}

// leave lets later commands of the user go.
func (c *command) leave() {
	for _, p := range []*place{c.lane, c.turn, c.named} {
		if p != nil {
			p.leave()
		}
	}
}

// process takes one command through plan, apply and settle. Later commands of
// the same user go only when this one is settled.
func (w *Worker) process(ctx context.Context, c *command) {
	defer c.leave()
	working, lock := hold(ctx, w.queue, c.delivery)
	waiting, stop := context.WithCancelCause(working)
	defer stop(nil)
	defer context.AfterFunc(w.stopping, func() { stop(errInterrupted) })()

	v := w.work(working, waiting, c)
	lock.release()
	w.settle(ctx, c, v)
}

// work tries until there is a verdict other than not now. Reads and writes go on
// under the working context; whatever only waits ends with the waiting context,
// as soon as the worker stops.
func (w *Worker) work(working, waiting context.Context, c *command) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			w.log.ErrorContext(working, "panic while a command was processed", "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			v = Verdict{Action: DeadLetter, Result: messages.Failed, Reason: ReasonPanic, Hint: "Muster failed on this command; the log has the details under the trace id."}
		}
	}()
	if c.faulty != nil {
		return judge(c.faulty, 1, false)
	}
	var trouble time.Time
	for tries := 1; ; tries++ {
		probe, err := w.gates.enter(waiting, c.tenant)
		if err != nil {
			return judge(err, tries, false)
		}
		err = w.attempt(working, waiting, c)
		v := judge(err, tries, w.elsewhere(c.tenant, err, trouble))
		w.report(working, c, v, err, probe)
		if v.Action != NotNow {
			return v
		}
		if trouble.IsZero() {
			trouble = time.Now()
		}
		if err := sleep(waiting, v.After); err != nil {
			return judge(err, tries, false)
		}
	}
}

// elsewhere tells whether what failed has worked for somebody since.
func (w *Worker) elsewhere(tenant string, err error, since time.Time) bool {
	a, ok := accessOf(err)
	return ok && !since.IsZero() && w.gates.workedSince(tenant, a, since)
}

// report tells the tenant's gate how the attempt went.
func (w *Worker) report(ctx context.Context, c *command, v Verdict, err error, probe bool) {
	switch {
	case v.Pause:
		pause, begins := w.gates.refuse(c.tenant, probe)
		if begins || probe {
			a, _ := accessOf(err)
			w.log.ErrorContext(ctx, "tenant paused: Microsoft Graph refuses the application",
				"tenant", c.tenant, "access", string(a), "missing_permission", a.permission(), "remedy", remedy,
				"error", err, "next_try_in", pause.String())
		}
	case probe && v.Action == NotNow:
		w.gates.pass(c.tenant)
	case probe && v.Action != GiveBack && v.Action != Nothing:
		if w.gates.lift(c.tenant) {
			w.log.InfoContext(ctx, "tenant resumed", "tenant", c.tenant)
		}
	case probe:
		w.gates.pass(c.tenant)
	}
}

// attempt reads, plans and applies once, from the beginning: whatever happened
// since the last attempt, the plan is made from what Graph holds now.
func (w *Worker) attempt(working, waiting context.Context, c *command) error {
	if c.lane == nil {
		if err := w.admit(working, waiting, c); err != nil {
			return err
		}
	}
	wanted, superseded := w.memory.newer(c.key(), c.wanted, c.delivery.SequenceNumber)
	if superseded {
		c.warn(WarningSuperseded)
	}
	for round := 0; ; round++ {
		plan, stale, err := w.plan(working, c, wanted)
		if err != nil {
			return err
		}
		if err := w.apply(working, c, plan.Steps); err != nil {
			return err
		}
		if !plan.Recheck {
			break
		}
		// The state of SMS sign-in is not known until a read shows the number
		// just written.
		if stale || len(plan.Steps) > 0 {
			if err := sleep(working, min(100*time.Millisecond<<min(round, 5), 2*time.Second)); err != nil {
				return err
			}
		}
	}
	w.memory.done(c.key(), wanted, c.delivery.SequenceNumber, time.Now())
	return nil
}

// admit finds out who the user is and takes the command's place in the user's
// lane. Places are taken in the order in which the commands were received, as
// far as the users are known without delay.
func (w *Worker) admit(working, waiting context.Context, c *command) error {
	if err := c.named.wait(waiting); err != nil {
		return err
	}
	user := c.event.Command.User
	ctx, span := w.telemetry.stage(working, "resolve")
	err := w.call(ctx, c, readUsers, func(ctx context.Context) (err error) {
		c.userID, err = w.resolver.resolve(ctx, w.graph.Directory(c.event.Command.Tenant), c.tenant, user)
		return err
	})
	span.End()
	if c.turn != nil {
		// Those behind must not wait for a user who can't be found.
		defer c.turn.leave()
	}
	if err != nil {
		return err
	}
	w.telemetry.user(working, c.userID)
	if c.turn != nil {
		if err := c.turn.wait(waiting); err != nil {
			return err
		}
	}
	c.lane = w.lanes.join(c.key())
	return c.lane.wait(waiting)
}

// plan reads what the plan rests on and makes it.
func (w *Worker) plan(ctx context.Context, c *command, wanted Wanted) (plan Plan, stale bool, err error) {
	reading := reading{
		dir:    w.graph.Directory(c.event.Command.Tenant),
		userID: c.userID,
		call: func(ctx context.Context, a access, fn func(context.Context) error) error {
			return w.call(ctx, c, a, fn)
		},
	}
	readCtx, span := w.telemetry.stage(ctx, "read")
	state, err := reading.read(readCtx, needsOf(wanted))
	span.End()
	if err != nil {
		if graphclient.KindOf(err) == graphclient.KindNotFound {
			w.resolver.forget(c.tenant, c.event.Command.User)
		}
		return Plan{}, false, err
	}
	state, stale = w.memory.overlay(c.key(), state, time.Now())
	_, span = w.telemetry.stage(ctx, "plan")
	defer span.End()
	plan, err = MakePlan(state, wanted)
	return plan, stale, err
}

// call makes one call to Graph, notes that the access works, or says which one
// did not.
func (w *Worker) call(ctx context.Context, c *command, a access, fn func(context.Context) error) error {
	if err := fn(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		return &accessError{access: a, err: err}
	}
	w.gates.worked(c.tenant, a, time.Now())
	return nil
}

// newCommand decodes a delivery. What is wrong with it is kept for the verdict.
func (w *Worker) newCommand(d messages.Delivery) *command {
	c := &command{delivery: d, received: time.Now()}
	c.event, c.faulty = messages.Decode(d.Encoded)
	if c.faulty == nil {
		c.wanted, c.faulty = numbers(c.event.Command, w.opts.Numbers)
	}
	c.tenant = strings.ToLower(c.event.Command.Tenant)
	return c
}
