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

	named *place // among those that name the user by the same word, until the user is known
	turn  *place // among all of the tenant, until the user is known
	lane  *place // among commands of the same user

	tries    int       // attempts made, this one included
	trouble  time.Time // when the first of them failed
	userID   string
	resolved *graphclient.User // as it was read to find the id; nil where that took no request
	writes   int
	taken    []Step    // the writes
	wrote    time.Time // when the last of them was done
	warnings []string
	planned  []string // warnings of the latest plan
}

// key names the user in the worker's memory.
func (c *command) key() string { return c.tenant + "\x00" + c.userID }

// found notes who the user is. What was written for another account under the
// same name is not this one's.
func (c *command) found(id string) {
	if id != c.userID {
		c.taken = nil
	}
	c.userID = id
}

func (c *command) warn(code string) {
	if !slices.Contains(c.warnings, code) {
		c.warnings = append(c.warnings, code)
	}
}

// forgetPlanned takes a warning back that came with the plan, and tells whether it
// did.
func (c *command) forgetPlanned(code string) bool {
	before := len(c.planned)
	c.planned = slices.DeleteFunc(c.planned, func(planned string) bool { return planned == code })
	return len(c.planned) < before
}

// standAside keeps other users' commands from waiting for one whose user can't be
// found at once. Those that name the user by the same word still wait. One that
// names the user by another may now go first: the worker's memory keeps this one
// from undoing it.
func (c *command) standAside() {
	c.named.delay()
	c.turn.leave()
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
	// Others are under way, and the message comes again.
	defer w.survive(ctx)
	defer c.leave()
	working, lock := hold(ctx, w.queue, c.delivery)
	waiting, stop := context.WithCancelCause(working)
	defer stop(nil)
	defer context.AfterFunc(w.stopping, func() { stop(errInterrupted) })()

	v := w.work(working, waiting, c)
	lock.release()
	w.settle(ctx, c, v)
}

// survive ends a panic. It must be deferred itself.
func (w *Worker) survive(ctx context.Context) {
	if p := recover(); p != nil {
		w.logPanic(ctx, p)
	}
}

// logPanic leaves the panic's value out: it could hold anything.
func (w *Worker) logPanic(ctx context.Context, p any) {
	w.log.ErrorContext(ctx, "panic while a command was processed", "panic", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
}

// work tries until there is a verdict other than not now. Reads and writes go on
// under the working context; whatever only waits ends with the waiting context,
// as soon as the worker stops.
func (w *Worker) work(working, waiting context.Context, c *command) (v Verdict) {
	defer func() {
		if p := recover(); p != nil {
			w.logPanic(working, p)
			v = Verdict{Action: DeadLetter, Result: messages.Failed, Reason: ReasonPanic, Hint: "Muster failed on this command; the log has the details under the trace id."}
		}
	}()
	if c.faulty != nil {
		return judge(c.faulty, 1, false)
	}
	for c.tries = 1; ; c.tries++ {
		v := w.attempt(working, waiting, c)
		if v.Action != NotNow {
			return v
		}
		if c.trouble.IsZero() {
			c.trouble = time.Now()
		}
		if err := sleep(waiting, v.After); err != nil {
			return judge(err, c.tries, false)
		}
	}
}

// attempt goes through the stages once, from the beginning: whatever happened
// since the last attempt, the plan is made from what Graph holds now.
func (w *Worker) attempt(working, waiting context.Context, c *command) Verdict {
	if c.lane == nil {
		if v := w.admit(working, waiting, c); v.Action != Complete {
			return v
		}
	}
	if v := w.inScope(working, waiting, c); v.Action != Complete {
		return v
	}
	if v := w.passGate(working, waiting, c, c.wanted.accesses(), func() error { return w.change(working, c) }); v.Action != Complete {
		return v
	}
	return w.verify(working, waiting, c)
}

// admit finds out who the user is and waits for the command's turn in the user's
// lane; it is complete when that has come. Places in lanes are taken in the order
// in which the commands were received, as far as the users are found at once.
func (w *Worker) admit(working, waiting context.Context, c *command) Verdict {
	if err := c.named.waitOr(waiting, c.standAside); err != nil {
		return judge(err, c.tries, false)
	}
	var needed []access
	if _, known := w.resolver.known(c.tenant, c.event.Command.User); !known {
		needed = []access{signIn, readUsers}
	}
	v := w.passGate(working, waiting, c, needed, func() error { return w.identify(working, c) })
	if v.Action != Complete {
		if v.Action == NotNow && !v.Pause {
			c.standAside()
		}
		return v
	}
	w.telemetry.user(working, c.userID)
	if err := c.turn.wait(waiting); err != nil {
		return judge(err, c.tries, false)
	}
	c.lane = w.lanes.join(c.key())
	c.named.leave()
	c.turn.leave()
	return judge(c.lane.wait(waiting), c.tries, false)
}

// passGate does something on Graph as soon as the tenant's gates let a command
// through that needs these kinds of access, and tells the gates how it went. What
// it does must not wait for another command: if that one stood at a gate and this
// one were the probe, neither would ever move.
func (w *Worker) passGate(working, waiting context.Context, c *command, needed []access, do func() error) Verdict {
	probing, err := w.gates.enter(waiting, c.tenant, needed)
	if err != nil {
		return judge(err, c.tries, false)
	}
	if len(probing) > 0 {
		defer w.gates.pass(c.tenant, probing)
	}
	err = do()
	v := judge(err, c.tries, w.elsewhere(c.tenant, err, c.trouble))
	if v.Reason == ReasonUnknownUser && c.event.Command.Run == "" && c.tries < newcomerLooks {
		v = troubled(c.tries, false, "not found")
	}
	v.After = v.After / firstRetry * w.opts.FirstRetry
	switch {
	case v.Pause:
		w.pause(working, c, err, probing)
	case v.Action == NotNow:
		w.complaints.about(working, c.tenant, err, v, c.tries, time.Now())
	}
	return v
}

// elsewhere tells whether what failed has worked for somebody since.
func (w *Worker) elsewhere(tenant string, err error, since time.Time) bool {
	a, ok := accessOf(err)
	return ok && !since.IsZero() && w.gates.workedSince(tenant, a, since)
}

// pause closes the gate of the access that was refused and says what is missing.
func (w *Worker) pause(ctx context.Context, c *command, err error, probing []access) {
	refused, _ := accessOf(err)
	kind := graphclient.KindOf(err)
	missing, remedy := refused.missing(kind)
	if kind == graphclient.KindUnauthorized {
		refused = signIn
	}
	pause, news := w.gates.refuse(c.tenant, refused, slices.Contains(probing, refused))
	if news {
		w.log.ErrorContext(ctx, "tenant paused: Microsoft Graph refuses the application",
			"tenant", c.tenant, "access", string(refused), missing, "remedy", remedy,
			"error", err, "next_try_in", pause.String())
		if w.opts.OnPause != nil {
			w.opts.OnPause(c.tenant)
		}
	}
}

// change reads, plans and applies.
func (w *Worker) change(working context.Context, c *command) error {
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

// identify finds the user's object id. Where that takes no request it proves
// nothing about access, hence no call.
func (w *Worker) identify(ctx context.Context, c *command) error {
	ctx, span := w.telemetry.stage(ctx, "resolve")
	defer span.End()
	user := c.event.Command.User
	if id, known := w.resolver.known(c.tenant, user); known {
		c.found(id)
		return nil
	}
	return w.call(ctx, c, readUsers, func(ctx context.Context) error {
		u, err := w.resolver.resolve(ctx, w.graph.Directory(c.event.Command.Tenant), c.tenant, user)
		if err == nil {
			c.resolved = &u
			c.found(u.ID)
		}
		return err
	})
}

// plan reads what the plan rests on and makes it.
func (w *Worker) plan(ctx context.Context, c *command, wanted Wanted) (plan Plan, stale bool, err error) {
	readCtx, span := w.telemetry.stage(ctx, "read")
	state, err := w.reading(c).read(readCtx, needsOf(wanted))
	span.End()
	if err != nil {
		if graphclient.KindOf(err) == graphclient.KindNotFound {
			w.reconsider(c)
		}
		return Plan{}, false, err
	}
	state, stale = w.memory.overlay(c.key(), state, time.Now())
	_, span = w.telemetry.stage(ctx, "plan")
	defer span.End()
	if c.writes > 0 {
		// What was expected was there, and some of it has been written over since.
		wanted.Expect = nil
	}
	plan, err = MakePlan(state, wanted, time.Now())
	c.planned = plan.Warnings
	if err != nil {
		return plan, stale, err
	}
	return plan, stale, w.keep(ctx, c, state, plan)
}

func (w *Worker) reading(c *command) reading {
	return reading{
		dir:    w.graph.Directory(c.event.Command.Tenant),
		userID: c.userID,
		call: func(ctx context.Context, a access, fn func(context.Context) error) error {
			return w.call(ctx, c, a, fn)
		},
	}
}

// reconsider makes the next attempt ask again who the user is: under the same
// name there may be another account by now.
func (w *Worker) reconsider(c *command) {
	if isObjectID(c.event.Command.User) {
		return
	}
	w.resolver.forget(c.tenant, c.event.Command.User)
	c.lane.leave()
	c.lane = nil
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
	if w.gates.worked(c.tenant, a, time.Now()) {
		w.log.InfoContext(ctx, "tenant resumed", "tenant", c.tenant, "access", string(a))
	}
	return nil
}

// newCommand decodes a delivery. What is wrong with it is kept for the verdict.
func (w *Worker) newCommand(d messages.Delivery) *command {
	c := &command{delivery: d, received: time.Now()}
	c.event, c.faulty = messages.Decode(d.Encoded)
	if c.faulty == nil {
		c.wanted, c.faulty = numbers(c.event.Command, w.opts.Numbers)
	}
	if c.faulty == nil {
		c.faulty = permit(c.wanted, w.opts.Allow)
	}
	c.tenant = strings.ToLower(c.event.Command.Tenant)
	return c
}
